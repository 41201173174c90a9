import ArgumentParser
import Evaluation
import Experiment
import Files
import Foundation
import Metrics
import Report
import RunStore
import Sweep

extension RunsCommand {
    struct Best: ParsableCommand {
        enum Unit: String, ExpressibleByArgument, CaseIterable { case run, arm }

        static let configuration = CommandConfiguration(
            abstract: "List the best runs by a score, or the best arms by its mean over seeds.",
            discussion: """
                Which end of a score is good is known. Runs that share the stage that measured it are listed once.

                  prologue runs best gfid.nocfg
                  prologue runs best gfid.nocfg --by arm --where "sweep = 'quickstart'"
                  prologue runs best gfid.nocfg --open
                """)

        @Argument(help: "A score, such as gfid.nocfg.", completion: .metrics) var metric: String
        @Option(help: "Compare runs, or arms: runs that share all but the seed.") var by = Unit.run
        @Option(name: .customLong("where"), help: "Only runs that meet a condition, as in 'runs query'.") var condition: String?
        @Option(help: "How many are listed.") var limit = 10
        @Flag(help: "Open the report of the best one's sweep, or a picture of it where there is no report.") var open = false
        @OptionGroup var store: StoreOptions
        @OptionGroup var archive: ArchiveOptions
        @OptionGroup var output: TableOptions

        func validate() throws {
            if limit < 1 { throw ValidationError("--limit must be at least 1, not \(limit)") }
        }

        func run() throws {
            let store = try archive.existing(store)
            let index = try RunsCommand.index(of: store)
            let name = MetricName.given(metric)
            let keys = try HistoryKeys(index)
            let condition = condition.map { "(\($0)) and " } ?? ""
            let order = name.measure.better == .higher ? "desc" : "asc"
            // An unknown score is named with its nearest one here.
            let query = try HistoryQuery(
                parsing: "\(condition)metrics.\(metric) is not null order by metrics.\(metric) \(order)", keys)
            guard name.measure.better != nil else {
                throw InputError("\(metric): neither end of this score is the good one, so that there is no best")
            }
            var best = try by == .run ? runs(query, index) : arms(query, index, name)
            if let note = try store.archiveNote(for: store.knownRunIDs()) { best.table.add(footnote: note) }
            output.show(best.table)
            if open, let first = best.first { try show(first, in: store) }
        }

        private func runs(_ query: HistoryQuery, _ index: RunIndex) throws -> (table: Table, first: String?) {
            var table = Table(columns: [
                .text("run"), .text("sweep"), .text("cell"), .number("seed", decimals: 0), .number(metric, decimals: 3), .text("status"),
            ])
            var seen: Set<JSONValue> = []
            var first: String?
            for row in try query.rows(of: index, columns: ["run", "sweep", "cell", "seed", "metrics.\(metric)", "status"]) {
                guard table.rows.count < limit else { break }
                let id = row[0].stringValue ?? ""
                let stage = try index.metrics(for: id).first { MetricName($0.name).isMeant(by: metric) }?.stage
                guard seen.insert(.string(stage ?? id)).inserted else { continue }
                first = first ?? id
                table.add([
                    .text(id), .text(row[1].stringValue ?? ""), .text(row[2].stringValue ?? ""), .number(row[3].intValue ?? 0),
                    .number(row[4].doubleValue), .text(row[5].stringValue ?? ""),
                ])
            }
            return (table, first)
        }

