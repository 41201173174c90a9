import ArgumentParser
import Experiment
import Files
import Report
import RunStore
import Sweep

extension RunsCommand {
    struct Find: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "query", abstract: "Find runs by settings, scores, tags, dates: any condition, any order.",
            discussion: """
                Keys: run, sweep, cell, seed, status, created, message, seconds, host, …; config.KEY, metrics.NAME,
                seeds.NAME, stages.ROLE, tags.TAG, machine.KEY. docs/sweeps.md has the language.

                  prologue runs query "config.tokenizer.variant = 'prologue'"
                  prologue runs query "metrics.gfid.nocfg < 80 limit 20" --csv
                  prologue runs query "not (metrics.rfid is null)" --column config.prior.dim
                """)

        @Argument(help: "Condition, 'order by', 'limit'; each may be left out.") var query: String = ""
        @Option(help: "Show this key too; may be repeated. Those of the query are shown anyway.") var column: [String] = []
        @OptionGroup var store: StoreOptions
        @OptionGroup var archive: ArchiveOptions
        @OptionGroup var output: TableOptions

        func run() throws {
            let index = try RunsCommand.index(of: archive.existing(store))
            let query = try HistoryQuery(parsing: query, HistoryKeys(index))
            var columns = HistoryQuery.usualColumns
            for key in query.ownColumns + column where !columns.contains(key) { columns.append(key) }
            let rows = try query.rows(of: index, columns: columns)
            var table = Table(columns: columns, rows: rows)
            let runs = columns.firstIndex(of: "run").map { place in rows.compactMap { $0[place].stringValue } } ?? []
            if let note = try index.store.archiveNote(for: runs) { table.add(footnote: note) }
            output.show(table)
        }
    }

    struct SQL: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "sql", abstract: "Ask the index in SQL; it can only be read.",
            discussion: """
                Tables: runs, run_config, metrics, stages, stage_inputs, run_stages, artifacts, tags, notes; docs/store.md says
                what is in them.

                  prologue runs sql "SELECT id, status FROM runs WHERE sweep = 'quickstart'"
                  prologue runs sql "SELECT name, avg(value) FROM metrics GROUP BY name" --csv
                """)

        @Argument(help: "One SELECT statement.") var sql: String
        @Option(help: "Give up after so many seconds.") var timeout = 60.0
        @Option(help: "Give up beyond so many rows.") var mostRows = 1_000_000
        @OptionGroup var store: StoreOptions
        @OptionGroup var archive: ArchiveOptions
        @OptionGroup var output: TableOptions

        func validate() throws {
            guard timeout > 0, timeout < 1e9 else { throw ValidationError("--timeout must be a number of seconds above 0, not \(timeout)") }
            guard mostRows > 0 else { throw ValidationError("--most-rows must be at least 1, not \(mostRows)") }
        }

        func run() throws {
            let answer = try RunsCommand.index(of: archive.existing(store)).query(sql, limits: .init(seconds: timeout, rows: mostRows))
            guard !answer.columns.isEmpty else { throw InputError("the statement has no result; ask with SELECT") }
            output.show(Table(columns: answer.columns, rows: answer.rows))
        }
    }
}

extension Table {
    /// The result of a query as a table: a column whose values are all numbers is a column of numbers.
    init(columns: [String], rows: [[JSONValue]]) {
        var names: [String] = []
        for name in columns {
            // SQL allows two columns of one name.
            var (key, number) = (name, 2)
            while names.contains(key) { (key, number) = ("\(name)_\(number)", number + 1) }
            names.append(key)
        }
        self.init(
            columns: names.indices.map { column in
                var (numbers, texts, fractions) = (false, false, false)
                for row in rows {
                    switch row[column] {
                    case .int: numbers = true
                    case .number: (numbers, fractions) = (true, true)
                    case .string: texts = true
                    default: break
                    }
                }
                return numbers && !texts ? .number(names[column], decimals: fractions ? 4 : 0) : .text(names[column])
            })
        for row in rows {
            add(
                row.map { value in
                    value.intValue.map { .integer($0) } ?? value.doubleValue.map { .number($0) } ?? value.stringValue.map { .text($0) }
                        ?? (value == .null ? .missing : .text(value.canonical))
                })
        }
    }
}
