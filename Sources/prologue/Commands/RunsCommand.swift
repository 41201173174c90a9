import ArgumentParser
import Files
import Foundation
import Report
import RunStore

struct RunsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runs", abstract: "Look up runs and what they found.",
        discussion: """
              prologue runs list --tag paper
              prologue runs show quickstart-prologue-s0
              prologue runs sql "SELECT run_id, value FROM metrics WHERE name LIKE 'gfid%' ORDER BY value"
            """,
        subcommands: [List.self, Show.self, Tag.self, Query.self, Reindex.self])

    /// The index of a store; what it has to say about its own state goes to standard error.
    static func index(of store: Store) throws -> RunIndex {
        try RunIndex(store) { line in FileHandle.standardError.write(Data("index: \(line)\n".utf8)) }
    }

    struct Tag: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give runs names to find them by.",
            discussion: """
                  prologue runs tag quickstart-prologue-s0 paper figure-2
                  prologue runs tag quickstart-prologue-s0 figure-2 --remove
                """)

        @Argument(help: ArgumentHelp("Run, or the beginning of its id.", valueName: "run")) var name: String
        @Argument(help: "Tags.") var tags: [String]
        @Flag(help: "Take the tags away.") var remove = false
        @OptionGroup var store: StoreOptions

        func run() throws {
            let store = try store.existing()
            let id = try store.runID(matching: name)
            try store.annotate(run: id) { annotations in
                if remove { annotations.tags.subtract(tags) } else { annotations.tags.formUnion(tags) }
            }
            try RunsCommand.index(of: store).refresh(run: id)
            let all = try store.annotations(ofRun: id).tags.sorted().joined(separator: ", ")
            print("\(id): \(all.isEmpty ? "no tags" : all)")
        }
    }

    struct Reindex: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make the index again from the store's files.",
            discussion: """
                  prologue runs reindex --store results/store
                """)

        @OptionGroup var store: StoreOptions

        func run() throws {
            let store = try store.existing()
            try RunsCommand.index(of: store).reindex()
            print("\(store.runIDs().count) runs, \(store.stageIDs().count) stages")
        }
    }

    struct Query: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "sql", abstract: "Ask the index in SQL; it can only be read.",
            discussion: """
                Tables: runs, run_config, metrics, stages, stage_inputs, run_stages, artifacts, tags, notes.

                  prologue runs sql "SELECT id, status FROM runs WHERE sweep = 'quickstart'"
                  prologue runs sql "SELECT name, avg(value) FROM metrics GROUP BY name" --csv
                """)

        @Argument(help: "One SELECT statement.") var sql: String
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: TableOptions

        func run() throws {
            let answer = try RunsCommand.index(of: store.existing()).query(sql)
            guard !answer.columns.isEmpty else { throw InputError("the statement has no result; ask with SELECT") }
            output.show(table(answer))
        }

        private func table(_ answer: RunIndex.Table) -> Table {
            var names: [String] = []
            for name in answer.columns {
                // SQL allows two columns of one name.
                var (key, number) = (name, 2)
                while names.contains(key) { (key, number) = ("\(name)_\(number)", number + 1) }
                names.append(key)
            }
            var table = Table(columns: names.indices.map { column in
                let values = answer.rows.map { $0[column] }
                let isNumber = values.contains { $0.doubleValue != nil } && values.allSatisfy { $0.stringValue == nil }
                let isWhole = values.allSatisfy { if case .number = $0 { false } else { true } }
                return isNumber ? .number(names[column], decimals: isWhole ? 0 : 4) : .text(names[column])
            })
            for row in answer.rows {
                table.add(row.map { value in
                    value.doubleValue.map { .number($0) } ?? value.stringValue.map { .text($0) } ?? .missing
                })
            }
            return table
        }
    }
}
