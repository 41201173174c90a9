import Evaluation
import Experiment
import Metrics

/// What a comparison comes to, a sentence for each score: "gFID nocfg against baseline-2d: prologue is better by 26 (18 to 34)".
struct ComparisonVerdicts {
    let sentences: [String]

    init(_ pairs: [ComparisonDifferences.Pair]) {
        let compared = pairs.filter { $0.comparison != nil }
        var sentences = compared.map(Self.title).uniqued().map { title in
            let own = compared.filter { Self.title($0) == title }
            let baselines = own.map(\.baseline.label).uniqued()
            let parts = baselines.map { baseline in
                own.filter { $0.baseline.label == baseline }.map(Self.clause).joined(separator: "; ")
            }
            if parts.count == 1 { return "\(title) against \(baselines[0]): \(parts[0])." }
            return "\(title): " + zip(baselines, parts).map { "against \($0), \($1)" }.joined(separator: "; ") + "."
        }
        let comparisons = compared.compactMap(\.comparison)
        if !comparisons.isEmpty, comparisons.allSatisfy({ $0.difference.interval == nil }) {
            sentences.append("With one seed nothing can be significant: any of these differences may be chance.")
        } else {
            sentences += Self.contradictions(comparisons)
        }
        self.sentences = sentences
    }

    private static func title(_ pair: ComparisonDifferences.Pair) -> String {
        pair.score.title + (pair.told.isEmpty ? "" : " (\(pair.told))")
    }

    private static func clause(_ pair: ComparisonDifferences.Pair) -> String {
        guard let difference = pair.comparison?.difference else { return "" }
        let decimals =
            difference.margin.map { NumberFormat.decimals(allowedBy: $0, most: pair.score.measure.decimals + 1) }
            ?? pair.score.measure.decimals
        func text(_ value: Double) -> String { NumberFormat.fixed(value, decimals: decimals) }
        let caveat = pair.unequal.isEmpty ? "" : ", but the two are no fair pair (\(pair.unequal))"
        let arm = pair.arm.label
        // Signs are turned so that the number is how much better or worse the arm is.
        func size(_ interval: Interval?) -> String {
            let turned = interval.map { difference.mean < 0 ? Interval(low: -$0.high, high: -$0.low) : $0 }
            return text(abs(difference.mean)) + (turned.map { " (\(text($0.low)) to \(text($0.high)))" } ?? "")
        }
        if let interval = difference.interval, interval.low <= 0, interval.high >= 0 {
            if interval.low == interval.high { return "\(arm) is equal\(caveat)" }
            return "\(arm) is not told apart (difference \(text(difference.mean)), \(text(interval.low)) to "
                + "\(text(interval.high)))\(caveat)"
        }
        if difference.mean == 0 { return "\(arm) is equal\(caveat)" }
        let word =
            switch pair.score.measure.better {
            case .lower: difference.mean < 0 ? "better" : "worse"
            case .higher: difference.mean > 0 ? "better" : "worse"
            case nil: difference.mean < 0 ? "lower" : "higher"
            }
        return "\(arm) is \(word) by \(size(difference.interval))\(caveat)"
    }

    /// Why an interval and its p-value may seem to say different things.
    private static func contradictions(_ comparisons: [ArmComparison]) -> [String] {
        func leavesOutZero(_ comparison: ArmComparison) -> Bool {
            comparison.difference.interval.map { $0.low > 0 || $0.high < 0 } ?? false
        }
        let clear = comparisons.filter { leavesOutZero($0) && $0.test.pValue >= 0.05 }
        let hidden = comparisons.filter { $0.difference.interval != nil && !leavesOutZero($0) && $0.test.pValue < 0.05 }
        var sentences: [String] = []
        if let first = clear.first {
            let p = NumberFormat.exact(first.test.smallest)
            sentences.append(
                first.test.smallest >= 0.05
                    ? "An interval without 0 beside a p of 0.05 or more is no contradiction: the interval takes the values to be normally "
                        + "distributed, p assumes nothing, and with so few seeds p cannot be below \(p)."
                    : "An interval without 0 beside a p of 0.05 or more: the interval takes the values to be normally distributed, p "
                        + "assumes nothing; believe the p.")
        }
        if !hidden.isEmpty {
            sentences.append(
                "An interval with 0 in it beside a p below 0.05: a few large values widen the interval, while p only asks how "
                    + "often chance would give as large a difference.")
        }
        return sentences
    }
}
