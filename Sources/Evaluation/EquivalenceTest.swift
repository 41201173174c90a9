/// Two one-sided t tests (Schuirmann 1987): whether a difference is within ±margin. A p-value above 0.05 of a test for a
/// difference shows nothing of the kind; one below 0.05 here does.
public struct EquivalenceTest: Sendable, Codable, Equatable {
    public let margin: Double
    /// The larger of the p-values of "the difference is at least margin below 0" and "… above 0".
    public let pValue: Double
    /// The interval that lies within the margin exactly where p ≤ 0.05: of 90 %.
    public let interval: Interval

    /// Nil where the difference has no standard error: of one value, or one pair.
    public init?(_ comparison: ArmComparison, margin: Double) {
        precondition(margin > 0, "an equivalence margin of \(margin)")
        guard let error = comparison.standardError, let freedom = comparison.degreesOfFreedom else { return nil }
        let mean = comparison.difference.mean
        self.margin = margin
        guard error > 0 else {
            pValue = abs(mean) < margin ? 0 : 1
            interval = Interval(low: mean, high: mean)
            return
        }
        let nearest = (margin - abs(mean)) / error
        pValue = StudentT.cumulative(-nearest, degreesOfFreedom: freedom)
        let reach = StudentT.quantile(0.95, degreesOfFreedom: freedom) * error
        interval = Interval(low: mean - reach, high: mean + reach)
    }
}
