import Files
import Foundation
import RunStore
import Sweep

/// Runs the cells of a sweep: every stage once, whoever needs it; finished stages are reused.
public struct SweepRunner {
    public let sweep: SweepFile
    private let context: ExperimentContext

    public init(_ sweep: SweepFile, _ context: ExperimentContext) {
        self.sweep = sweep
        self.context = context
    }

    /// How the runs of a sweep ended.
    public struct Outcome: Sendable {
        public var done: [String] = []
        /// Runs that failed, with the error.
        public var failed: [(run: String, error: String)] = []
        /// Stages that were worked on, and stages that were there already.
        public var worked = 0
        public var reused = 0
    }

    /// Runs every cell; a failed cell does not stop the others. Throws `Interrupted` when asked to stop.
    /// `onlyRoles`: stop each run after these stages and what they need.
    public func run(upTo lastRole: String? = nil) throws -> Outcome {
        var outcome = Outcome()
        let plans = try sweep.cells.map { (cell: $0, plan: try RunPlan($0.settings, context)) }
        if let lastRole { try requireRole(lastRole, in: plans.map(\.plan)) }
        for (number, (cell, plan)) in plans.enumerated() {
            let record = record(of: cell, plan)
            try context.store.save(record)
            context.progress.note("run \(number + 1) of \(plans.count): \(cell.name)")
            do {
                let stages = lastRole.map { plan.stages(upTo: $0) } ?? plan.stages
                for (index, stage) in stages.enumerated() {
                    try setStatus(.running, record, step: index, of: stages.count, message: stage.role)
                    let reused = try perform(stage)
                    if reused { outcome.reused += 1 } else { outcome.worked += 1 }
                }
                let isWhole = stages.count == plan.stages.count
                try setStatus(
                    isWhole ? .done : .planned, record, step: stages.count, of: plan.stages.count,
                    message: isWhole ? "" : "done up to \(stages.last?.role ?? "nothing")")
                outcome.done.append(record.id)
            } catch is Interrupted {
                try setStatus(.interrupted, record, step: 0, of: plan.stages.count, message: "will go on where it was")
                throw Interrupted()
            } catch {
                try setStatus(.failed, record, step: 0, of: plan.stages.count, message: "\(error)")
                context.progress.note("failed: \(cell.name): \(error)")
                outcome.failed.append((record.id, "\(error)"))
            }
        }
        return outcome
    }

    /// True if the stage was there already.
    private func perform(_ stage: any Stage) throws -> Bool {
        let result = try context.perform(stage)
        if result.isReused {
            context.progress.note("\(stage.role): reused \(stage.id)")
        } else {
            context.progress.note(
                "\(stage.role): done in \(result.record.wallSeconds.formatted(.number.precision(.fractionLength(1)))) s, \(stage.id)")
        }
        return result.isReused
    }

    func record(of cell: Cell, _ plan: RunPlan) -> RunRecord {
        let seeds = cell.settings.seeds
        return RunRecord(
            sweep: sweep.name, cell: cell.label, seed: cell.seed,
            seeds: ["tokenizer": seeds.tokenizer, "prior": seeds.prior, "sampler": seeds.sampler],
            config: cell.resolved, stages: plan.stageIDs, codeVersion: context.code, machine: context.machine)
    }

    private func setStatus(
        _ state: Status.State, _ record: RunRecord, step: Int, of steps: Int, message: String
    ) throws {
        try context.store.setStatus(Status(state, step: step, of: steps, message: message), ofRun: record.id)
    }

    private func requireRole(_ role: String, in plans: [RunPlan]) throws {
        let roles = Set(plans.flatMap { $0.stages.map(\.role) })
        guard roles.contains(role) else {
            let hint = nearest(to: role, among: roles).map { "; did you mean '\($0)'?" } ?? ""
            throw InputError("no stage is called '\(role)'; stages: \(roles.sorted().joined(separator: ", "))\(hint)")
        }
    }
}

extension ExperimentContext {
    /// Makes sure that a stage is complete: reuses it, waits for another process that works on it, or does the work.
    func perform(_ stage: any Stage) throws -> Store.StageResult {
        var told = false
        return try store.perform(
            stage.identity, code: code, machine: machine,
            waiting: { message in
                if !told { progress.note(message) }
                told = true
                try Interruption.check()
            },
            work: { work in
                try Interruption.check()
                return try stage.perform(work, self)
            })
    }
}

extension RunPlan {
    /// The stage of `role` and the stages before it that it reads, directly or not.
    func stages(upTo role: String) -> [any Stage] {
        var needed: Set<String> = []
        var kept: [any Stage] = []
        for stage in stages.reversed() where stage.role == role || needed.contains(stage.id) {
            needed.formUnion(stage.identity.inputs.values)
            kept.insert(stage, at: 0)
        }
        return kept
    }
}
