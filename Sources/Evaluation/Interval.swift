/// A closed interval of plausible values.
public struct Interval: Sendable, Codable, Equatable {
    public let low: Double
    public let high: Double

    public init(low: Double, high: Double) {
        self.low = low
        self.high = high
    }
}

/// Mean and spread of a value measured several times (over seeds), with its uncertainty.
public struct Estimate: Sendable, Codable, Equatable {
    public let count: Int
    public let mean: Double
    /// With divisor n − 1; nil for one value.
    public let standardDeviation: Double?
    /// Confidence interval of the mean from Student's t; nil for one value.
    public let interval: Interval?

    /// Half the interval's width.
    public var margin: Double? { interval.map { ($0.high - $0.low) / 2 } }

    /// Nil if there are no values or one is not finite: a failed measurement is missing, not a number.
    public init?(of values: [Double], confidence: Double = 0.95) {
        guard !values.isEmpty, values.allSatisfy(\.isFinite) else { return nil }
        let n = Double(values.count)
        let mean = values.reduce(0, +) / n
        count = values.count
        self.mean = mean
        guard values.count > 1 else {
            standardDeviation = nil
            interval = nil
            return
        }
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1)
        standardDeviation = variance.squareRoot()
        let margin = StudentT.quantile((1 + confidence) / 2, degreesOfFreedom: n - 1) * (variance / n).squareRoot()
        interval = Interval(low: mean - margin, high: mean + margin)
    }

    /// From parts computed elsewhere, such as a difference of two means.
    init(count: Int, mean: Double, standardDeviation: Double?, interval: Interval?) {
        self.count = count
        self.mean = mean
        self.standardDeviation = standardDeviation
        self.interval = interval
    }
}
