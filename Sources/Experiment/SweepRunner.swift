import Files
import Foundation
import RunStore
import Sweep

/// Runs the cells of a sweep: every stage once, whoever needs it; finished stages are reused.
///
/// Stages that do not need each other may be made side by side, by processes of their own. Whoever makes a stage claims
/// it with a lock first, so that several runs of one sweep file share the work.
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
        /// Stages that are complete now, of all that were asked for: those that runs share counted once.
        public var stagesDone = 0
        public var stages = 0
        /// From beginning to end.
        public var seconds = 0.0
    }

    /// Runs every cell in this process. A failed stage leaves alone all that does not need it.
    /// Throws `Interrupted` when asked to stop.
    ///
    /// - Parameters:
    ///   - lastRole: stop each run after this stage and those that it needs.
    ///   - failsFast: stop everything at the first failure.
    ///   - announce: hears what is about to be done, before it is begun.
    public func run(
        upTo lastRole: String? = nil, failsFast: Bool = false, announcing announce: (SweepPlan) -> Void = { _ in }
    ) throws -> Outcome {
        try run(SingleHandedCrew(context), upTo: lastRole, failsFast: failsFast, announce)
    }

    /// The same with worker processes.
    public func run(
        _ crew: WorkerCrew, upTo lastRole: String? = nil, failsFast: Bool = false,
        announcing announce: (SweepPlan) -> Void = { _ in }
    ) throws -> Outcome {
        try run(crew as any Crew, upTo: lastRole, failsFast: failsFast, announce)
    }

    /// Work that takes a second at the most is not worth measuring the machine for.
    private static let worthMeasuring = 1e12

    private func run(
        _ crew: any Crew, upTo lastRole: String?, failsFast: Bool, _ announce: (SweepPlan) -> Void
    ) throws -> Outcome {
        try context.store.requireWritable()
        for note in sweep.notes { context.progress.note("note: \(note)") }
        let plans = try plans()
        if let lastRole { try requireRole(lastRole, in: plans.map(\.plan)) }
        let ledger = RunLedger(plans, plans.map { record(of: $0.cell, $0.plan) }, context)
        // Only for those who ask how far it is: without it they know less.
        var estimator = estimator(for: plans, leastFlops: Self.worthMeasuring) {
            MachineRate(of: context.machine, in: context.store)
        }
        announce(plan(plans, upTo: lastRole, estimator: &estimator))
        do { try outlook(plans, estimator: &estimator).write(sweep.name, in: context.store) } catch {
            context.log.warning("no outlook: \(error)")
        }
        let graph = StageGraph(plans.map { cell, plan in lastRole.map { plan.stages(upTo: $0) } ?? plan.stages })
        var execution = SweepExecution(
            graph, ledger, crew, context, configs: plans.map(\.cell.resolved), failsFast: failsFast)
        defer { crew.close() }
        let start = ContinuousClock.now
        try execution.run()
        var outcome = ledger.outcome
        (outcome.stagesDone, outcome.stages) = execution.counts
        outcome.seconds = (ContinuousClock.now - start) / .seconds(1)
        return outcome
    }

    /// The cells with the stages of each; what is missing is an error unless it may be assumed.
    func plans(_ assumptions: Assumptions? = nil) throws -> [(cell: Cell, plan: RunPlan)] {
        var context = context
        context.assumptions = assumptions
        return try sweep.cells.map { ($0, try RunPlan($0.settings, context)) }
    }

    func record(of cell: Cell, _ plan: RunPlan) -> RunRecord {
        let seeds = cell.settings.seeds
        var record = RunRecord(
            sweep: sweep.name, cell: cell.label, seed: cell.seed,
            seeds: ["tokenizer": seeds.tokenizer, "prior": seeds.prior, "sampler": seeds.sampler],
            config: cell.resolved, identity: cell.identity, stages: plan.stageIDs, codeVersion: context.code,
            machine: context.machine)
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
