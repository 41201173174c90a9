import ArgumentParser
import Experiment
import Files
import Report

extension SweepCommand {
    struct Plan: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the cells of a sweep, what is there already, what would be trained and what that would take.",
            discussion: """
                Parameters, FLOPs and memory follow from the sizes; nothing is built. Times follow from the finished stage of \
                the store that is nearest in kind and size, by FLOPs; where none is near, from the rate of a short training \
                that is measured once for a store and machine. They are for one stage after the other. Data that are not on \
                this machine are planned for as `data.expected` says. With --machine, what it would take on other hardware, \
                from FLOPs alone, at a share of its peak that you state.

                  prologue sweep plan sweep.yaml
                  prologue sweep plan sweep.yaml --stages
                  prologue sweep plan sweep.yaml --only "seed = 0" --json
                  prologue sweep plan Experiments/presets/imagenet-l.yaml
                  prologue sweep plan sweep.yaml --machine h100x8 --utilisation 0.35
                """)

        @OptionGroup var sweep: FileOptions
        @Flag(help: "A row for every stage of every cell, instead of one for every arm.") var stages = false
        @Option(help: "Plan for other hardware: a100, h100, h200, b200, l40s, rtx4090, with x and how many (h100x8); or flops=RATE.")
        var machine: String?
        @Option(help: "Share of that hardware's peak that the work is taken to reach.") var utilisation = 0.4
        @OptionGroup var store: StoreOptions
        @OptionGroup var archive: ArchiveOptions
        @OptionGroup var output: TableOptions

        func run() throws {
            let machine = try machine.map { try PlannedMachine($0, utilisation: utilisation) }
            let context = try store.context(archive: archive, beside: sweep.file)
            let plan = try SweepRunner(sweep.load(), context).plan {
                // For other hardware nothing here is measured.
                machine == nil ? MachineRate(of: context.machine, in: context.store) { complain("note: \($0)") } : nil
            }
            if let machine, !stages {
                let summary = MachineSummary(plan, machine)
                return output.show(summary.table, json: PlanDocument(plan, on: summary.json).json)
            }
            let summary = PlanSummary(plan)
            if output.format == nil, !stages, store.quiet || plan.total.count == 0 {
                return print((plan.notes + [summary.sentence]).joined(separator: "\n"))
            }
            output.show(
                stages ? table(plan, summary) : summary.table,
                json: PlanDocument(plan, on: machine.map { MachineSummary(plan, $0).json }).json)
        }

        private func table(_ plan: SweepPlan, _ summary: PlanSummary) -> Table {
            var table = Table(columns: [
                .text("cell"), .text("stage"), .text("id"), .state("state"),
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
                        .text(stage.isThere ? stage.state.rawValue : shared ?? stage.state.rawValue),
                        .number(cost.map { Double($0.parameters) / 1e6 }), .number(stage.steps.map(Double.init)),
                        .number(cost?.tokens.map { Double($0) / 1e6 }), .number(cost.map { $0.flops / 1e12 }),
                        .number(cost.map { $0.memory / Self.mebibyte }), .number(cost.map { $0.disk / Self.mebibyte }),
                        stage.isWork ? .number(stage.seconds) : .missing,
                        .text(stage.isWork ? stage.estimate.map { basis($0.basis) } ?? "" : ""),
                    ])
                }
            }
            for note in plan.notes + [summary.sentence] { table.add(footnote: note) }
            return table
        }

        private func basis(_ basis: SweepPlan.Basis) -> String {
            switch basis {
            case .stage(let id): id
            case .machine(let rate): "\(Units.flops(rate))/s of this machine"
            }
        }

        private static let mebibyte = 1_048_576.0
    }
}

/// A plan for programs: counts, bytes, FLOPs and seconds as they are.
private struct PlanDocument {
    private let plan: SweepPlan
    /// What it takes on hardware that was asked for.
    private let machine: JSONValue?

    init(_ plan: SweepPlan, on machine: JSONValue?) { (self.plan, self.machine) = (plan, machine) }

    var json: JSONValue {
        [
            "sweep": .string(plan.sweep),
            "notes": .array(plan.notes.map { .string($0) }),
            "cells": .array(
                plan.cells.map { cell in
                    [
                        "cell": .string(cell.name), "arm": .string(cell.arm), "run": .string(cell.run), "seed": .int(cell.seed),
                        "stages": .array(cell.stages.map(stage)),
                    ]
                }),
            "to_do": .array(plan.totals.map(total)),
            "total": total(plan.total),
            "seconds": number(plan.total.seconds), "machine": machine ?? .null,
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
            "kind": total.name.isEmpty ? .null : .string(total.name), "stages": .int(total.count), "steps": .int(total.steps),
            "tokens": .int(total.tokens), "flops": .number(total.flops), "memory_bytes": .number(total.memory),
            "disk_bytes": .number(total.disk), "scratch_bytes": .number(total.scratch), "seconds": number(total.seconds),
            "unknown": .array(total.unknown.map { .string($0) }),
        ]
    }

    private func number(_ value: Double?) -> JSONValue { value.map(JSONValue.number) ?? .null }
    private func whole(_ value: Int?) -> JSONValue { value.map(JSONValue.int) ?? .null }
}
