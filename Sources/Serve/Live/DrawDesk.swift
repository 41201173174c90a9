import Experiment
import Files
import Foundation
import RunStore
import Synchronization

/// Draws pictures that somebody asks for: one job at a time, which can be cancelled; the last results are kept in memory.
final class DrawDesk: Sendable {
    enum State: Sendable {
        case running(drawn: Int)
        case done(RunDrawing.Drawn)
        case failed(String)
        case cancelled
    }

    struct Job: Sendable {
        let number: Int
        let run: String
        let request: RunDrawing.Request
        var state: State
    }

    private struct Jobs {
        var next = 1
        var all: [Int: Job] = [:]
        var running: Int?
        var isCancelled = false
    }

    /// Results that are kept.
    private static let kept = 24
    private let jobs = Mutex(Jobs())
    private let loaded = Mutex<RunDrawing?>(nil)
    private let context: @Sendable () -> ExperimentContext
    private let queue = DispatchQueue(label: "drawing", qos: .utility)

    init(_ context: @escaping @Sendable () -> ExperimentContext) { self.context = context }

    /// Begins to draw; returns the job's number.
    ///
    /// - Throws: `InputError` while another job runs.
    func begin(_ request: RunDrawing.Request, run: String) throws -> Int {
        let number = try jobs.withLock { jobs throws(InputError) -> Int in
            guard jobs.running == nil else { throw InputError("Something is being drawn already; wait for it, or cancel it.") }
            let number = jobs.next
            (jobs.next, jobs.running, jobs.isCancelled) = (number + 1, number, false)
            jobs.all[number] = Job(number: number, run: run, request: request, state: .running(drawn: 0))
            jobs.all[number - Self.kept] = nil
            return number
        }
        queue.async { [self] in
            let state = draw(request, run: run, number)
            jobs.withLock { jobs in
                jobs.all[number]?.state = state
                jobs.running = nil
            }
        }
        return number
    }

    private func draw(_ request: RunDrawing.Request, run: String, _ number: Int) -> State {
        do {
            return try loaded.withLock { loaded in
                if loaded?.run != run { loaded = nil }
                let drawing = try loaded ?? RunDrawing(run, context())
                loaded = drawing
                return .done(
                    try drawing.draw(request) { drawn in
                        jobs.withLock { jobs in
                            jobs.all[number]?.state = .running(drawn: drawn)
                            return !jobs.isCancelled
                        }
                    })
            }
        } catch is Interrupted {
            return .cancelled
        } catch {
            return .failed((error as? InputError)?.message ?? "\(error)")
        }
    }

    func cancel() { jobs.withLock { $0.isCancelled = true } }

    func job(_ number: Int) -> Job? { jobs.withLock { $0.all[number] } }

    /// Those that are kept, the newest first.
    var all: [Job] { jobs.withLock { $0.all.values.sorted { $0.number > $1.number } } }

    var running: Job? { jobs.withLock { jobs in jobs.running.flatMap { jobs.all[$0] } } }

    /// Changes with every step of a job.
    var stamp: String {
        jobs.withLock { jobs in
            guard let number = jobs.running, case .running(let drawn)? = jobs.all[number]?.state else { return "\(jobs.next)" }
            return "\(jobs.next) \(drawn)"
        }
    }
}
