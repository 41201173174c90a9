import Experiment
import Report

/// What a sweep would take, in sentences and as a table of its arms.
struct PlanSummary {
    private let plan: SweepPlan

    init(_ plan: SweepPlan) { self.plan = plan }

    /// "12 cells in 4 arms: 60 of 140 stages to do, 3.2 EFLOP, about 3 h with one worker"
    var sentence: String {
        let (cells, arms, total) = (plan.cells.count, plan.arms.count, plan.total)
        let start = "\(cells) \(cells == 1 ? "cell" : "cells") in \(arms) \(arms == 1 ? "arm" : "arms"): "
        guard total.count > 0 else { return start + "nothing to do, all \(plan.stages) stages are there" }
        return start + "\(total.count) of \(plan.stages) stages to do, \(sums(total))"
    }

    /// For sweeps that take longer than a day; nil for others.
    var warning: String? {
        guard let seconds = plan.total.seconds, seconds > 86_400 else { return nil }
        return "warning: this will take about \(Units.time(seconds)) with one worker on this machine. It can be interrupted "
            + "at any time: the same command goes on where it was."
    }

    /// A row for each arm with work that is left.
    var table: Table {
        let arms = plan.arms.filter { $0.total.count > 0 }
        let sizes = ["tokenizer", "prior"].filter { role in arms.contains { $0.parameters[role] != nil } }
        var table = Table(
            columns: [.text("arm"), .text("seeds", alignment: .right), .text("stages to do", key: "stages", alignment: .right)]
                + sizes.map { .text("\($0)\nparameters", key: "\($0)_parameters", alignment: .right) } + [
                    .text("training\nsteps", key: "steps", alignment: .right), .text("compute", alignment: .right),
                    .text("time", alignment: .right),
                ])
        for arm in arms {
            let total = arm.total
            table.add(
                [.text(arm.name), .text("\(arm.seeds.count)"), .text("\(total.count) of \(arm.stages)")]
                    + sizes.map { arm.parameters[$0].map { .text(Units.count(Double($0))) } ?? .missing } + [
                        .text(Units.count(Double(total.steps))), .text(Units.flops(total.flops)), .text(time(total)),
                    ])
        }
        for note in plan.notes + remarks { table.add(footnote: note) }
        return table
    }

    /// The notes below the table; the sentence on the whole sweep comes last.
    private var remarks: [String] {
        let total = plan.total
        var remarks: [String] = []
        if plan.arms.count > 1 { remarks.append("Stages that several arms share are counted with the first of them.") }
        if let seconds = total.seconds, seconds > 0 {
            let parts = plan.totals.compactMap { part in
                part.seconds.map { (part.name, part.training > 0 ? part.training : part.count, $0) }
            }
            .sorted { $0.2 > $1.2 }.prefix(3).filter { $0.2 / seconds > 0.01 }
            .map { "\($0.1) × \($0.0) \(Units.time($0.2))" }
            remarks.append("Most of the time: " + parts.joined(separator: ", ") + ".")
        }
        let (stages, rate) = plan.bases
        let sources = [
            stages == 0 ? nil : "\(stages) finished \(stages == 1 ? "stage" : "stages") of about the same size",
            rate.map { "\(Units.flops($0))/s, measured on this machine" },
        ].compactMap(\.self)
        if !sources.isEmpty { remarks.append("Times are estimated from " + sources.joined(separator: ", and from ") + ".") }
        remarks.append(
            "Needs up to \(Units.bytes(total.memory)) of memory; leaves \(Units.bytes(total.disk)) on disk, and needs "
                + "\(Units.bytes(total.scratch)) more meanwhile.")
        if Units.gpuTime(total.flops) != nil { remarks.append("GPU time: \(Units.gpu).") }
        return remarks + [sentence] + [warning].compactMap(\.self)
    }

    private func sums(_ total: SweepPlan.Total) -> String {
        let compute = [Units.flops(total.flops), Units.gpuTime(total.flops).map { "(\($0))" }].compactMap(\.self)
        let time = total.seconds.map { "about \(Units.time($0)) with one worker" } ?? "time unknown"
        let unknown =
            total.seconds == nil || total.unknown.isEmpty
            ? "" : " (without \(total.unknown.joined(separator: ", ")), whose time is unknown)"
        return "\(compute.joined(separator: " ")), \(time)\(unknown)"
    }

    private func time(_ total: SweepPlan.Total) -> String {
        guard let seconds = total.seconds else { return "?" }
        return (total.unknown.isEmpty ? "" : "over ") + Units.time(seconds)
    }
}
