import ArgumentParser
import Experiment
import Files
import Report

extension SweepCommand {
    struct Plan: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the cells of a sweep, what is there already and what would be trained.",
            discussion: """
                Times are estimated from the finished stage of the store that is most like each one.

                  prologue sweep plan sweep.yaml
                  prologue sweep plan sweep.yaml --only "tokenizer.variant = 'prologue'" --json
                """)

        @OptionGroup var sweep: FileOptions
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: TableOptions

        func run() throws {
            let plan = try SweepRunner(sweep.load(), store.context()).plan()
            output.show(table(plan), json: json(plan))
        }

        private func table(_ plan: SweepPlan) -> Table {
            var table = Table(columns: [
                .text("cell"), .text("stage"), .text("id"), .text("state"),
                .number("steps", decimals: 0), .number("time", key: "seconds", unit: "s", decimals: 0),
            ])
            for cell in plan.cells {
                for stage in cell.stages {
                    let shared = stage.sharedWith.map { "as in \($0)" }
                    table.add([
                        .text(cell.name), .text(stage.role), .text(stage.id),
                        .text(stage.state == .done ? "done" : shared ?? stage.state.rawValue),
                        .number(stage.steps.map(Double.init)), stage.isWork ? .number(stage.seconds) : .missing,
                    ])
                }
            }
            for total in plan.totals {
                let steps = total.steps > 0 ? ", \(total.steps) steps" : ""
                table.add(footnote: "to do: \(total.count) × \(total.kind)\(steps), \(time(total.seconds))")
            }
            let count = plan.totals.reduce(0) { $0 + $1.count }
            table.add(
                footnote: count == 0
                    ? "\(plan.cells.count) cells; nothing to do"
                    : "\(plan.cells.count) cells; \(count) stages to do, \(time(plan.seconds))")
            return table
        }

        private func time(_ seconds: Double?) -> String {
            seconds.map { "about \(ConsoleProgress.time($0))" } ?? "time unknown"
        }

        private func json(_ plan: SweepPlan) -> JSONValue {
            func number(_ value: Double?) -> JSONValue { value.map(JSONValue.number) ?? .null }
            return [
                "sweep": .string(plan.sweep),
                "cells": .array(plan.cells.map { cell in
                    [
                        "cell": .string(cell.name), "run": .string(cell.run), "seed": .int(cell.seed),
                        "stages": .array(cell.stages.map { stage in
                            [
                                "role": .string(stage.role), "kind": .string(stage.kind), "id": .string(stage.id),
                                "state": .string(stage.state.rawValue),
                                "shared_with": stage.sharedWith.map(JSONValue.string) ?? .null,
                                "steps": stage.steps.map(JSONValue.int) ?? .null, "seconds": number(stage.seconds),
                            ]
                        }),
                    ]
                }),
                "to_do": .array(plan.totals.map { total in
                    [
                        "kind": .string(total.kind), "stages": .int(total.count), "steps": .int(total.steps),
                        "seconds": number(total.seconds),
                    ]
                }),
                "seconds": number(plan.seconds),
            ]
        }
    }
}
