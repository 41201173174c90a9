import Files
import RunStore
import Sweep

/// What running a sweep would do and what it would take: its cells with their stages, and which of those are there already.
public struct SweepPlan: Sendable {
    /// What a time was estimated from.
    public enum Basis: Equatable, Sendable {
        /// The finished stage of this id, scaled.
        case stage(String)
        /// FLOPs a second of this machine in training.
        case machine(Double)
    }

    public struct Estimate: Equatable, Sendable {
        public let seconds: Double
        public let basis: Basis
    }

    public struct Stage: Sendable {
        public enum State: String, Sendable {
            case done
            /// Not here, but the archive has what it measured, and nothing that is to be made reads it.
            case archived
            /// Begun and left: it goes on where it was.
            case begun
            case missing
        }

        public let role, kind, id: String
        public let state: State
        /// The earlier cell of this sweep that makes this stage too.
        public let sharedWith: String?
        /// Training steps, for a stage that trains.
        public let steps: Int?
        /// What the whole stage costs, whether it is done or not; nil where that is not worked out.
        public let cost: StageCost?
        /// Time of the work that is left; nil where it is done, or cannot be estimated.
        public let estimate: Estimate?

        /// Estimated seconds of work that are left; 0 where it is done, nil where it cannot be estimated.
        public var seconds: Double? { isThere ? 0 : estimate?.seconds }
        /// Whether a run of the sweep would work on it in this cell.
        public var isWork: Bool { !isThere && sharedWith == nil }
        /// Whether there is nothing to do for it.
        public var isThere: Bool { state == .done || state == .archived }
    }

    public struct Cell: Sendable {
        /// The cell's name with its seed, and that of its arm, in full and short.
        public let name, arm, shortArm, run: String
        public let seed: Int
        public let stages: [Stage]
    }

    /// Stages that a run of the sweep would work on.
    public struct Total: Sendable {
        /// What they have in common, a kind or an arm; empty: all of them.
        public let name: String
        public let count, steps, tokens: Int
        /// How many of them train; a prior that comes with its tokenizer does not.
        public let training: Int
        public let flops: Double
        /// Bytes: the most that one of them holds; what all of them leave; the most that one of them needs meanwhile.
        public let memory, disk, scratch: Double
        /// Of those whose time is estimated, one after the other; nil if none is.
        public let seconds: Double?
        /// Kinds of which some stage's time is unknown.
        public let unknown: [String]

        fileprivate init(_ name: String, _ stages: [Stage]) {
            let costs = stages.compactMap(\.cost)
            let seconds = stages.compactMap(\.seconds)
            self.name = name
            count = stages.count
            training = stages.count { $0.steps != nil }
            steps = stages.reduce(0) { $0 + ($1.steps ?? 0) }
            tokens = costs.reduce(0) { $0 + ($1.tokens ?? 0) }
            flops = costs.reduce(0) { $0 + $1.flops }
            memory = costs.map(\.memory).max() ?? 0
            disk = costs.reduce(0) { $0 + $1.disk }
            scratch = costs.map(\.scratch).max() ?? 0
            self.seconds = seconds.isEmpty && !stages.isEmpty ? nil : seconds.reduce(0, +)
            unknown = SweepPlan.kinds(stages.filter { $0.seconds == nil })
        }
    }

    public let sweep: String
    public let cells: [Cell]
    /// What is not on this machine, and what was planned with instead; scores that will not compare.
    public let notes: [String]

    private var work: [Stage] { cells.flatMap(\.stages).filter(\.isWork) }

    /// By kind, in the order in which a run comes to them.
    public var totals: [Total] {
        let work = work
        return Self.kinds(work).map { kind in Total(kind, work.filter { $0.kind == kind }) }
    }

    /// Of all work.
    public var total: Total { Total("", work) }

    /// A sweep's arm: its cells are those of its seeds.
    public struct Arm: Sendable {
        /// What sets it apart from the other arms, in few words.
        public let name: String
        public let seeds: [Int]
        /// Stages of its cells, those that they share with each other or with an earlier arm counted there.
        public let stages: Int
        /// Numbers in the parameters of its largest tokenizer and prior.
        public let parameters: [String: Int]
        public let total: Total
    }

