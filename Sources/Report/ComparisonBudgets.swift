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

    /// A note for each budget that is not the same for all arms, with the numbers.
    static func notes(_ arms: [SweepResults.Arm]) -> [String] {
        let counts: [(String, (SweepResults.Run) -> Double?)] = [
            ("tokenizer steps", steps("tokenizer")), ("prior steps", steps("prior")),
            ("images seen by the tokenizer", { $0.stages["tokenizer"]?.summary["images_seen"]?.doubleValue }),
            ("sequences seen by the prior", { $0.stages["prior"]?.summary["sequences_seen"]?.doubleValue }),
        ]
        var notes = counts.compactMap { what, value in
            note(what, arms.map { ($0.label, mean($0.runs, value)) }) { NumberFormat.exact($0.rounded()) }
        }
        let sizes = arms.map { ($0.label, mean($0.runs, parameters)) }
        if let note = note("parameters", sizes, text: { NumberFormat.fixed($0 / 1e6, decimals: 2) + " M" }) { notes.append(note) }
        let work = arms.map { ($0.label, mean($0.runs, teraflops)) }
        if let note = note("TFLOP of training", work, text: { NumberFormat.fixed($0, decimals: 1) }) { notes.append(note) }
        let times = arms.map { ($0.label, mean($0.runs, seconds)) }
        let known = times.compactMap(\.1)
        if let least = known.min(), let most = known.max(), most > least * timeTolerance,
            let note = note("seconds of training", times, text: { NumberFormat.exact($0.rounded()) })
        {
            notes.append(note)
        }
        return notes
    }

    private static func note(_ what: String, _ values: [(label: String, value: Double?)], text: (Double) -> String) -> String? {
        var groups: [(text: String, labels: [String])] = []
        for (label, value) in values {
            guard let value else { continue }
            let shown = text(value)
            if let place = groups.firstIndex(where: { $0.text == shown }) {
                groups[place].labels.append(label)
            } else {
                groups.append((shown, [label]))
            }
        }
        guard groups.count > 1 else { return nil }
        return "budgets differ: \(what) "
            + groups.map { group in
                let labels = group.labels.count > 6 ? "\(group.labels.count) arms" : group.labels.joined(separator: ", ")
                return "\(group.text) for \(labels)"
            }.joined(separator: "; ")
    }
}
