import Files
import Foundation
import RunStore
import Sweep

/// How far the runs of a sweep are, as their status files say. Reads no data and disturbs nobody.
public struct SweepStatus: Sendable {
    public struct Cell: Sendable {
        public let name, run: String
        public let state: Status.State
        /// Stages that are complete, and how many the run has; nil before it is first begun.
        public let stagesDone, stages: Int?
        /// The stage that is worked on, or was when the work stopped.
        public let role: String?
        /// How far that stage is.
        public let step, steps: Int?
        /// Steps a second, lately; nil where nobody works on it.
        public let rate: Double?
        /// The last losses and the like.
        public let values: [String: Double]
        public let message: String
        /// Who works on the stage.
        public let owner: StageOwner?

        public var secondsLeft: Double? {
            guard let rate, rate > 0, let step, let steps else { return nil }
            return Double(steps - step) / rate
        }
    }

    public let sweep: String
    public let cells: [Cell]

    public init(of sweep: SweepFile, in store: Store) throws {
        self.sweep = sweep.name
        cells = try sweep.cells.map { try Self.status(of: $0, sweep: sweep.name, in: store) }
    }

    /// How many cells are in each state.
    public var counts: [Status.State: Int] { cells.reduce(into: [:]) { $0[$1.state, default: 0] += 1 } }

    private static func status(of cell: Sweep.Cell, sweep: String, in store: Store) throws -> Cell {
        let id = RunRecord.makeID(sweep: sweep, cell: cell.label, seed: cell.seed, config: cell.resolved)
        guard store.runIDs().contains(id) else {
            return Cell(
                name: cell.name, run: id, state: .planned, stagesDone: nil, stages: nil, role: nil, step: nil, steps: nil,
                rate: nil, values: [:], message: "", owner: nil)
        }
        let run = try store.run(id)
        let status = try store.status(ofRun: id)
        let done = run.stages.values.filter { store.stage(id: $0).isComplete }.count

        // While a run is under way, its message names the stage it is at.
        let stage = status.state == .done ? nil : run.stages[status.message].map(store.stage(id:))
        let owner = stage?.owner
        let progress = stage?.status
        // A killed process leaves 'running' behind.
        let isAbandoned = status.state == .running && owner == nil && stage?.isComplete == false
        return Cell(
            name: cell.name, run: id, state: isAbandoned ? .interrupted : status.state, stagesDone: done,
            stages: run.stages.count, role: stage == nil ? nil : status.message, step: progress?.step,
            steps: progress?.steps, rate: owner == nil ? nil : progress?.rate, values: progress?.values ?? [:],
            message: stage == nil ? status.message : progress?.message ?? "", owner: owner)
    }
}
