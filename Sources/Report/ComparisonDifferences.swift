import Evaluation
import Experiment
import Files
import Foundation
import Metrics

/// Differences of arms to their baselines, with intervals and p-values.
struct ComparisonDifferences {
    /// One arm against its baseline in one score.
    struct Pair {
        let arm, baseline: SweepResults.Arm
        let score: MetricName
        /// What tells the protocol where there are several.
        let told: String
        /// Nil where the two were measured under different protocols.
        let comparison: ArmComparison?
        /// Why the two are no fair pair; empty where they are.
        let unequal: String
    }

    /// For programs: every column, every digit.
    let table: Table
    /// For people: intervals in one column with the digits that they allow; no p-values where there is one seed.
    let shown: Table
    let verdicts: [String]

    init(_ arms: [SweepResults.Arm], _ names: [String], _ protocols: ComparisonProtocols, mixesProtocols: Bool) {
        let pairs = Self.pairs(arms, names.map { MetricName($0) }, protocols, mixesProtocols: mixesProtocols)
        table = Self.exact(pairs)
        shown = Self.shown(pairs)
        verdicts = ComparisonVerdicts(pairs).sentences
    }

    static func pairs(
        _ arms: [SweepResults.Arm], _ scores: [MetricName], _ protocols: ComparisonProtocols, mixesProtocols: Bool
    ) -> [Pair] {
        let baselines = arms.filter(\.isBaseline)
        return arms.filter { !$0.isBaseline }.flatMap { arm -> [Pair] in
            guard let baseline = nearest(to: arm, among: baselines) else { return [] }
            let unequal = ComparisonBudgets.inequality(of: arm, to: baseline)
            return scores.flatMap { score -> [Pair] in
                func pair(_ wanted: MeasuringProtocol?, _ told: String = "") -> Pair? {
                    let comparison = compare(arm, baseline, score.text, wanted)
                    // Nothing measured is no other protocol.
                    guard comparison != nil || !told.isEmpty else { return nil }
                    return Pair(arm: arm, baseline: baseline, score: score, told: told, comparison: comparison, unequal: unequal)
                }
                let all = protocols.all(score.text, [arm, baseline])
                guard all.count > 1, !mixesProtocols else { return [pair(nil)].compactMap { $0 } }
                let own = protocols.all(score.text, [arm])
                return protocols.sorted(all).filter { own.contains($0.value) }.compactMap { pair($0.value, $0.told) }
            }
        }
    }

    // MARK: Tables

    private static func exact(_ pairs: [Pair]) -> Table {
        var table = Table(columns: [
            .text("arm"), .text("baseline"), .text("score", key: "metric"),
            .number("difference", decimals: 3), .number("95 % low", key: "low", decimals: 3),
            .number("95 % high", key: "high", decimals: 3), .number("p", decimals: 4), .number("n", decimals: 0),
            .text("how", key: "test"), .number("smallest p", key: "smallest_p", decimals: 4), .text("unequal"),
        ])
        for pair in pairs {
            let (difference, test) = (pair.comparison?.difference, pair.comparison?.test)
            table.add([
                .text(pair.arm.label), .text(pair.baseline.label), .text(pair.score.text + (pair.told.isEmpty ? "" : "[\(pair.told)]")),
                .number(difference?.mean), .number(difference?.interval?.low), .number(difference?.interval?.high),
                .number(test?.pValue), difference.map { .number($0.count) } ?? .missing,
                .text(pair.comparison.map(how) ?? "other protocol"), .number(test?.smallest), .text(pair.unequal),
            ])
        }
        for note in footnotes(pairs) { table.add(footnote: note) }
        return table
    }

