import ArgumentParser
import Experiment
import Files
import Report

extension SweepCommand {
    struct Plan: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the cells of a sweep, what is there already, what would be trained and what that would take.",
            discussion: """
                Parameters, FLOPs and memory follow from the sizes; nothing is built. Times are those of the finished stage of \
                the store that is most like each one, scaled by FLOPs; where there is none, FLOPs at the rate of a short \
                training that is measured once for a store and machine. They are for one stage after the other. Data that are \
                not on this machine are planned for as `data.expected` says.

                  prologue sweep plan sweep.yaml
                  prologue sweep plan sweep.yaml --only "tokenizer.variant = 'prologue'" --json
                  prologue sweep plan Experiments/presets/imagenet-l.yaml
                """)

        @OptionGroup var sweep: FileOptions
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: TableOptions

        func run() throws {
            let context = try store.context()
            let plan = try SweepRunner(sweep.load(), context).plan {
                MachineRate(of: context.machine, in: context.store)
            }
            output.show(table(plan), json: PlanDocument(plan).json)
        }

        private func table(_ plan: SweepPlan) -> Table {
            var table = Table(columns: [
                .text("cell"), .text("stage"), .text("id"), .text("state"),
                .number("parameters", key: "parameters", unit: "M", decimals: 2), .number("steps", decimals: 0),
                .number("tokens", key: "tokens", unit: "M", decimals: 2), .number("TFLOP", key: "tflop", decimals: 2),
                .number("memory", key: "memory", unit: "MiB", decimals: 0),
                .number("disk", key: "disk", unit: "MiB", decimals: 1),
                .number("time", key: "seconds", unit: "s", decimals: 0), .text("estimated from", key: "estimated_from"),
            ])
            for cell in plan.cells {
                for stage in cell.stages {
                    let (cost, shared) = (stage.cost, stage.sharedWith.map { "as in \($0)" })
                    table.add([
                        .text(cell.name), .text(stage.role), .text(stage.id),
                        .text(stage.state == .done ? "done" : shared ?? stage.state.rawValue),
                        .number(cost.map { Double($0.parameters) / 1e6 }), .number(stage.steps.map(Double.init)),
                        .number(cost?.tokens.map { Double($0) / 1e6 }), .number(cost.map { $0.flops / 1e12 }),
                        .number(cost.map { $0.memory / Self.mebibyte }), .number(cost.map { $0.disk / Self.mebibyte }),
                        stage.isWork ? .number(stage.seconds) : .missing,
                        .text(stage.isWork ? stage.estimate.map { basis($0.basis) } ?? "" : ""),
                    ])
                }
            }
            for note in plan.notes { table.add(footnote: note) }
            for total in plan.totals {
                table.add(footnote: "to do: \(total.count) × \(total.kind ?? ""), \(sums(total))")
            }
            let total = plan.total
            table.add(
                footnote: total.count == 0
                    ? "\(plan.cells.count) cells; nothing to do"
                    : "\(plan.cells.count) cells; \(total.count) stages to do, \(sums(total)), \(room(total))")
            return table
        }

        private func sums(_ total: SweepPlan.Total) -> String {
            var parts: [String] = []
            if total.steps > 0 { parts.append("\(total.steps) steps") }
            if total.flops > 0 { parts.append(String(format: "%.3g TFLOP", total.flops / 1e12)) }
            var time = total.seconds.map { "about \(ConsoleProgress.time($0))" } ?? "time unknown"
            if total.seconds != nil, !total.unknown.isEmpty {
                time += " (without \(total.unknown.joined(separator: ", ")), whose time is unknown)"
            }
            return (parts + [time]).joined(separator: ", ")
        }

        private func room(_ total: SweepPlan.Total) -> String {
            "up to \(size(total.memory)) of memory, \(size(total.disk)) on disk and \(size(total.scratch)) more meanwhile"
        }

        private func size(_ bytes: Double) -> String {
            bytes < 1e9 ? String(format: "%.1f MiB", bytes / Self.mebibyte)
                : String(format: "%.1f GiB", bytes / (1024 * Self.mebibyte))
        }

        private func basis(_ basis: SweepPlan.Basis) -> String {
            switch basis {
            case .stage(let id): id
            case .machine(let rate): String(format: "%.0f GFLOP/s of this machine", rate / 1e9)
            }
        }

        private static let mebibyte = 1_048_576.0
    }
}

/// A plan for programs: counts, bytes, FLOPs and seconds as they are.
private struct PlanDocument {
    private let plan: SweepPlan

    init(_ plan: SweepPlan) { self.plan = plan }

    var json: JSONValue {
        [
            "sweep": .string(plan.sweep),
            "notes": .array(plan.notes.map { .string($0) }),
            "cells": .array(plan.cells.map { cell in
                [
                    "cell": .string(cell.name), "run": .string(cell.run), "seed": .int(cell.seed),
                    "stages": .array(cell.stages.map(stage)),
                ]
            }),
            "to_do": .array(plan.totals.map(total)),
            "total": total(plan.total),
            "seconds": number(plan.total.seconds),
        ]
    }

    private func stage(_ stage: SweepPlan.Stage) -> JSONValue {
        let cost = stage.cost
        return [
            "role": .string(stage.role), "kind": .string(stage.kind), "id": .string(stage.id),
            "state": .string(stage.state.rawValue), "shared_with": stage.sharedWith.map(JSONValue.string) ?? .null,
            "steps": whole(stage.steps), "parameters": whole(cost?.parameters), "tokens": whole(cost?.tokens),
            "flops": number(cost?.flops), "memory_bytes": number(cost?.memory), "disk_bytes": number(cost?.disk),
            "scratch_bytes": number(cost?.scratch), "seconds": number(stage.seconds),
            "estimated_from": stage.estimate.map { basis($0.basis) } ?? .null,
        ]
    }

    private func basis(_ basis: SweepPlan.Basis) -> JSONValue {
        switch basis {
        case .stage(let id): ["stage": .string(id)]
        case .machine(let rate): ["flops_per_second": .number(rate)]
        }
    }

    private func total(_ total: SweepPlan.Total) -> JSONValue {
        [
            "kind": total.kind.map(JSONValue.string) ?? .null, "stages": .int(total.count), "steps": .int(total.steps),
            "tokens": .int(total.tokens), "flops": .number(total.flops), "memory_bytes": .number(total.memory),
            "disk_bytes": .number(total.disk), "scratch_bytes": .number(total.scratch), "seconds": number(total.seconds),
            "unknown": .array(total.unknown.map { .string($0) }),
        ]
    }

    private func number(_ value: Double?) -> JSONValue { value.map(JSONValue.number) ?? .null }
    private func whole(_ value: Int?) -> JSONValue { value.map(JSONValue.int) ?? .null }
}