    /// In the order of the sweep file.
    public var arms: [Arm] {
        cells.map(\.arm).uniqued().map { arm in
            let cells = cells.filter { $0.arm == arm }
            let stages = cells.flatMap(\.stages)
            let own = stages.filter { $0.sharedWith == nil }
            let sizes = stages.compactMap { stage in stage.cost.map { (stage.role, $0.parameters) } }
            return Arm(
                name: cells[0].shortArm, seeds: cells.map(\.seed), stages: Set(own.map(\.id)).count,
                parameters: Dictionary(sizes, uniquingKeysWith: max), total: Total(arm, own.filter(\.isWork)))
        }
    }

    /// How many stages the sweep has, those that runs share counted once.
    public var stages: Int { Set(cells.flatMap(\.stages).map(\.id)).count }

    /// What all times follow from: finished stages of the store, and the machine's rate, FLOPs a second.
    public var bases: (stages: Int, machineRate: Double?) {
        var (ids, rate): (Set<String>, Double?) = ([], nil)
        for stage in work {
            switch stage.estimate?.basis {
            case .stage(let id): ids.insert(id)
            case .machine(let flops): rate = flops
            case nil: break
            }
        }
        return (ids.count, rate)
    }

    /// Kinds in order of appearance.
    fileprivate static func kinds(_ stages: [Stage]) -> [String] { stages.map(\.kind).uniqued() }
}

extension SweepRunner {
    /// What `run` would do now. Reads the data, because stages are keyed by it; works on nothing. Data that are not on this
    /// machine are planned for as `data.expected` says.
    ///
    /// - Parameter machineRate: asked for where no finished stage is of about the same size.
    public func plan(machineRate: @escaping () -> MachineRate? = { nil }) throws -> SweepPlan {
        let assumptions = Assumptions()
        let plans = try plans(assumptions)
        var estimator = estimator(for: plans, machineRate: machineRate)
        return try plan(plans, estimator: &estimator, notes: assumptions.notes)
    }

    func estimator(
        for plans: [(cell: Cell, plan: RunPlan)], leastFlops: Double = 0, machineRate: @escaping () -> MachineRate?
    ) -> StageEstimator {
        StageEstimator(
            context.store, planned: plans.flatMap { $0.plan.stages.map(\.identity) }, leastFlops: leastFlops,
            machineRate: machineRate)
    }

    /// - Parameter lastRole: as `run` has it.
    func plan(
        _ plans: [(cell: Cell, plan: RunPlan)], upTo lastRole: String? = nil, estimator: inout StageEstimator, notes: [String] = []
    ) throws -> SweepPlan {
        let asked = plans.map { _, plan in lastRole.map { plan.stages(upTo: $0) } ?? plan.stages }
        let (spared, archived) = try (context.store.sparedStages(asked), archivedRuns(plans, asked))
        var firstCell: [String: String] = [:]
        var cells: [SweepPlan.Cell] = []
        let shortNames = ArmLabels.short(plans.map(\.cell))
        for (run, cell) in plans.map(\.cell).enumerated() {
            var stages: [SweepPlan.Stage] = []
            for stage in asked[run] {
                let (identity, cost) = (stage.identity, stage.cost)
                let owner = firstCell[identity.id]
                if !archived.contains(run) { firstCell[identity.id] = owner ?? cell.name }
                let handle = context.store.stage(identity)
                let state: SweepPlan.Stage.State =
                    try archived.contains(run) || spared.contains(identity.id)
                    ? .archived : handle.isComplete ? .done : handle.status == nil ? .missing : .begun
                stages.append(
                    SweepPlan.Stage(
                        role: stage.role, kind: identity.kind, id: identity.id, state: state,
                        sharedWith: owner == cell.name || archived.contains(run) ? nil : owner, steps: identity.trainingSteps, cost: cost,
                        estimate: state == .done || state == .archived ? nil : estimator.estimate(for: identity, cost)))
            }
            cells.append(
                SweepPlan.Cell(
                    name: cell.name, arm: cell.label, shortArm: shortNames[cell.label] ?? cell.label,
                    run: try context.store.runID(of: cell, in: sweep.name), seed: cell.seed,
                    stages: stages))
        }
        let note = try context.store.archiveNote(for: cells.map(\.run)).map { [$0] } ?? []
        return SweepPlan(sweep: sweep.name, cells: cells, notes: notes + sweep.notes + note)
    }
}
