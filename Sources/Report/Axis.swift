import Foundation

/// One axis of a plot: the range it shows, where its ticks are and how they are labelled.
struct Axis {
    let scale: LinePlot.Scale
    let low: Double
    let high: Double
    let ticks: [Double]
    let labels: [String]

    /// Covers `values` (on a logarithmic axis only the positive ones), or exactly `range` where it is given.
    init(covering values: [Double], range: ClosedRange<Double>?, scale: LinePlot.Scale, ticks wanted: Int) {
        let usable = values.filter { $0.isFinite && (scale == .linear || $0 > 0) }
        var low = range?.lowerBound ?? usable.min() ?? (scale == .linear ? 0 : 1)
        var high = range?.upperBound ?? usable.max() ?? (scale == .linear ? 1 : 10)
        self.scale = scale
        switch scale {
        case .linear:
            // Of whole numbers, such as counts of layers, there is nothing between two.
            let isWhole = high - low != 1 && !usable.isEmpty && usable.allSatisfy { $0 == $0.rounded() }
            if low == high {
                let room = low == 0 || isWhole ? max(1, (abs(low) * 0.1).rounded()) : abs(low) * 0.1
                (low, high) = (low - room, high + room)
            }
            var step = Self.roundStep((high - low) / Double(wanted))
            if isWhole, step != step.rounded() { step = step < 1 ? 1 : 5 * (step / 2.5).rounded() }
            if range == nil {
                // Whole steps, unless that would leave much of the plot empty.
                low = (low / step + 1e-9).rounded(.down) * step
                high = (high / step - 1e-9).rounded(.up) * step
            }
            let first = (low / step - 1e-9).rounded(.up)
            let last = (high / step + 1e-9).rounded(.down)
            ticks = stride(from: first, through: last, by: 1).map { $0 * step }
            labels = ticks.map { Self.label($0, step: step) }
        case .logarithmic:
            if low == high { (low, high) = (low / 2, high * 2) }
            let decades = log10(high / low)
            let factors: [Double] = decades > 3 ? [1] : decades > 1.2 ? [1, 3] : [1, 2, 3, 5, 7]
            let exponents = stride(from: log10(low).rounded(.down), through: log10(high), by: 1)
            let all = exponents.flatMap { exponent in factors.map { $0 * pow(10, exponent) } }
            ticks = all.filter { $0 >= low * (1 - 1e-9) && $0 <= high * (1 + 1e-9) }
            labels = ticks.map { Self.label($0, step: pow(10, log10($0).rounded(.down))) }
        }
        self.low = low
        self.high = high
    }

    /// Where a value lies, 0 at the low end and 1 at the high end; nil for what the axis cannot show.
    func place(_ value: Double) -> Double? {
        guard value.isFinite else { return nil }
        switch scale {
        case .linear: return (value - low) / (high - low)
        case .logarithmic: return value > 0 ? log(value / low) / log(high / low) : nil
        }
    }

    /// Its ends and its kind, from which a page tells the values below a pointer.
    var description: String { "\(low) \(high) \(scale)" }

    /// The smallest of 1, 2, 2.5, 5 times a power of ten that is at least `step`.
    private static func roundStep(_ step: Double) -> Double {
        let power = pow(10, log10(step).rounded(.down))
        return (([1, 2, 2.5, 5].first { $0 * power >= step * (1 - 1e-9) }) ?? 10) * power
    }

    private static func label(_ value: Double, step: Double) -> String {
        if abs(value) >= 1e7 || step < 1e-4 {
            // As many digits as tell it from its neighbours.
            let digits = max(3, Int(log10(max(abs(value), step)).rounded(.down) - log10(step).rounded(.down)) + 2)
            return abs(value) < step / 2 ? "0" : String(format: "%.*g", min(digits, 16), value)
        }
        let decimals = (0...6).first { abs(step * pow(10, Double($0)) - (step * pow(10, Double($0))).rounded()) < 1e-6 } ?? 6
        let text = NumberFormat.fixed(value, decimals: decimals)
        guard decimals == 0, abs(value) >= 10_000 else { return text }
        // Digits in threes, apart by a narrow no-break space.
        var grouped = ""
        for (i, digit) in text.enumerated() {
            if i > 0, (text.count - i) % 3 == 0, grouped != "-" { grouped += "\u{202F}" }
            grouped.append(digit)
        }
        return grouped
    }
}
