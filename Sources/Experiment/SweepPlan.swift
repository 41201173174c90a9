import Files
import RunStore
import Sweep

/// What running a sweep would do: its cells with their stages, and which of those are there already.
public struct SweepPlan: Sendable {
    public struct Stage: Sendable {
        public enum State: String, Sendable {
            case done
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
        /// Estimated seconds of work that are left; 0 where it is done, nil where nothing alike has been done yet.
        public let seconds: Double?

        /// Whether a run of the sweep would work on it in this cell.
        public var isWork: Bool { state != .done && sharedWith == nil }
    }

    public struct Cell: Sendable {
        public let name, run: String
        public let seed: Int
        public let stages: [Stage]
    }

    /// Stages of one kind that a run of the sweep would work on.
    public struct Total: Sendable {
        public let kind: String
        public let count, steps: Int
        public let seconds: Double?
    }

    public let sweep: String
    public let cells: [Cell]

    /// By kind, in the order in which a run comes to them.
    public var totals: [Total] {
        let work = cells.flatMap(\.stages).filter(\.isWork)
        var kinds: [String] = []
        for stage in work where !kinds.contains(stage.kind) { kinds.append(stage.kind) }
        return kinds.map { kind in
            let stages = work.filter { $0.kind == kind }
            return Total(
                kind: kind, count: stages.count, steps: stages.reduce(0) { $0 + ($1.steps ?? 0) },
                seconds: Self.sum(stages.map(\.seconds)))
        }
    }

    /// Estimated seconds of all work; nil if a part is unknown.
    public var seconds: Double? { Self.sum(totals.map(\.seconds)) }

    private static func sum(_ values: [Double?]) -> Double? {
        values.reduce(Optional(0)) { sum, value in sum.flatMap { sum in value.map { sum + $0 } } }
    }
}

extension SweepRunner {
    /// What `run` would do now. Reads the data, because stages are keyed by it; works on nothing.
    public func plan() throws -> SweepPlan {
        let plans = try plans()
        let identities = plans.flatMap { $0.plan.stages.map(\.identity) }
        var estimator = StageEstimator(context.store, planned: identities)
        var firstCell: [String: String] = [:]
        return SweepPlan(
            sweep: sweep.name,
            cells: plans.map { cell, plan in
                SweepPlan.Cell(
                    name: cell.name, run: record(of: cell, plan).id, seed: cell.seed,
                    stages: plan.stages.map { stage in
                        let identity = stage.identity
                        let owner = firstCell[identity.id]
                        firstCell[identity.id] = owner ?? cell.name
                        let handle = context.store.stage(identity)
                        let state: SweepPlan.Stage.State =
                            handle.isComplete ? .done : handle.status == nil ? .missing : .begun
                        return SweepPlan.Stage(
                            role: stage.role, kind: identity.kind, id: identity.id, state: state,
                            sharedWith: owner == cell.name ? nil : owner, steps: identity.trainingSteps,
                            seconds: state == .done ? 0 : estimator.seconds(for: identity))
                    })
            })
    }
}
