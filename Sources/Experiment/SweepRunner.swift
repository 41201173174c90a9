import Files
import Foundation
import RunStore
import Sweep

/// Runs the cells of a sweep: every stage once, whoever needs it; finished stages are reused.
public struct SweepRunner {
    public let sweep: SweepFile
    let context: ExperimentContext

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
    ///
    /// - Parameter lastRole: stop each run after this stage and those that it needs.
    public func run(upTo lastRole: String? = nil) throws -> Outcome {
        var outcome = Outcome()
        let plans = try plans()
        if let lastRole { try requireRole(lastRole, in: plans.map(\.plan)) }
        let index = IndexFollower(context.store, context.progress)
        for (number, (cell, plan)) in plans.enumerated() {
            context.progress.note("run \(number + 1) of \(plans.count): \(cell.name)")
            try run(cell, plan, upTo: lastRole, index, &outcome)
        }
        return outcome
    }

    /// The cells with the stages of each.
    func plans() throws -> [(cell: Cell, plan: RunPlan)] {
        try sweep.cells.map { ($0, try RunPlan($0.settings, context)) }
    }

    private func run(
        _ cell: Cell, _ plan: RunPlan, upTo lastRole: String?, _ index: IndexFollower, _ outcome: inout Outcome
    ) throws {
        let record = record(of: cell, plan)
        try context.store.save(record)
        let stages = lastRole.map { plan.stages(upTo: $0) } ?? plan.stages
        var (finished, seconds, role) = (0, 0.0, "")
        func say(_ state: Status.State, _ message: String) throws {
            try context.store.setStatus(
                Status(state, step: finished, of: stages.count, message: message, wallSeconds: seconds),
                ofRun: record.id)
        }
        defer {
            // Both can be made again from the stages at any time: they must not hide how the run ended.
            try? context.store.setArtifacts(plan.pictures(in: context.store), ofRun: record.id)
            index.refresh(run: record.id)
        }
        do {
            try say(.running, stages[0].role)
            index.refresh(run: record.id)
            for stage in stages {
                role = stage.role
                try say(.running, role)
                let result = try perform(stage)
                seconds += result.record.wallSeconds
                finished += 1
                if result.isReused {
                    outcome.reused += 1
                } else {
                    outcome.worked += 1
                    index.refresh(run: record.id)
                }
            }
            // A run that was whole before stays so when only a part of it is asked for.
            let isWhole = plan.stages.allSatisfy { context.store.stage($0.identity).isComplete }
            try say(isWhole ? .done : .planned, isWhole ? "" : "done up to \(role)")
            outcome.done.append(record.id)
        } catch is Interrupted {
            try say(.interrupted, role)
            throw Interrupted()
        } catch {
            try say(.failed, "\(role): \(error)")
            context.progress.note("failed: \(cell.name): \(role): \(error)")
            outcome.failed.append((record.id, "\(error)"))
        }
    }

    private func perform(_ stage: any Stage) throws -> Store.StageResult {
        let result = try context.perform(stage)
        if result.isReused {
            context.progress.note("\(stage.role): reused \(stage.id)")
        } else {
            context.progress.note(
                "\(stage.role): done in \(result.record.wallSeconds.formatted(.number.precision(.fractionLength(1)))) s, \(stage.id)")
        }
        return result
    }

    func record(of cell: Cell, _ plan: RunPlan) -> RunRecord {
        let seeds = cell.settings.seeds
        var record = RunRecord(
            sweep: sweep.name, cell: cell.label, seed: cell.seed,
            seeds: ["tokenizer": seeds.tokenizer, "prior": seeds.prior, "sampler": seeds.sampler],
            config: cell.resolved, stages: plan.stageIDs, codeVersion: context.code, machine: context.machine)
        // The id follows from what the sweep file says; what is kept says what adopted models are.
        if let config = plan.resolved { record.config = config }
        return record
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
