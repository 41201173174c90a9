import Experiment
import Files
import Metrics

/// Every value that a comparison is made from, a row a run: with them each of its numbers can be computed again elsewhere.
enum ComparisonSeeds {
    private static let seeds = ["tokenizer", "prior", "sampler"]

    /// - Parameter scores: names of scores, each with the columns' protocols that are told apart.
    static func table(_ arms: [SweepResults.Arm], _ names: [String]) -> Table {
        let commits = Set(arms.flatMap { $0.runs.flatMap { Self.commits($0) } })
        var table = Table(
            columns: [
                .text("arm"), .text("baseline"), .text("run"), .text("seed"),
            ] + seeds.map { .text("seed of \($0)", key: "seeds.\($0)") } + [.text("code")]
                + names.map { .number($0, decimals: MetricName($0).measure.decimals) })
        for arm in arms {
            for run in arm.runs {
                table.add(
                    [.text(arm.label), .text(arm.isBaseline ? "yes" : "no"), .text(run.id), .text(String(run.seed))]
                        + seeds.map { .text(run.settings["seeds.\($0)"]?.canonical ?? "") }
                        + [.text(Self.commits(run).joined(separator: " "))] + names.map { .number(run.metrics[$0]?.value) })
            }
        }
        if commits.count > 1 {
            table.add(footnote: "the runs were made by several versions of the code: \(commits.sorted().joined(separator: ", "))")
        }
        return table
    }

    /// The versions of the code that made a run's stages.
    static func commits(_ run: SweepResults.Run) -> [String] {
        Set(run.stages.values.compactMap { $0.record?.codeVersion.shown }).sorted()
    }
}
