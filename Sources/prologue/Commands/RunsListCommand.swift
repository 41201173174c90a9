import ArgumentParser
import Files
import Foundation
import Report
import RunStore

extension RunStore.Status.State: ExpressibleByArgument {}

extension RunsCommand {
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List runs, newest first.",
            discussion: """
                  prologue runs list --sweep quickstart --status done
                  prologue runs list --tag paper --limit 20 --json
                """)

        @Option(help: "Only runs of this sweep.", completion: .sweeps) var sweep: String?
        @Option(help: "Only runs in this state.") var status: RunStore.Status.State?
        @Option(help: "Only runs with this tag.") var tag: String?
        @Option(help: "At most so many; 0 for all.") var limit = 100
        @OptionGroup var store: StoreOptions
        @OptionGroup var archive: ArchiveOptions
        @OptionGroup var output: TableOptions

        func validate() throws {
            if limit < 0 { throw ValidationError("--limit must be at least 0, not \(limit)") }
        }

        func run() throws {
            let index = try RunsCommand.index(of: archive.existing(store))
            // One more than asked for tells whether there are more.
            let found = try index.runs(
                RunIndex.Filter(
                    sweep: sweep, states: status.map { [$0] }, tag: tag, limit: limit == 0 ? nil : limit + 1))
            let runs = limit == 0 ? found[...] : found.prefix(limit)
            var table = Table(columns: [
                .text("run"), .text("sweep"), .text("cell"), .number("seed", decimals: 0), .state("status"),
                .text("created"), .text("tags"), .text("message"),
            ])
            for run in runs {
                table.add([
                    .text(run.id), .text(run.sweep), .text(run.cell), .number(run.seed), .text(run.state.rawValue),
                    .text(run.created), .text(run.tags.joined(separator: " ")), .text(run.message),
                ])
            }
            if let note = try index.store.archiveNote(for: runs.map(\.id)) { table.add(footnote: note) }
            output.show(table)
            if found.count > runs.count {
                complain("the newest \(limit); there are more: --limit 0 shows all")
            }
        }
    }
}
