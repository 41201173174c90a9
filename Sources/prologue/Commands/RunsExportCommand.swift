import ArgumentParser
import Experiment
import Files
import Foundation
import Report
import RunStore

extension RunsCommand {
    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write runs for other tools: a table of settings and scores, or TensorBoard event files.",
            discussion: """
                The table has a row a run, a column a setting (those that differ among the runs) and a column a score.

                  prologue runs export --where "sweep = 'quickstart'" --csv > runs.csv
                  prologue runs export --where "tags.paper" --all-settings --json
                  prologue runs export --tensorboard events quickstart-prologue-s0
                """)

        @Argument(help: ArgumentHelp("Runs, or the beginnings of their ids (default: all).", valueName: "run"), completion: .runs)
        var names: [String] = []
        @Option(name: .customLong("where"), help: "The runs that a query finds, as in 'runs query'.") var query: String?
        @Flag(help: "All settings, also those that are the same in all the runs.") var allSettings = false
        @Option(help: ArgumentHelp("Write event files below this folder instead.", valueName: "folder"))
        var tensorboard: String?
        @OptionGroup var store: StoreOptions
        @OptionGroup var archive: ArchiveOptions
        @OptionGroup var output: TableOptions

        func validate() throws {
            if query != nil, !names.isEmpty { throw ValidationError("either runs or --where, not both") }
            if tensorboard != nil, output.format != nil {
                throw ValidationError("--tensorboard writes event files; it goes with no --json, --csv, --markdown, --latex")
            }
        }

        func run() throws {
            let store = try archive.existing(store)
            let index = try RunsCommand.index(of: store)
            var text = query ?? ""
            if !names.isEmpty {
                let ids = try names.map(store.runID(matching:))
                text = "run in (\(ids.map { "'\($0.replacing("'", with: "''"))'" }.joined(separator: ", ")))"
            }
            let query = try HistoryQuery(parsing: text, HistoryKeys(index))
            guard let tensorboard else {
                let (columns, rows) = try query.wideTable(of: index, allSettings: allSettings)
                return output.show(Table(columns: columns, rows: rows))
            }
            let folder = URL(fileURLWithPath: tensorboard, isDirectory: true)
            let found = try query.rows(of: index, columns: ["run"]).compactMap { $0[0].stringValue }
            guard !found.isEmpty else { throw InputError("no run to export: \(self.query ?? "the store has none")") }
            var count = 0
            for run in found { count += try store.exportTensorBoard(run: run, to: folder).count }
            print("\(found.count) runs, \(count) event files below \(folder.path)")
        }
    }
}
