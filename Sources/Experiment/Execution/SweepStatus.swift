import Files
import Foundation
import RunStore
import Sweep

/// How far the runs of a sweep are, as their status files say. Reads neither data nor index, and takes no lock.
public struct SweepStatus: Sendable {
    /// How far one stage of a run is.
    public struct Work: Sendable {
        public let role: String
        /// Its id.
        public let stage: String
        public let step: Int
        public let steps: Int?
        /// Steps a second, lately; nil where nobody works on it.
        public let rate: Double?
        /// The last losses and the like.
        public let values: [String: Double]
        public let message: String
        /// The process that works on the stage now; nil where there is none.
        public let owner: StageOwner?

        public var secondsLeft: Double? {
            guard let rate, rate > 0, let steps else { return nil }
            return Double(steps - step) / rate
        }
    }

    public struct Cell: Sendable {
        /// In full, and what sets it apart from the other cells.
        public let name, shortName, run: String
        public let state: Status.State
        /// Stages that are complete, and how many the run has; nil before it is first begun.
        public let stagesDone, stages: Int?
        /// The stages that are worked on now; where there are none, the one at which the work stopped.
        public let work: [Work]
        /// What went wrong, or else what there is to say.
        public let message: String
        /// Stages that cannot be made, with the failed stage that each would need; by role.
        public let skipped: [String: String]
    }

    public let sweep: String
    public let cells: [Cell]
    public let overall: SweepProgress
    /// What is to be said of the archive beside the store; nil where it has none of the runs.
    public let note: String?
    /// What could not be read.
    public let notes: [String]

    public init(of sweep: SweepFile, in store: Store) throws {
        self.sweep = sweep.name
        let known = Set(try store.knownRunIDs())
        note = try store.archiveNote(for: sweep.cells.map { try store.runID(of: $0, in: sweep.name) })
        let shortNames = ArmLabels.short(sweep.cells)
        let cells = try sweep.cells.map { cell in
            let short = "\(shortNames[cell.label] ?? cell.label),seed=\(cell.seed)"
            return try Self.status(of: cell, called: short, sweep: sweep.name, known, in: store)
        }
        self.cells = cells
        var live: [String: Double?] = [:]
        for cell in cells { for work in cell.work where work.owner != nil { live[work.stage] = .some(work.secondsLeft) } }
        let begun = try cells.map(\.run).filter { try known.contains($0) && !store.isOnlyArchived(run: $0) }
        var notes: [String] = []
        let outlook = SweepOutlook(of: sweep.name, in: store) { notes.append($0) }
        self.notes = notes
        overall = try SweepProgress(
            runs: cells.map(\.run), outlook, live: live,
            ended: cells.contains { $0.state == .running } ? nil : begun.compactMap { try? store.status(ofRun: $0).updated }.max(),
            stagesOfRun: { known.contains($0) ? (try? store.run($0)).map { Array($0.stages.values) } : nil }, in: store)
    }

    /// How many cells are in each state.
    public var counts: [Status.State: Int] { cells.reduce(into: [:]) { $0[$1.state, default: 0] += 1 } }

    /// Whether someone works on it.
    public var isUnderWay: Bool { cells.contains { $0.state == .running } }

    private static func status(
        of cell: Sweep.Cell, called shortName: String, sweep: String, _ known: Set<String>, in store: Store
    ) throws -> Cell {
        let id = try store.runID(of: cell, in: sweep)
        guard known.contains(id) else {
            return Cell(
                name: cell.name, shortName: shortName, run: id, state: .planned, stagesDone: nil, stages: nil, work: [], message: "",
                skipped: [:])
        }
        let run = try store.run(id)
        if try store.isOnlyArchived(run: id) {
            return Cell(
                name: cell.name, shortName: shortName, run: id, state: .done, stagesDone: run.stages.count, stages: run.stages.count,
                work: [],
                message: "in the archive", skipped: [:])
        }
        let status = try store.status(ofRun: id)
        let done = status.state == .done ? run.stages.count : try run.stages.values.count { try store.isDone(stage: $0) }
        let work = status.state == .done ? [] : Self.work(on: run, status, in: store)
        let message = run.stages[status.message] == nil ? status.message : work.first?.message ?? ""
        return Cell(
            name: cell.name, shortName: shortName, run: id, state: status.state, stagesDone: done, stages: run.stages.count,
            work: work, message: message, skipped: status.skipped ?? [:])
    }

    private static func work(on run: RunRecord, _ status: Status, in store: Store) -> [Work] {
        func work(_ role: String, _ stage: StageHandle, _ owner: StageOwner?) -> Work? {
            guard let progress = stage.status else { return nil }
            return Work(
                role: role, stage: stage.id, step: progress.step, steps: progress.steps, rate: owner == nil ? nil : progress.rate,
                values: progress.values, message: progress.message, owner: owner)
        }
        let live = run.stages.sorted { $0.key < $1.key }.compactMap { role, id -> Work? in
            let stage = store.stage(id: id)
            return stage.owner.flatMap { work(role, stage, $0) }
        }
        if !live.isEmpty { return live }
        // While a run is under way, its message names the stage it is at.
        guard let id = run.stages[status.message] else { return [] }
        return work(status.message, store.stage(id: id), nil).map { [$0] } ?? []
    }
}
