/// What a score can be at all, by its measure: the part of its name before '@' or '.'. Intervals over few seeds reach
/// further than that, and plots cut them off there.
enum PossibleValues {
    private static let shares: Set<String> = [
        "probe", "class_agreement", "completion_agreement", "classifier", "precision", "recall", "completion_variance_within",
    ]
    private static let cosines: Set<String> = ["ssim", "completion_likeness", "completion_layout", "completion_source_likeness"]

    static func of(_ metric: String) -> ClosedRange<Double> {
        let measure = String(metric.prefix { $0 != "@" && $0 != "." })
        if shares.contains(measure) || metric.hasPrefix("attention.prologue_share") { return 0...1 }
        if cosines.contains(measure) { return -1...1 }
        // R² is the share of the variance that is explained, and negative for what is worse than the mean.
        if metric.hasSuffix(".r2") { return -Double.infinity...1 }
        // Distances, errors, decibels, scores of what is generated, nats: never negative.
        return 0...Double.infinity
    }
}
