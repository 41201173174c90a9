import Files
import Foundation
import RunStore
import Sweep

/// What a sweep was made of when it was last begun, kept in the store: so `sweep status` knows the stages of runs that are
/// still to come without reading any data.
struct SweepOutlook: Codable {
    var begun: Date
    /// Ids of the stages of each run, by the run's id.
    var runs: [String: [String]]
    /// Seconds that stages were expected to take, by id; without those that nothing could be estimated from.
    var seconds: [String: Double]

    static func file(_ sweep: String, in store: Store) -> URL {
        store.directory.appendingPathComponent("sweeps").appendingPathComponent("\(sweep).json")
    }

    /// Nil where there is none, or none that can be read, which `say` is told of.
    init?(of sweep: String, in store: Store, say: (String) -> Void) {
        do {
            guard let read: SweepOutlook = try RecordFile.read(Self.file(sweep, in: store)) else { return nil }
            self = read
        } catch {
            say("\(error); 'prologue sweep run' writes it anew")
            return nil
        }
    }

    init(begun: Date, runs: [String: [String]], seconds: [String: Double]) {
        (self.begun, self.runs, self.seconds) = (begun, runs, seconds)
    }

    func write(_ sweep: String, in store: Store) throws {
        let file = Self.file(sweep, in: store)
        let folder = file.deletingLastPathComponent()
        try RecordFile.makeDirectory(folder)
        try AtomicFile.removeLeftovers(in: folder)
        try RecordFile.write(self, to: file)
    }
}

extension SweepRunner {
    /// - Parameter plans: as `plans()` gives them.
    func outlook(_ plans: [(cell: Cell, plan: RunPlan)], estimator: inout StageEstimator) throws -> SweepOutlook {
        var runs: [String: [String]] = [:]
        var seconds: [String: Double] = [:]
        for (cell, plan) in plans {
            runs[try context.store.runID(of: cell, in: sweep.name)] = plan.stages.map(\.id)
            for stage in plan.stages where try seconds[stage.id] == nil && !context.store.stage(stage.identity).isComplete {
                seconds[stage.id] = estimator.wholeEstimate(stage.identity, stage.cost)?.seconds
            }
        }
        return SweepOutlook(begun: Date(), runs: runs, seconds: seconds)
    }
}

/// A sweep as a whole: how many of its stages are there, and how long the others will take.
public struct SweepProgress: Equatable, Sendable {
    /// Stages that are complete and all that there are, those that runs share counted once.
    public let done, stages: Int
    /// Runs that have never been begun and whose stages are therefore not known, nor counted.
    public let unknownRuns: Int
    /// Seconds since the sweep was last begun, up to now or to when the last work on it ended; nil where it never was.
    public let elapsed: Double?
    /// Estimated seconds of work that are left, for as many workers as there are now; nil where it cannot be estimated.
    public let secondsLeft: Double?

    /// - Parameters:
    ///   - live: seconds left of the stages that are worked on now, by id; nil where that is not known yet.
    ///   - ended: when the last work on the sweep was noted; nil while it is under way.
    init(
        runs: [String], _ outlook: SweepOutlook?, live: [String: Double?], ended: Date?, stagesOfRun: (String) -> [String]?,
        in store: Store
    ) throws {
        var ids: Set<String> = []
        var unknown = 0
        for run in runs {
            if let stages = stagesOfRun(run) ?? outlook?.runs[run] { ids.formUnion(stages) } else { unknown += 1 }
        }
        var left: [Double?] = []
        var finished: [String: [Double]] = [:]
        var open: [String] = []
        for id in ids {
            let stage = store.stage(id: id)
            if try stage.isComplete {
                finished[Self.kind(id), default: []].append(try stage.record?.wallSeconds ?? 0)
            } else if try !store.isDone(stage: id) {
                open.append(id)
            }
        }
        for id in open {
            if let seconds = live[id] ?? nil {
                left.append(seconds)
                continue
            }
            // The stages that this sweep has finished are the best guide.
            let same = finished[Self.kind(id)].map { $0.reduce(0, +) / Double($0.count) }
            let whole = outlook?.seconds[id] ?? same
            let status = store.stage(id: id).status
            let share = status.flatMap { status in status.steps.map { 1 - Double(status.step) / Double(max(1, $0)) } } ?? 1
            left.append(whole.map { $0 * max(0, share) })
        }
        (done, stages, unknownRuns) = (ids.count - open.count, ids.count, unknown)
        elapsed = outlook.map { max(0, (ended ?? Date()).timeIntervalSince($0.begun)) }
        let known = left.compactMap { $0 }
        guard known.count == left.count, unknown == 0 else {
            secondsLeft = nil
            return
        }
        // Workers share what is left, but one stage is one worker's.
        let longest = live.values.compactMap { $0 }.max() ?? 0
        secondsLeft = max(known.reduce(0, +) / Double(max(1, live.count)), longest)
    }

    private static func kind(_ id: String) -> String { String(id.prefix { $0 != "-" }) }
}
