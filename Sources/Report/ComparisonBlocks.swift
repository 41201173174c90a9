import Evaluation
import Experiment
import Metrics

/// Whether arms differ at all, every seed being a block: for each score and each baseline with the arms that are compared with it.
/// With two arms this is the paired comparison over again, so there must be three.
enum ComparisonBlocks {
    static func table(_ arms: [SweepResults.Arm], _ names: [String], _ protocols: ComparisonProtocols) -> Table {
        var table = Table(columns: [
            .text("score", key: "metric"), .text("arms", key: "labels"), .number("arms", key: "arms", decimals: 0),
            .number("seeds", decimals: 0), .number("F", key: "f", decimals: 2), .number("p", decimals: 4),
            .number("explained", decimals: 3), .number("Friedman χ²", key: "friedman", decimals: 2),
            .number("p of ranks", key: "friedman_p", decimals: 4),
        ])
        for name in names {
            for group in ComparisonDifferences.groups(arms) where group.count > 2 && protocols.all(name, group).count == 1 {
                let values = group.map {
                    Dictionary($0.values(name).map { ($0.replicate, $0.value) }, uniquingKeysWith: { first, _ in first })
                }
                let shared = values[0].keys.filter { seed in values.allSatisfy { $0[seed] != nil } }.sorted()
                guard let found = BlockAnalysis(shared.map { seed in values.compactMap { $0[seed] } }) else { continue }
                table.add([
                    .text(MetricName(name).short), .text(group.map(\.label).joined(separator: ", ")), .number(found.arms),
                    .number(found.seeds), .number(found.f), .number(found.pValue), .number(found.explained), .number(found.friedman),
                    .number(found.friedmanP),
                ])
            }
        }
        if !table.rows.isEmpty {
            table.add(
                footnote:
                    "arms × seeds: F of the arms in a two-way analysis of variance, seeds being blocks; explained: their share of the "
                    + "variance within seeds; Friedman's test on ranks, its p by Iman and Davenport's F. Not adjusted for the number of "
                    + "scores")
        }
        return table
    }
}