        private func arms(_ query: HistoryQuery, _ index: RunIndex, _ name: MetricName) throws -> (table: Table, first: String?) {
            let results = try SweepResults(query, of: index, named: "runs")
            let score = try results.metricName(metric)
            let measured = results.arms.compactMap { arm in Estimate(of: arm.values(score).map(\.value)).map { (arm: arm, estimate: $0) } }
            let sorted = measured.sorted {
                name.measure.better == .higher ? $0.estimate.mean > $1.estimate.mean : $0.estimate.mean < $1.estimate.mean
            }
            var table = Table(columns: [.text("arm"), .text("sweeps"), .number(metric, decimals: name.measure.decimals), .text("runs")])
            for (arm, estimate) in sorted.prefix(limit) {
                let sweeps = Set(arm.runs.compactMap { $0.value(of: "sweep")?.stringValue }).sorted()
                table.add([
                    .text(arm.label), .text(sweeps.joined(separator: " ")), .estimate(estimate),
                    .text(arm.runs.map(\.id).joined(separator: " ")),
                ])
            }
            return (table, sorted.first?.arm.runs.first?.id)
        }

        private func show(_ run: String, in store: Store) throws {
            let record = try store.run(run)
            let report = store.directory.appendingPathComponent("reports/\(record.sweep)/report.html")
            let pictures = try store.artifacts(ofRun: run).map { store.directory.appendingPathComponent($0.path) }
            guard let file = ([report] + pictures).first(where: { FileManager.default.fileExists(atPath: $0.path) }) else {
                throw InputError("\(run) has neither a report nor pictures; 'prologue report' writes a report of its sweep")
            }
            let opener = Process()
            opener.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            opener.arguments = ["xdg-open", file.path]
            opener.standardError = FileHandle.nullDevice
            try opener.run()
            opener.waitUntilExit()
            // Without a desktop there is nothing that opens it.
            print(opener.terminationStatus == 0 ? "opened \(file.path)" : "to be opened: \(file.path)")
        }
    }

    struct Cost: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add up what sweeps took: hours and FLOPs, each stage once.",
            discussion: """
                Stages that several runs of a sweep share are counted once, and once in the last line where several sweeps do.

                  prologue runs cost
                  prologue runs cost --json
                """)

        @OptionGroup var store: StoreOptions
        @OptionGroup var archive: ArchiveOptions
        @OptionGroup var output: TableOptions

        func run() throws {
            let store = try archive.existing(store)
            let answer = try RunsCommand.index(of: store).query(
                """
                WITH used AS (
                    SELECT DISTINCT sweep, stage_id FROM run_parts JOIN runs ON runs.number = run_parts.run),
                facts AS (
                    SELECT id, wall_seconds, json_extract(summary_json, '$.flops') AS flops,
                        (SELECT count(*) FROM used WHERE stage_id = id) AS sweeps
                    FROM stages WHERE status = 'done')
                SELECT sweep, (SELECT count(*) FROM runs WHERE runs.sweep = used.sweep), count(*), sum(wall_seconds), sum(flops),
                    sum(CASE WHEN sweeps > 1 THEN wall_seconds ELSE 0 END)
                FROM used JOIN facts ON facts.id = stage_id GROUP BY sweep
                UNION ALL SELECT NULL, (SELECT count(*) FROM runs), count(*), sum(wall_seconds), sum(flops), NULL
                FROM facts WHERE sweeps > 0
                """)
            var table = Table(columns: [
                .text("sweep"), .number("runs", decimals: 0), .number("stages", decimals: 0),
                .number("time", key: "hours", unit: "h", decimals: 3),
                .number("work", key: "tflops", unit: "TFLOP", decimals: 3),
                .number("of stages that other sweeps use too", key: "shared_hours", unit: "h", decimals: 3),
            ])
            for row in answer.rows {
                table.add([
                    .text(row[0].stringValue ?? "all, each stage once"), .number(row[1].intValue ?? 0), .number(row[2].intValue ?? 0),
                    .number(row[3].doubleValue.map { $0 / 3600 }), .number(row[4].doubleValue.map { $0 / 1e12 }),
                    .number(row[5].doubleValue.map { $0 / 3600 }),
                ])
            }
            if let note = try store.archiveNote(for: store.knownRunIDs()) { table.add(footnote: note) }
            output.show(table)
        }
    }
}
