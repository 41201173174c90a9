import ArgumentParser
import Experiment
import Files
import Foundation
import Report
import RunStore
import Sweep

extension SweepCommand {
    struct Status: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show how far each cell of a sweep is, also while it runs.",
            discussion: """
                A run whose process was killed is shown as interrupted; 'prologue sweep run' goes on with it. With --watch \
                the table is drawn again in place until nobody works on the sweep; with --watch --json each is one line.

                  prologue sweep status sweep.yaml
                  prologue sweep status sweep.yaml --watch
                  prologue sweep status sweep.yaml --json

                Workers that Slurm has are listed below the table, with why it holds them.
                """)

        @OptionGroup var sweep: FileOptions
        @Flag(help: "Show it again and again while somebody works on the sweep.") var watch = false
        @Option(help: "Seconds between two looks with --watch.") var every = 2.0
        @OptionGroup var store: StoreOptions
        @OptionGroup var archive: ArchiveOptions
        @OptionGroup var output: TableOptions

        func validate() throws {
            guard every >= 0.1, every <= 86_400 else { throw ValidationError("--every must be 0.1 to 86400, not \(every)") }
        }

        func run() throws {
            let file = try sweep.load()
            let store = try archive.attached(to: Store(directory: store.directory), beside: sweep.file)
            func look() throws -> (SweepStatus, SweepWorkers) {
                (try SweepStatus(of: file, in: store), SweepWorkers(of: file.name, in: store))
            }
            guard watch else {
                let (status, workers) = try look()
                return show(status, workers)
            }
            var redraw = Redraw()
            while true {
                let (status, workers) = try look()
                if output.format == .json {
                    print(Self.json(status, workers).canonical)
                } else if output.format == nil, Terminal.canRedraw {
                    redraw.show(text(status, workers))
                } else {
                    show(status, workers)
                }
                if !(status.isUnderWay || workers.isUnderWay) || StandardOutput.isBroken { return }
                Thread.sleep(forTimeInterval: every)
            }
        }

        private func show(_ status: SweepStatus, _ workers: SweepWorkers) {
            output.format == nil
                ? print(text(status, workers), terminator: "")
                : output.show(Self.table(status, workers), json: Self.json(status, workers))
        }

        private func text(_ status: SweepStatus, _ workers: SweepWorkers) -> String {
            store.quiet ? Self.sentence(status.overall) + "\n" : Self.table(status, workers).forTerminal
        }

        /// Who works on a stage is said where that is not this machine alone.
        static func table(_ status: SweepStatus, _ workers: SweepWorkers) -> Table {
            let here = Machine.current().host
            let isElsewhere = status.cells.contains { $0.work.contains { $0.owner.map { $0.host != here } ?? false } }
            let worker: [Table.Column] = isElsewhere ? [.text("worker")] : []
            var table = Table(
                columns: [
                    .text("cell"), .state("state"), .text("stages", alignment: .right), .text("at"),
                    .text("step", alignment: .right), .number("rate", unit: "1/s", decimals: 1),
                    .text("time left", alignment: .right),
                ] + worker + [.text("values")])
            for cell in status.cells {
                let stages = cell.stages.map { "\(cell.stagesDone ?? 0)/\($0)" }
                if cell.work.isEmpty {
                    table.add(
                        [
                            .text(cell.shortName), .text(cell.state.rawValue), text(stages), .missing, .missing, .missing, .missing,
                        ] + worker.map { _ in .missing } + [.text(words(of: cell))])
                }
                for (line, work) in cell.work.enumerated() {
                    // The loss and a few of its parts; all of them with --json.
                    let names = work.values.keys.sorted { ($0 == "loss" ? 0 : 1, $0) < ($1 == "loss" ? 0 : 1, $1) }
                    let values = names.prefix(4)
                        .map { "\($0) \(String(format: "%.4g", work.values[$0] ?? .nan))" }.joined(separator: ", ")
                    table.add(
                        [
                            .text(line == 0 ? cell.shortName : ""), .text(line == 0 ? cell.state.rawValue : ""),
                            text(line == 0 ? stages : nil), .text(work.role),
                            .text(work.steps.map { "\(work.step)/\($0)" } ?? "\(work.step)"), .number(work.rate),
                            text(work.secondsLeft.map(Units.time)),
                        ] + worker.map { _ in text(work.owner?.description) } + [.text(values.isEmpty ? words(of: cell) : values)])
                }
            }
            let counts = RunStore.Status.State.allCases.compactMap { state in
                status.counts[state].map { "\($0) \(state.rawValue)" }
            }
            for note in status.notes + workers.notes + workers.lines { table.add(footnote: note) }
            table.add(footnote: counts.joined(separator: ", "))
            table.add(footnote: sentence(status.overall))
            if let note = status.note { table.add(footnote: note) }
            return table
        }

        /// The sweep as a whole in a line.
        static func sentence(_ overall: SweepProgress) -> String {
            var parts = ["\(overall.done) of \(overall.stages) stages done"]
            if overall.unknownRuns > 0 { parts.append("\(overall.unknownRuns) runs not begun, with stages of their own") }
            if let elapsed = overall.elapsed { parts.append("\(Units.time(elapsed)) elapsed") }
            if overall.done < overall.stages {
                parts.append(overall.secondsLeft.map { "about \(Units.time($0)) left" } ?? "time left unknown")
            }
            return parts.joined(separator: ", ")
        }

        /// What there is to say of a cell that shows no numbers.
        private static func words(of cell: SweepStatus.Cell) -> String {
            let lost = Dictionary(grouping: cell.skipped.keys, by: { cell.skipped[$0] ?? "" }).sorted { $0.key < $1.key }
                .map { "skipped because of \($0.key): \($0.value.sorted().joined(separator: ", "))" }
            return ([cell.message] + lost).filter { !$0.isEmpty }.joined(separator: "; ")
        }

        private static func text(_ text: String?) -> Table.Cell { text.map(Table.Cell.text) ?? .missing }

        private static func json(_ status: SweepStatus, _ workers: SweepWorkers) -> JSONValue {
            [
                "sweep": .string(status.sweep), "archive": status.note.map(JSONValue.string) ?? .null,
                "notes": .array((status.notes + workers.notes).map { .string($0) }), "workers": workers.json,
                "cells": .array(
                    status.cells.map { cell in
                        var members: [String: JSONValue] = [
                            "cell": .string(cell.name), "run": .string(cell.run), "state": .string(cell.state.rawValue),
                            "stages_done": int(cell.stagesDone), "stages": int(cell.stages), "message": .string(cell.message),
                            "skipped": .object(cell.skipped.mapValues { .string($0) }),
                            "work": .array(cell.work.map { .object(json($0)) }),
                        ]
                        // The first of them also by itself, for readers that want one.
                        members.merge(cell.work.first.map { json($0) } ?? nothing) { own, _ in own }
                        return .object(members)
                    }),
                "overall": [
                    "stages_done": .int(status.overall.done), "stages": .int(status.overall.stages),
                    "unknown_runs": .int(status.overall.unknownRuns), "elapsed_seconds": number(status.overall.elapsed),
                    "seconds_left": number(status.overall.secondsLeft),
                ],
                "counts": .object(
                    Dictionary(status.counts.map { ($0.key.rawValue, .int($0.value)) }, uniquingKeysWith: { $1 })),
            ]
        }

        private static func json(_ work: SweepStatus.Work) -> [String: JSONValue] {
            [
                "at": .string(work.role), "step": .int(work.step), "steps": int(work.steps), "rate": number(work.rate),
                "seconds_left": number(work.secondsLeft), "values": .object(work.values.mapValues { .number($0) }),
                "worker": work.owner.map { .string($0.description) } ?? .null,
            ]
        }

        private static let nothing: [String: JSONValue] = [
            "at": .null, "step": .null, "steps": .null, "rate": .null, "seconds_left": .null, "values": [:], "worker": .null,
        ]

        private static func number(_ value: Double?) -> JSONValue { value.map(JSONValue.number) ?? .null }
        private static func int(_ value: Int?) -> JSONValue { value.map(JSONValue.int) ?? .null }
    }
}
