import ArgumentParser
import Files
import Foundation
import RunStore

struct RunsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runs", abstract: "Look up runs and what they found.",
        discussion: """
              prologue runs list --tag paper
              prologue runs show quickstart-prologue-s0
              prologue runs query "metrics.gfid.nocfg < 80 order by metrics.gfid.nocfg"
              prologue runs best gfid.nocfg --by arm
              prologue runs diff quickstart-baseline-2d-s0 quickstart-prologue-s0
              prologue runs sql "SELECT run_id, value FROM metrics WHERE name LIKE 'gfid%'"
            """,
        subcommands: [
            List.self, Show.self, Find.self, Best.self, Diff.self, Lineage.self, Curves.self, Cost.self, Tag.self, Note.self,
            Export.self, Archive.self, Remove.self, SQL.self, Reindex.self,
        ])

    /// The index of a store; what it has to say about its own state goes to standard error.
    static func index(of store: Store) throws -> RunIndex {
        try RunIndex(store) { line in complain("index: \(line)") }
    }

    struct Reindex: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make the index again from the store's files.",
            discussion: """
                  prologue runs reindex
                """)

        @OptionGroup var store: StoreOptions

        func run() throws {
            let store = try store.existing()
            try RunsCommand.index(of: store).reindex()
            print("\(try store.runIDs().count) runs, \(try store.stageIDs().count) stages")
        }
    }
}
