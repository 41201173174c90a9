import ArgumentParser
import Experiment
import Foundation
import Report
import Sweep

struct StudyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "study", abstract: "Put the runs of a sweep through a study.",
        discussion: """
              prologue study semantics Experiments/00-smoke/sweep.yaml
            """,
        subcommands: [Semantics.self])

    struct Semantics: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What do the tokens know? Probes, completions, information, attention.",
            discussion: """
                Runs the sweep with semantics.enabled = true: whatever its cells lack is made first, finished stages are
                reused. Prints the tables and writes the report.

                  prologue study semantics Experiments/00-smoke/sweep.yaml
                """)

        @OptionGroup var sweep: SweepCommand.FileOptions
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: TableOptions

        func run() async throws {
            let file = try sweep.load(adding: ["semantics.enabled=true"])
            Interruption.listen()
            let context = try store.context()
            let outcome = try SweepRunner(file, context).run()
            let results = try SweepResults(file, context)
            if let section = SemanticsSection(results) {
                for (heading, table) in section.tables {
                    if output.format == nil { print("\n\(heading)\n") }
                    output.show(table)
                }
            }
            let folder = context.store.directory.appendingPathComponent("reports/\(file.name)", isDirectory: true)
            let html = try SweepReport(file, results, in: context.store).write(to: folder)
            if output.format == nil { print("\nreport: \(html.path)") }
            try report(outcome)
        }
    }
}
