import ArgumentParser
import Experiment
import Files
import Foundation
import Report
import RunStore

extension SweepCommand {
    struct Status: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show how far each cell of a sweep is, also while it runs.",
            discussion: """
                A run whose process was killed is shown as interrupted; 'prologue sweep run' goes on with it.

                  prologue sweep status sweep.yaml
                  prologue sweep status sweep.yaml --json
                """)

        @OptionGroup var sweep: FileOptions
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: TableOptions

        func run() throws {
            let status = try SweepStatus(of: sweep.load(), in: Store(directory: store.directory))
            output.show(table(status), json: json(status))
        }

        private func table(_ status: SweepStatus) -> Table {
            var table = Table(columns: [
                .text("cell"), .text("state"), .text("stages", alignment: .right), .text("at"),
                .text("step", alignment: .right), .number("rate", unit: "1/s", decimals: 1),
                .text("time left", alignment: .right), .text("values"),
            ])
            for cell in status.cells {
                let values = cell.values.sorted { $0.key < $1.key }
                    .map { "\($0.key) \(String(format: "%.4g", $0.value))" }.joined(separator: ", ")
                table.add([
                    .text(cell.name), .text(cell.state.rawValue),
                    text(cell.stages.map { "\(cell.stagesDone ?? 0)/\($0)" }), text(cell.role),
                    text(cell.step.map { step in cell.steps.map { "\(step)/\($0)" } ?? "\(step)" }),
                    .number(cell.rate), text(cell.secondsLeft.map(ConsoleProgress.time)),
                    .text(values.isEmpty ? cell.message : values),
                ])
            }
            let counts = RunStore.Status.State.allCases.compactMap { state in
                status.counts[state].map { "\($0) \(state.rawValue)" }
            }
            table.add(footnote: counts.joined(separator: ", "))
            return table
        }

        private func text(_ text: String?) -> Table.Cell { text.map(Table.Cell.text) ?? .missing }

        private func json(_ status: SweepStatus) -> JSONValue {
            func number(_ value: Double?) -> JSONValue { value.map(JSONValue.number) ?? .null }
            func int(_ value: Int?) -> JSONValue { value.map(JSONValue.int) ?? .null }
            return [
                "sweep": .string(status.sweep),
                "cells": .array(status.cells.map { cell in
                    [
                        "cell": .string(cell.name), "run": .string(cell.run), "state": .string(cell.state.rawValue),
                        "stages_done": int(cell.stagesDone), "stages": int(cell.stages),
                        "at": cell.role.map(JSONValue.string) ?? .null, "step": int(cell.step), "steps": int(cell.steps),
                        "rate": number(cell.rate), "seconds_left": number(cell.secondsLeft),
                        "values": .object(cell.values.mapValues { .number($0) }), "message": .string(cell.message),
                        "worker": cell.owner.map { .string($0.description) } ?? .null,
                    ]
                }),
                "counts": .object(
                    Dictionary(status.counts.map { ($0.key.rawValue, .int($0.value)) }, uniquingKeysWith: { $1 })),
            ]
        }
    }
}
