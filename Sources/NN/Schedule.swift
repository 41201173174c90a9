import Settings

/// Learning rate over steps: linear warm-up from 0, flat, linear decay to the end rate (method §4.5).
///
///     let schedule = LearningRateSchedule(base: 1e-3, end: 1e-4, warmup: 100, decayStart: 900, total: 1000)
///     schedule.rate(at: 50)   // 5e-4
///     schedule.rate(at: 950)  // 5.5e-4
public struct LearningRateSchedule: Equatable, Sendable {
    public var base, end: Double
    /// Steps of warm-up; step 0 of a warm-up has rate 0.
    public var warmup: Int
    /// The step at which the decay starts, and the step at which it has reached `end`.
    public var decayStart, total: Int

    public init(base: Double, end: Double, warmup: Int, decayStart: Int, total: Int) {
        self.base = base
        self.end = end
        self.warmup = warmup
        self.decayStart = decayStart
        self.total = total
    }

    public init(_ settings: OptimizerSettings, steps: Int) {
        self.init(
            base: settings.lr, end: settings.endLr, warmup: settings.warmup, decayStart: settings.firstDecayStep, total: steps)
    }

    public func rate(at step: Int) -> Double {
        if step < warmup { return base * Double(step) / Double(warmup) }
        if step < decayStart { return base }
        if step >= total { return end }
        return base + (end - base) * Double(step - decayStart) / Double(total - decayStart)
    }
}