    private static func shown(_ pairs: [Pair]) -> Table {
        let hasSeeds = pairs.contains { $0.comparison?.difference.interval != nil }
        let hasUnequal = pairs.contains { !$0.unequal.isEmpty }
        // What all rows share is said once, below the table.
        let ways = pairs.compactMap { $0.comparison.map(how) }.uniqued()
        var columns: [Table.Column] = [
            .text("arm"), .text("baseline"), .text("score", key: "metric"), .text("difference", alignment: .right),
        ]
        if hasSeeds {
            columns += [
                .text("95 % interval", key: "interval"), .number("p", decimals: 4), .number("smallest p", key: "smallest_p", decimals: 4),
                .number("n", decimals: 0),
            ]
            if ways.count > 1 { columns.append(.text("how", key: "test")) }
        }
        if hasUnequal { columns.append(.text("NO FAIR PAIR", key: "unequal")) }
        var table = Table(columns: columns)
        for pair in pairs {
            let (difference, test) = (pair.comparison?.difference, pair.comparison?.test)
            let decimals =
                difference?.margin.map { NumberFormat.decimals(allowedBy: $0, most: pair.score.measure.decimals + 1) }
                ?? pair.score.measure.decimals
            func text(_ value: Double) -> String { NumberFormat.fixed(value, decimals: decimals) }
            var cells: [Table.Cell] = [
                .text(pair.arm.label), .text(pair.baseline.label),
                .text(pair.score.title + (pair.told.isEmpty ? "" : " (\(pair.told))")),
                difference.map { .text(text($0.mean)) } ?? .text("other protocol"),
            ]
            if hasSeeds {
                cells += [
                    difference?.interval.map { .text("\(text($0.low)) to \(text($0.high))") } ?? .missing, .number(test?.pValue),
                    .number(test?.smallest), difference.map { .number($0.count) } ?? .missing,
                ]
                if ways.count > 1 { cells.append(pair.comparison.map { .text(how($0)) } ?? .missing) }
            }
            if hasUnequal { cells.append(.text(pair.unequal)) }
            table.add(cells)
        }
        if hasSeeds {
            for note in footnotes(pairs) { table.add(footnote: note) }
            if ways.count == 1 { table.add(footnote: "every p: \(ways[0])") }
        }
        return table
    }

    private static func footnotes(_ pairs: [Pair]) -> [String] {
        let tests = pairs.compactMap(\.comparison?.test)
        guard !tests.isEmpty else { return [] }
        let what =
            "arm − baseline with its 95 % interval (Student's t over pairs of a seed; Welch's where there are none); "
            + "p: two-sided, \(tests.count) tests, not adjusted for their number"
        return tests.contains { $0.smallest < 0.05 }
            ? [what] : [what, "too few seeds for any p below 0.05: 'smallest p' is the least that so many can give"]
    }

    // MARK: Pairs

    /// The baseline that differs from `arm` in the fewest settings: with a second axis, the one with the arm's value of it.
    private static func nearest(to arm: SweepResults.Arm, among baselines: [SweepResults.Arm]) -> SweepResults.Arm? {
        guard let own = arm.runs.first?.settings else { return baselines.first }
        return baselines.min { left, right in
            func distance(_ baseline: SweepResults.Arm) -> Int {
                baseline.runs.first.map { FlatSettings.differing([own, $0.settings]).count } ?? .max
            }
            return distance(left) < distance(right)
        }
    }

    /// Arms that are compared with one another: each baseline with those that it is nearest to; all, where there is no baseline.
    static func groups(_ arms: [SweepResults.Arm]) -> [[SweepResults.Arm]] {
        let baselines = arms.filter(\.isBaseline)
        guard !baselines.isEmpty else { return [arms] }
        return baselines.map { baseline in
            arms.filter { $0.isBaseline ? $0.label == baseline.label : nearest(to: $0, among: baselines)?.label == baseline.label }
        }
    }

    /// Paired by seed where the arms share two seeds or more, or have only one.
    private static func compare(
        _ arm: SweepResults.Arm, _ baseline: SweepResults.Arm, _ name: String, _ wanted: MeasuringProtocol?
    ) -> ArmComparison? {
        let (values, others) = (arm.values(name, under: wanted), baseline.values(name, under: wanted))
        let reference = Dictionary(others.map { ($0.replicate, $0.value) }, uniquingKeysWith: { first, _ in first })
        let pairs = values.compactMap { value in reference[value.replicate].map { (value.value, $0) } }
        if pairs.count > 1 || pairs.count == 1 && min(values.count, others.count) == 1 {
            return ArmComparison(paired: pairs.map(\.0), baseline: pairs.map(\.1))
        }
        return ArmComparison(unpaired: values.map(\.value), baseline: others.map(\.value))
    }

    private static func how(_ comparison: ArmComparison) -> String {
        let counted = comparison.test.isExact ? "exact" : "drawn"
        switch comparison.pairing {
        case .paired: return "paired, sign flips, \(counted)"
        case .unpaired: return "unpaired, permutations, \(counted)"
        }
    }
}
