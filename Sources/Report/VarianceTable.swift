import Evaluation
import Experiment
import Files
import Metrics

/// How much of a score's variance comes from the seeds of tokenizer, prior, sampler and feature network: what `compare --variance`
/// prints. A design tells them apart where each tokenizer has several priors, and each prior several samplers; scores in several
/// feature networks tell the network's share.
public struct VarianceTable {
    public let table: Table

    private static let levels = ["tokenizer", "prior", "sampler"]

    /// - Parameter metrics: names, with or without feature space; empty: those that are usually compared.
    /// - Throws: `InputError` where a score is unknown, or nothing varies.
    public init(_ results: SweepResults, metrics: [String]) throws {
        var table = Table(columns: [
            .text("score", key: "metric"), .text("seed of", key: "component"), .number("df", decimals: 0),
            .number("variance", decimals: 4), .number("sd", decimals: 3), .number("share", decimals: 2),
            .number("95 % low", key: "low", decimals: 2), .number("95 % high", key: "high", decimals: 2),
        ])
        let scores = results.scores
        for given in metrics where !scores.contains(where: { $0.isMeant(by: given) }) { _ = try results.metricName(given) }
        let wanted =
            metrics.isEmpty ? scores.filter { [.rfid, .gfid, .priorGap].contains($0.measure) && $0.place == nil }.map(\.short) : metrics
        var notes: [String] = []
        for given in wanted.uniqued() {
            let names = scores.filter { $0.isMeant(by: given) }
            // A feature network that only some runs have tells nothing of the others.
            let common = names.filter { name in
                results.arms.allSatisfy { arm in arm.runs.allSatisfy { $0.metrics[name.text]?.value != nil || $0.metrics.isEmpty } }
            }
            let used = common.isEmpty ? names.prefix(1) : common[...]
            let (observations, left) = Self.observations(results.arms, used.map(\.text))
            guard let found = NestedVariance(observations, levels: Self.levels, crossed: "features") else {
                notes.append("\(given): nothing varies, or too few runs")
                continue
            }
            for component in found.components {
                table.add([
                    .text(used[0].short), .text(component.name == "rest" ? "rest (network × run)" : component.name),
                    .number(component.degreesOfFreedom), .number(component.variance), .number(component.variance.squareRoot()),
                    .number(component.share), .number(component.interval.low), .number(component.interval.high),
                ])
            }
            if !found.fixed.isEmpty { notes.append("\(given): one \(found.fixed.joined(separator: ", ")) only, whose share is not known") }
            if left > 0 { notes.append("\(given): \(left) runs without it left out") }
        }
        guard !table.rows.isEmpty else {
            throw InputError(notes.isEmpty ? "no run has a score to take apart" : notes.joined(separator: "; "))
        }
        table.add(
            footnote: "nested random effects within arms, by expected mean squares; 95 % intervals of shares by generalised confidence. "
                + "a + b: the design does not vary the two apart")
        for note in notes { table.add(footnote: note) }
        self.table = table
    }

    private static func observations(
        _ arms: [SweepResults.Arm], _ names: [String]
    ) -> (found: [NestedVariance.Observation], left: Int) {
        var (found, left): ([NestedVariance.Observation], Int) = ([], 0)
        for arm in arms {
            for run in arm.runs {
                let values = names.compactMap { run.metrics[$0]?.value }
                guard values.count == names.count else {
                    left += 1
                    continue
                }
                found.append(
                    .init(
                        group: arm.label, path: levels.map { run.settings["seeds.\($0)"]?.canonical ?? "\(run.seed)" }, values: values))
            }
        }
        return (found, left)
    }
}
