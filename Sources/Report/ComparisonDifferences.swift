import Evaluation
import Experiment
import Files
import Foundation

/// Differences of arms to their baselines, with intervals and p-values.
struct ComparisonDifferences {
    let table: Table

    init(_ arms: [SweepResults.Arm], _ names: [String], _ protocols: ComparisonProtocols, mixesProtocols: Bool) {
        var table = Table(columns: [
            .text("arm"), .text("baseline"), .text("score", key: "metric"),
            .number("difference", decimals: 3), .number("95 % low", key: "low", decimals: 3),
            .number("95 % high", key: "high", decimals: 3), .number("p", decimals: 4), .number("n", decimals: 0),
            .text("how", key: "test"), .number("smallest p", key: "smallest_p", decimals: 4),
        ])
        let baselines = arms.filter(\.isBaseline)
        var (tests, isBelievable) = (0, false)
        for arm in arms where !arm.isBaseline {
            guard let baseline = Self.nearest(to: arm, among: baselines) else { continue }
            for name in names {
                guard mixesProtocols || protocols.all(name, [arm, baseline]).count <= 1 else {
                    table.add(
                        [.text(arm.label), .text(baseline.label), .text(name)] + Array(repeating: .missing, count: 5)
                            + [.text("other protocol"), .missing])
                    continue
                }
                guard let comparison = Self.compare(arm, baseline, name) else { continue }
                let (difference, test) = (comparison.difference, comparison.test)
                tests += 1
                isBelievable = isBelievable || test.smallest < 0.05
                table.add([
                    .text(arm.label), .text(baseline.label), .text(name), .number(difference.mean),
                    .number(difference.interval?.low), .number(difference.interval?.high), .number(test.pValue),
                    .number(difference.count), .text(Self.how(comparison)), .number(test.smallest),
                ])
            }
        }
        if tests > 0 {
            table.add(
                footnote: "arm − baseline with its 95 % interval (Student's t over pairs of a seed; Welch's where there are none); "
                    + "p: two-sided, \(tests) tests, not adjusted for their number")
            if !isBelievable {
                table.add(footnote: "too few seeds for any p below 0.05: 'smallest p' is the least that so many can give")
            }
        }
        self.table = table
    }

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
    private static func compare(_ arm: SweepResults.Arm, _ baseline: SweepResults.Arm, _ name: String) -> ArmComparison? {
        let (values, others) = (arm.values(name), baseline.values(name))
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
