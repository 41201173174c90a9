import Settings

/// Learning rate over steps: linear warm-up from 0, flat, linear decay to the end rate (method §4.5).
///
///     // lr 1e-3, end_lr 1e-4, warmup 100, decay_start 900
///     let schedule = LearningRateSchedule(settings.optimizer, steps: 1000)
///     schedule.rate(at: 50)   // 5e-4
///     schedule.rate(at: 950)  // 5.5e-4
public struct LearningRateSchedule: Equatable, Sendable {
    public let settings: OptimizerSettings
    /// The step at which the decay has reached the end rate.
    public let steps: Int

    public init(_ settings: OptimizerSettings, steps: Int) { (self.settings, self.steps) = (settings, steps) }

    public func rate(at step: Int) -> Double {
        let (peak, end, decayStart) = (settings.lr, settings.endLr, settings.firstDecayStep)
        if step < settings.warmup { return peak * Double(step) / Double(settings.warmup) }
        if step < decayStart { return peak }
        if step >= steps { return end }
        return peak + (end - peak) * Double(step - decayStart) / Double(steps - decayStart)
    }
}
