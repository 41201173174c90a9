import Experiment
import Files
import Foundation

/// What arms were given to become what they are: steps, images seen, parameters, FLOPs and seconds of training.
enum ComparisonBudgets {
    static let columns: [Table.Column] = [
        .number("tokenizer\nsteps", key: "tokenizer.steps", decimals: 0),
        .number("prior\nsteps", key: "prior.steps", decimals: 0),
        .number("params", key: "parameters", unit: "M", decimals: 2),
        .number("training", key: "tflops", unit: "TFLOP", decimals: 1),
        .number("training", key: "seconds", unit: "s", decimals: 0),
    ]

    /// Times of training are no more exact than this: less is not remarked on.
    private static let timeTolerance = 1.1

    private static func steps(_ role: String) -> (SweepResults.Run) -> Double? {
        { $0.stages[role]?.summary["steps"]?.doubleValue }
    }

    private static func parameters(_ run: SweepResults.Run) -> Double? {
        guard let tokenizer = run.stages["tokenizer"]?.summary["parameters"]?.doubleValue,
            let prior = run.stages["prior"]?.summary["parameters"]?.doubleValue
        else { return nil }
        return tokenizer + prior
    }

    /// What was trained for a run: its tokenizer, the frozen one that it stands on, the prior.
    private static func trained(_ run: SweepResults.Run) -> [SweepResults.StageSummary]? {
        guard let tokenizer = run.stages["tokenizer"], let prior = run.stages["prior"] else { return nil }
        return [tokenizer, prior] + (run.stages["base-tokenizer"].map { [$0] } ?? [])
    }

    private static func seconds(_ run: SweepResults.Run) -> Double? {
        trained(run)?.reduce(0) { $0 + $1.wallSeconds }
    }

    private static func teraflops(_ run: SweepResults.Run) -> Double? {
        guard let flops = trained(run)?.map(\.flops), !flops.contains(nil) else { return nil }
        return flops.reduce(0) { $0 + ($1 ?? 0) } / 1e12
    }

    private static func mean(_ runs: [SweepResults.Run], _ value: (SweepResults.Run) -> Double?) -> Double? {
        let values = runs.compactMap(value)
        return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }

    static func cells(_ runs: [SweepResults.Run]) -> [Table.Cell] {
        [
            .number(mean(runs, steps("tokenizer"))), .number(mean(runs, steps("prior"))),
            .number(mean(runs, parameters).map { $0 / 1e6 }), .number(mean(runs, teraflops)), .number(mean(runs, seconds)),
        ]
    }

    /// What two arms must have had as much of to be a fair pair. Parameters and times follow from the models that are compared.
    private static var trainingGiven: [(what: String, value: (SweepResults.Run) -> Double?)] {
        [
            ("tokenizer steps", steps("tokenizer")), ("prior steps", steps("prior")),
            ("images seen by the tokenizer", { $0.stages["tokenizer"]?.summary["images_seen"]?.doubleValue }),
            ("sequences seen by the prior", { $0.stages["prior"]?.summary["sequences_seen"]?.doubleValue }),
        ]
    }

    /// In what training `arm` was given more or less than `baseline`: "prior steps 2500 against 1000"; empty where in nothing.
    static func inequality(of arm: SweepResults.Arm, to baseline: SweepResults.Arm) -> String {
        trainingGiven.compactMap { what, value in
            guard let own = mean(arm.runs, value), let other = mean(baseline.runs, value), own != other else { return nil }
            return "\(what) \(whole(own)) against \(whole(other))"
        }.joined(separator: ", ")
    }

    private static func whole(_ value: Double) -> String { NumberFormat.exact(value.rounded()) }

    /// A note on the budgets that are not the same for all arms that are compared with one another, with the numbers.
    static func notes(_ arms: [SweepResults.Arm]) -> [String] {
        let groups = ComparisonDifferences.groups(arms)
        func note(
            _ what: String, within tolerance: Double = 1, _ value: (SweepResults.Run) -> Double?, text: (Double) -> String
        ) -> String? {
            let uneven = groups.filter { group in
                let known = group.compactMap { mean($0.runs, value) }
                guard let least = known.min(), let most = known.max() else { return false }
                return text(least) != text(most) && most > least * tolerance
            }
            return sentence(what, uneven.joined().map { ($0.label, mean($0.runs, value)) }, text: text)
        }
        let differing =
            trainingGiven.map { note($0.what, $0.value, text: whole) } + [
                note("parameters", parameters) { NumberFormat.fixed($0 / 1e6, decimals: 2) + " M" },
                note("TFLOP of training", teraflops) { NumberFormat.fixed($0, decimals: 1) },
                note("seconds of training", within: timeTolerance, seconds, text: whole),
            ]
        let said = differing.compactMap { $0 }
        return said.isEmpty ? [] : ["budgets differ: " + said.joined(separator: "; ")]
    }

    private static func sentence(
        _ what: String, _ values: [(label: String, value: Double?)], text: (Double) -> String
    ) -> String? {
        var groups: [(text: String, labels: [String])] = []
        for case (let label, let value?) in values {
            let shown = text(value)
            if let place = groups.firstIndex(where: { $0.text == shown }) {
                groups[place].labels.append(label)
            } else {
                groups.append((shown, [label]))
            }
        }
        guard !groups.isEmpty else { return nil }
        // The table has the numbers of many arms beside their names.
        if groups.count > 6 { return what }
        return "\(what) "
            + groups.map { group in
                let labels = group.labels.count > 6 ? "\(group.labels.count) arms" : group.labels.joined(separator: " and ")
                return "\(group.text) (\(labels))"
            }.joined(separator: ", ")
    }
}
