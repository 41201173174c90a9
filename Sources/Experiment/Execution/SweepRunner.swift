import Files
import Foundation
import RunStore
import Settings
import Sweep

/// Runs the cells of a sweep: every stage once, whoever needs it; finished stages are reused.
///
/// Stages that do not need each other may be made side by side, by processes of their own. Whoever makes a stage claims
/// it with a lock first, so that several runs of one sweep file share the work.
public struct SweepRunner {
    public let sweep: SweepFile
    let context: ExperimentContext
    /// The semantic studies that its runs are put through besides, one a cell; nil: none but those that they were put through before.
    private let studies: [SemanticsSettings]?

    public init(_ sweep: SweepFile, _ context: ExperimentContext, studies: [SemanticsSettings]? = nil) {
        precondition(studies?.count ?? sweep.cells.count == sweep.cells.count, "a study for each of \(sweep.cells.count) cells")
        self.sweep = sweep
        self.context = context
        self.studies = studies
    }

    /// How the runs of a sweep ended.
    public struct Outcome: Sendable {
        public var done: [String] = []
        /// How many of them the archive has, and nothing was to be done for.
        public var archived = 0
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
        /// What is left was left to other processes.
        public var hasLeft = false
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
        try run(SingleProcess(context), upTo: lastRole, failsFast: failsFast, announce)
    }

    /// The same with worker processes.
    public func run(
        _ pool: ProcessPool, upTo lastRole: String? = nil, failsFast: Bool = false,
        announcing announce: (SweepPlan) -> Void = { _ in }
    ) throws -> Outcome {
        try run(pool as any WorkerPool, upTo: lastRole, failsFast: failsFast, announce)
    }

    /// Takes part in what others have planned and work on too, until nothing is left that this process could do.
    public func join(_ pool: ProcessPool, _ terms: Joining) throws -> Outcome {
        try run(pool as any WorkerPool, upTo: nil, failsFast: false, joining: terms) { _ in }
    }

    /// Work that takes a second at the most is not worth measuring the machine for.
    private static let worthMeasuring = 1e12

    private func run(
        _ pool: any WorkerPool, upTo lastRole: String?, failsFast: Bool, joining: Joining? = nil, _ announce: (SweepPlan) -> Void
    ) throws -> Outcome {
        try context.store.requireWritable()
        for note in sweep.notes { context.progress.note("note: \(note)") }
        let plans = try plans()
        if let lastRole { try requireRole(lastRole, in: plans.map(\.plan)) }
        let asked = plans.map { cell, plan in lastRole.map { plan.stages(upTo: $0) } ?? plan.stages }
        let spared = try context.store.sparedStages(asked)
        try checkMemory(asked.flatMap { $0 }.filter { !spared.contains($0.id) }, workers: pool.size)
        let records = try plans.map { try record(of: $0.cell, $0.plan) }
        let archived = try archivedRuns(plans, asked)
        let ledger = RunLedger(plans, records, archived: archived, context)
        // Whoever has sent for this process has planned.
        if joining == nil { try prepare(plans, upTo: lastRole, announce) }
        var execution = SweepExecution(
            StageGraph(asked, archived: archived, done: spared), ledger, pool, context, configs: plans.map(\.cell.settings.json),
            failsFast: failsFast, joining: joining)
        defer { pool.close() }
        let start = ContinuousClock.now
        try execution.run()
        var outcome = ledger.outcome
        (outcome.stagesDone, outcome.stages) = execution.counts
        outcome.hasLeft = execution.hasLeft
        outcome.seconds = (ContinuousClock.now - start) / .seconds(1)
        return outcome
    }

    /// Says what is about to be done, and leaves it for `sweep status` to read.
    private func prepare(
        _ plans: [(cell: Cell, plan: RunPlan)], upTo lastRole: String?, _ announce: (SweepPlan) -> Void
    ) throws {
        var estimator = estimator(for: plans, leastFlops: Self.worthMeasuring) {
            MachineRate(of: context.machine, in: context.store) { context.progress.note("note: \($0)") }
        }
        announce(try plan(plans, upTo: lastRole, estimator: &estimator))
        // Read by `sweep status` alone, so a failure to write it stops nothing.
        do { try outlook(plans, estimator: &estimator).write(sweep.name, in: context.store) } catch {
            context.log.warning("no outlook: \(error)")
        }
    }

