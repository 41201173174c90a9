import Evaluation
import Experiment
import Files
import Metrics
import Sweep

/// The scores that a sweep is decided by, as one family of tests under Holm's correction: a p-value below 0.05 of one of many is
/// what chance gives, and a sweep that named its endpoints beforehand need not correct for all that it shows besides.
struct ComparisonEndpoints {
    /// One endpoint of one arm against its baseline.
    private struct Claim {
        let pair: ComparisonDifferences.Pair
        let equivalence: EquivalenceTest?
        let margin: Double?

        /// Of the claim: that there is a difference, or that there is none as large as the margin.
        var pValue: Double? {
            margin == nil ? pair.comparison.flatMap { $0.difference.interval == nil ? nil : $0.test.pValue } : equivalence?.pValue
        }
        /// What p comes from: at its 95 % interval, or at the 90 % one that an equivalence is read off.
        var interval: Interval? { margin == nil ? pair.comparison?.difference.interval : equivalence?.interval }
    }

    /// For programs and people; without rows where no endpoint has been measured.
    let table: Table

    static let level = 0.05

    /// - Throws: `InputError` where a condition cannot be read.
    init(_ endpoints: [Endpoint], _ results: SweepResults, _ protocols: ComparisonProtocols, mixesProtocols: Bool) throws {
        var (claims, missing): ([Claim], [String]) = ([], [])
        for endpoint in endpoints {
            let condition = try endpoint.only.map { try Expression(parsing: $0) }
            let arms = results.arms.filter { arm in
                arm.isBaseline || condition.map { condition in arm.runs.contains { condition.matches($0.value) } } ?? true
            }
            let pairs: [ComparisonDifferences.Pair]
            let name = Self.name(endpoint.metric, among: results.scores)
            if let name, let against = endpoint.against {
                pairs = Self.withinRuns(arms.filter { !$0.isBaseline }, name, Self.name(against, among: results.scores))
            } else {
                pairs = name.map { ComparisonDifferences.pairs(arms, [$0], protocols, mixesProtocols: mixesProtocols) } ?? []
            }
            let measured = pairs.filter { $0.comparison != nil }
            if measured.isEmpty { missing.append(endpoint.metric) }
            claims += measured.map { pair in
                Claim(
                    pair: pair,
                    equivalence: endpoint.margin.flatMap { margin in pair.comparison.flatMap { EquivalenceTest($0, margin: margin) } },
                    margin: endpoint.margin)
            }
        }
        let tested = claims.indices.filter { claims[$0].pValue != nil }
        let adjusted = Dictionary(
            uniqueKeysWithValues: zip(tested, holmAdjusted(tested.map { min(1, claims[$0].pValue ?? 1) })))

        var table = Table(columns: [
            .text("endpoint", key: "metric"), .text("arm"), .text("baseline"), .text("claim"),
            .number("difference", decimals: 3), .number("low", decimals: 3), .number("high", decimals: 3),
            .number("n", decimals: 0), .number("p", decimals: 4), .number("p, Holm", key: "p_holm", decimals: 4), .text("verdict"),
        ])
        for (place, claim) in claims.enumerated() {
            let difference = claim.pair.comparison?.difference
            table.add([
                .text(claim.pair.score.title + (claim.pair.told.isEmpty ? "" : " (\(claim.pair.told))")),
                .text(claim.pair.arm.label), .text(claim.pair.baseline.label),
                .text(claim.margin.map { "equal within ±\(NumberFormat.exact($0))" } ?? "different"),
                .number(difference?.mean), .number(claim.interval?.low), .number(claim.interval?.high),
                difference.map { .number($0.count) } ?? .missing, .number(claim.pValue), .number(adjusted[place]),
                .text(Self.verdict(claim, adjusted[place])),
            ])
        }
        if !claims.isEmpty {
            table.add(
                footnote: "endpoints: arm − baseline; \(tested.count) tests, their p adjusted by Holm's method; a claim is shown where "
                    + "that is at most \(Self.level). different: two-sided randomisation test, 95 % interval; equal: two one-sided t tests, "
                    + "90 % interval")
        }
        for metric in missing { table.add(footnote: "endpoint \(metric) has not been measured in an arm and its baseline") }
        self.table = table
    }

    /// Two scores of the same runs, run by run.
    private static func withinRuns(
        _ arms: [SweepResults.Arm], _ score: MetricName, _ other: MetricName?
    ) -> [ComparisonDifferences.Pair] {
        guard let other else { return [] }
        return arms.map { arm in
            let reference = Dictionary(arm.values(other.text).map { ($0.replicate, $0.value) }, uniquingKeysWith: { first, _ in first })
            let pairs = arm.values(score.text).compactMap { value in reference[value.replicate].map { (value.value, $0) } }
            return ComparisonDifferences.Pair(
                arm: arm, baseline: SweepResults.Arm(label: "\(arm.label): \(other.title)", isBaseline: true, runs: arm.runs), score: score,
                told: "", comparison: ArmComparison(paired: pairs.map(\.0), baseline: pairs.map(\.1)), unequal: "")
        }
    }

    /// Where several feature networks measured it, that of `features`: the others are called after it.
    private static func name(_ given: String, among scores: [MetricName]) -> MetricName? {
        scores.first { $0.text == given } ?? scores.filter { $0.isMeant(by: given) }.min { $0.text.count < $1.text.count }
    }

    private static func verdict(_ claim: Claim, _ adjusted: Double?) -> String {
        guard let adjusted, let difference = claim.pair.comparison?.difference else { return "too few seeds" }
        let fair = claim.pair.unequal.isEmpty ? "" : "; NO FAIR PAIR: \(claim.pair.unequal)"
        guard adjusted <= level else { return (claim.margin == nil ? "not shown" : "equality not shown") + fair }
        guard claim.margin == nil else { return "equal" + fair }
        let isLower = difference.mean < 0
        return switch claim.pair.score.measure.better {
        case .lower: (isLower ? "better" : "worse") + fair
        case .higher: (isLower ? "worse" : "better") + fair
        case nil: (isLower ? "lower" : "higher") + fair
        }
    }
}
