import Experiment
import Files
import Report

/// What a sweep would take on a machine that is not this one: a row for each arm with work that is left.
struct MachineSummary {
    private let plan: SweepPlan
    private let machine: PlannedMachine

    init(_ plan: SweepPlan, _ machine: PlannedMachine) { (self.plan, self.machine) = (plan, machine) }

    var table: Table {
        var table = Table(columns: [
            .text("arm"), .text("training\nsteps", key: "steps", alignment: .right), .text("compute", alignment: .right),
            .text("GPU time", key: "gpu_time", alignment: .right), .text("time", alignment: .right),
            .text("memory", alignment: .right), .text("parts", alignment: .right),
            .text("disk", alignment: .right), .text("energy", alignment: .right),
        ])
        let arms = plan.arms.filter { $0.total.count > 0 }
        for arm in arms { table.add(row(arm.name, arm.total)) }
        if arms.count > 1 { table.add(row("all", plan.total)) }
        for note in plan.notes + remarks { table.add(footnote: note) }
        return table
    }

    private func row(_ name: String, _ total: SweepPlan.Total) -> [Table.Cell] {
        [
            .text(name), .text(Units.count(Double(total.steps))), .text(Units.flops(total.flops)),
            .text(Units.gpuTime(seconds: machine.acceleratorSeconds(total.flops))), .text(Units.time(machine.seconds(total.flops))),
            .text(Units.bytes(total.memory)), machine.parts(total.memory).map { .text("\($0)") } ?? .missing,
            .text(Units.bytes(total.disk)), machine.energy(total.flops).map { .text(Units.energy($0)) } ?? .missing,
        ]
    }

    private var remarks: [String] {
        var remarks: [String] = []
        if plan.arms.count > 1 { remarks.append("Stages that several arms share are counted with the first of them.") }
        let share = "\(Units.count(100 * machine.utilisation)) %"
        remarks.append(
            "\(machine.name): \(machine.count) × \(Units.flops(machine.peak))/s at their peak, of which the work is taken to reach "
                + "\(share) (--utilisation).")
        if let memory = machine.memory {
            remarks.append(
                "Memory is what the largest step holds with its whole batch at once; \(machine.name) has "
                    + "\(Units.bytes(Double(machine.count) * memory)), so a batch goes through in at least as many parts as are given.")
        }
        if let power = machine.power {
            remarks.append("Energy is that of boards at their full \(Units.count(power)) W, without host and cooling.")
        }
        remarks.append("Counted are products of networks; data, scores and bookkeeping come on top. 'sweep run' itself drives one device.")
        return remarks
    }

    /// The same for programs.
    var json: JSONValue {
        func figures(_ total: SweepPlan.Total) -> JSONValue {
            [
                "flops": .number(total.flops), "seconds": .number(machine.seconds(total.flops)),
                "gpu_seconds": .number(machine.acceleratorSeconds(total.flops)),
                "memory_bytes": .number(total.memory), "parts_of_a_batch": machine.parts(total.memory).map { .int($0) } ?? .null,
                "disk_bytes": .number(total.disk), "joules": machine.energy(total.flops).map { .number($0) } ?? .null,
            ]
        }
        return [
            "name": .string(machine.name), "count": .int(machine.count), "peak_flops_per_second": .number(machine.peak),
            "utilisation": .number(machine.utilisation),
            "arms": .object(Dictionary(plan.arms.map { ($0.name, figures($0.total)) }, uniquingKeysWith: { first, _ in first })),
            "total": figures(plan.total),
        ]
    }
}
