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
                Adds the studies to the runs of the sweep: whatever its cells lack is made first, finished stages are reused.
                They belong to the runs from then on. Prints the tables and writes the report. --output writes the studies' own tables (CSV), text
                (Markdown) and figures to a folder besides.

                  prologue study semantics Experiments/00-smoke/sweep.yaml
                  prologue study semantics sweep.yaml --workers 2 --output results/my-study
                """)

        @OptionGroup var sweep: SweepCommand.FileOptions
        @Option(name: .customLong("output"), help: "Folder for the studies' tables, text and figures.", completion: .directory)
        var folder: String?
        @OptionGroup var workforce: WorkforceOptions
        @OptionGroup var store: StoreOptions
        @OptionGroup var archive: ArchiveOptions
        @OptionGroup var output: TableOptions

        func run() async throws {
            let (file, studied) = (try sweep.load(leavingOut: "semantics"), try sweep.load(adding: ["semantics.enabled=true"]))
            Interruption.listen()
            let context = try store.context(
                threads: workforce.choice.threads, device: workforce.device.choice, archive: archive, beside: sweep.file)
            let outcome = try workforce.run(SweepRunner(file, context, studies: studied.cells.map(\.settings.semantics)), context)
            let results = try SweepResults(file, in: context.store)
            if let section = SemanticsSection(results, in: context.store) {
                if let folder { try section.write(to: URL(fileURLWithPath: folder, isDirectory: true), title: file.name) }
                for (heading, table) in section.tables {
                    if output.format == nil { print("\n\(heading)\n") }
                    output.show(table)
                }
            }
            let folder = context.store.directory.appendingPathComponent("reports/\(file.name)", isDirectory: true)
            let html = try SweepReport(file, results, in: context.store).write(to: folder)
            if output.format == nil { print("\nreport: \(html.path)") }
            try report(outcome, isQuiet: store.quiet)
        }
    }
}