    /// What `run` would do, for others to do it: says so, and leaves it for `sweep status` to read.
    public func prepare() throws -> SweepPlan {
        try context.store.requireWritable()
        for note in sweep.notes { context.progress.note("note: \(note)") }
        var made: SweepPlan?
        let plans = try plans()
        try prepare(plans, upTo: nil) { made = $0 }
        guard let made else { preconditionFailure("a plan is announced before the outlook is written") }
        return made
    }

    /// Says before anything is begun that memory will not do, instead of failing in the middle.
    private func checkMemory(_ stages: [any Stage], workers: Int) throws {
        var open: [String: (role: String, memory: Double)] = [:]
        for stage in stages where open[stage.id] == nil {
            guard let memory = stage.cost?.memory, try !context.store.stage(stage.identity).isComplete else { continue }
            open[stage.id] = (stage.role, memory)
        }
        let largest = open.values.sorted { $0.memory > $1.memory }.prefix(workers)
        guard let first = largest.first else { return }
        let work = largest.count == 1 ? "stage \(first.role)" : "making \(largest.count) stages at once, the largest \(first.role),"
        let needed = largest.reduce(0) { $0 + $1.memory }
        if let warning = try AvailableMemory.current().warning(needed: needed, for: work) { context.progress.note(warning) }
    }

    /// The cells with the stages of each; what is missing is an error unless it may be assumed. Cells whose published checkpoints are not
    /// there are left out, which is said.
    func plans(_ assumptions: Assumptions? = nil) throws -> [(cell: Cell, plan: RunPlan)] {
        var context = context
        context.assumptions = assumptions
        var plans: [(cell: Cell, plan: RunPlan)] = []
        var missing: [String] = []
        for (place, cell) in sweep.cells.enumerated() {
            let cell = try asked(of: cell, study: studies?[place])
            do { plans.append((cell, try RunPlan(cell.settings, context))) } catch let error as ReleasedFolders.Missing {
                missing.append("\(cell.label): \(error.description)")
            }
        }
        guard !plans.isEmpty else { throw InputError(missing.joined(separator: "\n")) }
        for line in missing { context.progress.note("left out: \(line)") }
        return plans
    }

    /// The cell with what its run is asked for besides, which changes no model and not what the run is called: a tokenizer without
    /// a prologue is probed on as many tokens as the others have; a run that was studied stays so.
    private func asked(of cell: Cell, study: SemanticsSettings?) throws -> Cell {
        var cell = cell
        let counts = sweep.cells.map(\.settings.tokenizer.prologueTokens).filter { $0 > 0 }
        cell.settings.probe.counts = Set(cell.settings.probe.counts + counts).sorted()
        guard !cell.settings.semantics.enabled || study != nil else { return cell }
        let record = try context.store.undamagedRun(context.store.runID(of: cell, in: sweep.name))
        let earlier = try record?.config["semantics"].map { try SemanticsSettings($0, from: "run.json") }
        guard let study = study ?? earlier, study.enabled else { return cell }
        cell.settings.semantics = study
        if let conflict = cell.settings.conflicts().first { throw InputError("\(cell.label): \(conflict.message)") }
        return cell
    }

    func record(of cell: Cell, _ plan: RunPlan) throws -> RunRecord {
        let seeds = cell.settings.seeds
        var record = RunRecord(
            sweep: sweep.name, cell: cell.label, seed: cell.seed,
            seeds: ["tokenizer": seeds.tokenizer, "prior": seeds.prior, "sampler": seeds.sampler],
            config: cell.resolved, identity: cell.identity, stages: plan.stageIDs, codeVersion: context.code,
            machine: context.machine, id: try context.store.runID(of: cell, in: sweep.name))
        // The id follows from what the sweep file says; what is kept says what adopted models are.
        if let config = plan.resolved { record.config = config }
        let study = cell.settings.semantics.json
        if cell.settings.semantics.enabled, case .object(var members) = record.config {
            members["semantics"] = study
            record.config = .object(members)
        }
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
