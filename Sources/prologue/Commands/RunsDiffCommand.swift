import ArgumentParser
import Experiment
import Files
import Metrics
import Report
import RunStore

extension RunsCommand {
    struct Diff: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show in what runs differ: settings, seeds, code, machine, scores and their protocols.",
            discussion: """
                  prologue runs diff quickstart-baseline-2d-s0 quickstart-prologue-s0
                """)

        @Argument(help: ArgumentHelp("Two runs or more, or the beginnings of their ids.", valueName: "run"), completion: .runs)
        var names: [String]
        @OptionGroup var store: StoreOptions
        @OptionGroup var archive: ArchiveOptions
        @OptionGroup var output: TableOptions

        func validate() throws {
            if names.count < 2 { throw ValidationError("a difference is between two runs or more, not \(names.count)") }
        }

        func run() throws {
            let store = try archive.existing(store)
            let ids = try names.map(store.runID(matching:))
            if let twice = ids.first(where: { id in ids.count { $0 == id } > 1 }) {
                throw InputError("'\(twice)' is named twice: \(names.joined(separator: ", "))")
            }
            let difference = try RunDifference(ids, in: store)
            var table = Table(columns: [.text("key")] + ids.map { .text($0) })
            for row in difference.rows {
                table.add(
                    [.text(row.key)]
                        + row.values.map { value in
                            guard let value, value != .null else { return .missing }
                            return .text(value.stringValue ?? value.canonical)
                        })
            }
            if difference.rows.isEmpty { table.add(footnote: "no difference in settings, seeds, code, machine or scores") }
            output.show(table, json: json(difference))
        }

        /// Values with their JSON types; the table shows all of them as texts.
        private func json(_ difference: RunDifference) -> JSONValue {
            .array(
                difference.rows.map { row in
                    let values = zip(difference.runs, row.values).map { ($0, $1 ?? .null) }
                    return ["key": .string(row.key), "values": .object(Dictionary(uniqueKeysWithValues: values))]
                })
        }
    }

    struct Lineage: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what a run, a score or a stage was made from, and who uses it.",
            discussion: """
                Of a run: its stages, or those behind one score, what each was made from, and how many other runs use it.
                Of a stage: what it was made from, what was made from it, and the runs that use it.

                  prologue runs lineage quickstart-prologue-s0 --metric gfid.nocfg
                  prologue runs lineage quickstart-prologue-s0
                """)

        @Argument(help: ArgumentHelp("Run or stage, or the beginning of its id.", valueName: "id"), completion: .runsAndStages) var name:
            String
        @Option(help: "Only the stages behind this score of a run.", completion: .metrics) var metric: String?
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: TableOptions

        func run() throws {
            let store = try store.existing()
            let index = try RunsCommand.index(of: store)
            let stages = try store.stageIDs().filter { $0.hasPrefix(name) }
            if stages.count == 1 || stages.contains(name) {
                let stage = stages.contains(name) ? name : stages[0]
                guard metric == nil else { throw InputError("--metric is for runs; '\(stage)' is a stage") }
                return try show(stage: stage, index)
            }
            guard stages.isEmpty else {
                throw InputError(
                    "'\(name)' begins the names of \(stages.count) stages: "
                        + stages.prefix(8).joined(separator: ", ") + (stages.count > 8 ? ", …" : ""))
            }
            try show(run: store.run(runIDOrStageHint(store)), index)
        }

        private func runIDOrStageHint(_ store: Store) throws -> String {
            do { return try store.runID(matching: name) } catch let error as InputError {
                let hint = try nearest(to: name, among: store.stageIDs()).map { "; or the stage '\($0)'?" } ?? ""
                throw InputError("\(error.message)\(hint)")
            }
        }

        private func show(run: RunRecord, _ index: RunIndex) throws {
            var stages = Set(run.stages.values)
            if let metric {
                let names = try index.metrics(for: run.id)
                let name = try MetricName.find(metric, among: Set(names.map { MetricName($0.name) }), of: "\(run.id): no stage").text
                let own = names.filter { $0.name == name }.map(\.stage)
                stages = Set(own + (try own.flatMap { try index.ancestors(of: $0) }))
            } else {
                for stage in stages { stages.formUnion(try index.ancestors(of: stage)) }
            }
            let roles = Dictionary(run.stages.map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
            var table = Table(columns: [
                .text("stage"), .text("role"), .state("state"), .text("made from"), .number("other runs", decimals: 0),
            ])
            for line in try lines(stages, index) {
                let others = try index.runs(using: line.id).filter { $0 != run.id }
                table.add([
                    .text(line.id), .text(roles[line.id] ?? ""), .text(line.status), .text(line.inputs),
                    .number(others.count),
                ])
            }
            output.show(table)
        }

        private func show(stage: String, _ index: RunIndex) throws {
            var table = Table(columns: [.text("relation"), .text("id"), .state("state"), .text("made from")])
            func add(_ relation: String, _ stages: Set<String>) throws {
                for line in try lines(stages, index) {
                    table.add([.text(relation), .text(line.id), .text(line.status), .text(line.inputs)])
                }
            }
            try add("made from", Set(index.ancestors(of: stage)))
            try add("this stage", [stage])
            try add("made into", Set(index.descendants(of: stage)))
            let runs = try index.runs(using: stage)
            for run in try index.query(
                "SELECT id, status FROM runs WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
                [.array(runs.map { .string($0) })]
            ).rows {
                table.add([.text("used by run"), .text(run[0].stringValue ?? ""), .text(run[1].stringValue ?? ""), .missing])
            }
            output.show(table)
        }

        /// Stages in the order they were made.
        private func lines(_ stages: Set<String>, _ index: RunIndex) throws -> [(id: String, status: String, inputs: String)] {
            try index.query(
                """
                SELECT id, status, (SELECT group_concat(input_id, ', ') FROM stage_inputs WHERE stage_id = id)
                FROM stages WHERE id IN (SELECT value FROM json_each(?)) ORDER BY finished IS NULL, finished, id
                """, [.array(stages.sorted().map { .string($0) })]
            ).rows.map { ($0[0].stringValue ?? "", $0[1].stringValue ?? "", $0[2].stringValue ?? "") }
        }
    }
}
