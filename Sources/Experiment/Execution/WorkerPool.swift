import Files
import Foundation
import RunStore
import TensorCore

/// A stage that is to be made, with the settings of a run that it is a stage of.
struct StageJob {
    let stage: any Stage
    let config: JSONValue
    /// An owner that has been found dead: its claim is not waited for.
    let takesOver: StageOwner?
}

/// How an attempt to make a stage ended.
enum StageOutcome: Codable, Equatable {
    case done(isReused: Bool, seconds: Double)
    case failed(String)
    /// Another process works on it.
    case held(String)
    /// A stage that it was to be made from could not be read, and has to be made again.
    case damaged(input: String, reason: String)
    case interrupted
    /// The process that worked on it was ended from outside.
    case killed(String)
}

/// Processes that make stages.
protocol WorkerPool: AnyObject {
    /// How many stages can be made at once.
    var size: Int { get }
    /// Whether another stage can be begun now.
    var hasRoom: Bool { get }
    var isIdle: Bool { get }
    func begin(_ job: StageJob) throws
    /// The stages that have ended, by id; waits for `seconds` at most where there are none.
    func ended(within seconds: Double) throws -> [(id: String, outcome: StageOutcome)]
    /// Requests cancellation of all running stages; their outcomes still come from `ended`.
    func stop()
    /// Ends the processes. Call when nothing is running any more.
    func close()
}

/// This process itself, which makes one stage after the other.
final class SingleProcess: WorkerPool {
    private let context: ExperimentContext
    private var finished: [(id: String, outcome: StageOutcome)] = []

    init(_ context: ExperimentContext) { self.context = context }

    var size: Int { 1 }
    var hasRoom: Bool { finished.isEmpty }
    var isIdle: Bool { finished.isEmpty }

    func begin(_ job: StageJob) {
        finished.append((job.stage.id, context.attempt(job.stage, takingOver: job.takesOver)))
    }

    func ended(within seconds: Double) -> [(id: String, outcome: StageOutcome)] {
        if finished.isEmpty { Thread.sleep(forTimeInterval: seconds) }
        defer { finished = [] }
        return finished
    }

    func stop() {}
    func close() {}
}

extension ExperimentContext {
    /// Makes sure that a stage is complete: reuses it, waits for another process that works on it, or does the work.
    func perform(_ stage: any Stage) throws -> Store.StageResult {
        var told = false
        return try perform(stage, takingOver: nil) { message in
            if !told { progress.note(message) }
            told = true
            try Interruption.check()
        }
    }

    /// Does the work of a stage, unless another process is doing it; says how it went.
    func attempt(_ stage: any Stage, takingOver: StageOwner?) -> StageOutcome {
        struct Held: Error { let message: String }
        do {
            let result = try perform(stage, takingOver: takingOver) { throw Held(message: $0) }
            return .done(isReused: result.isReused, seconds: result.record.wallSeconds)
        } catch let held as Held {
            return .held(held.message)
        } catch is Interrupted {
            return .interrupted
        } catch {
            if let damage = try? store.invalidateDamagedInput(of: stage.identity) {
                return .damaged(input: damage.id, reason: damage.reason)
            }
            return .failed("\(error)")
        }
    }

    private func perform(
        _ stage: any Stage, takingOver: StageOwner?, waiting: (String) throws -> Void
    ) throws -> Store.StageResult {
        try store.perform(
            stage.identity, code: code, machine: machine, takingOver: takingOver, waiting: waiting,
            work: { work in
                try Interruption.check()
                // What one stage needed is not kept for the next, which needs other sizes.
                defer { BufferPool.shared.trim() }
                device.note = { try? work.log($0) }
                defer { device.note = { _ in } }
                let (summary, name) = try device.noting { try RefusedProgram.kept(with: work) { try stage.perform(work, self) } }
                return stage.noted(in: summary, device: name)
            })
    }
}
