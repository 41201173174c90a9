import Experiment
import Files
import Foundation
import RunStore
import Synchronization

/// Draws pictures that somebody asks for: one job at a time, which can be cancelled; the last results are kept in memory.
final class DrawDesk: Sendable {
    /// What one run draws in a job.
    struct Part: Sendable {
        let run: String
        /// What the run is called beside others.
        let label: String
        let request: RunDrawing.Request

        init(run: String, label: String = "", _ request: RunDrawing.Request) {
            (self.run, self.label, self.request) = (run, label.isEmpty ? run : label, request)
        }
    }

    /// What a job is about, so that pages find it again.
    enum Subject: Hashable, Sendable {
        case asked
        case sample(run: String, sampler: String, number: Int)
        /// Arms of a sweep beside each other.
        case sweep(String)
    }

    enum State: Sendable {
        case running(drawn: Int)
        /// Of each part what it drew, or why it did not.
        case done([Result<RunDrawing.Drawn, InputError>])
        case failed(String)
        case cancelled
    }

    struct Job: Sendable {
        let number: Int
        let subject: Subject
        /// One at least.
        let parts: [Part]
        var state: State

        /// Pictures of all parts.
        var count: Int { parts.reduce(0) { $0 + $1.request.count } }

        /// What a part drew; nil before, and where it failed.
        func drawn(_ part: Int) -> RunDrawing.Drawn? {
            guard case .done(let results) = state, results.indices.contains(part) else { return nil }
            return try? results[part].get()
        }
    }

    private struct Jobs {
        var next = 1
        var all: [Int: Job] = [:]
        var running: Int?
        var isCancelled = false
    }

    /// Results that are kept, and pictures of one job at most.
    private static let kept = 24
    static let most = 2000
    private let jobs = Mutex(Jobs())
    private let loaded = Mutex<RunDrawing?>(nil)
    private let context: @Sendable () -> ExperimentContext
    private let named: @Sendable (String, [String]) -> Void
    private let queue = DispatchQueue(label: "drawing", qos: .utility)

    /// - Parameter named: told the names of a run's classes, which are known once its data have been read.
    init(named: @escaping @Sendable (String, [String]) -> Void, _ context: @escaping @Sendable () -> ExperimentContext) {
        (self.named, self.context) = (named, context)
    }

    /// Begins to draw; returns the job's number.
    ///
    /// - Throws: `InputError` while another job runs, and where it would be too many pictures.
    func begin(_ parts: [Part], about subject: Subject = .asked) throws -> Int {
        let count = parts.reduce(0) { $0 + $1.request.count }
        guard count <= Self.most else { throw InputError("\(count) pictures are too many for one job; \(Self.most) may be drawn.") }
        let number = try jobs.withLock { jobs throws(InputError) -> Int in
            guard jobs.running == nil else { throw InputError("Something is being drawn already; wait for it, or cancel it.") }
            let number = jobs.next
            (jobs.next, jobs.running, jobs.isCancelled) = (number + 1, number, false)
            jobs.all[number] = Job(number: number, subject: subject, parts: parts, state: .running(drawn: 0))
            jobs.all[number - Self.kept] = nil
            return number
        }
        queue.async { [self] in
            let state = draw(parts, number)
            jobs.withLock { jobs in
                jobs.all[number]?.state = state
                jobs.running = nil
            }
        }
        return number
    }

    private func draw(_ parts: [Part], _ number: Int) -> State {
        var results: [Result<RunDrawing.Drawn, InputError>] = []
        var before = 0
        do {
            try loaded.withLock { loaded in
                // Runs of one job share what they are made of.
                let context = context()
                for part in parts {
                    do {
                        if loaded?.run != part.run { loaded = nil }
                        let drawing = try loaded ?? RunDrawing(part.run, context)
                        loaded = drawing
                        named(part.run, drawing.classNames)
                        let drawn = try drawing.draw(part.request) { drawn in
                            jobs.withLock { jobs in
                                jobs.all[number]?.state = .running(drawn: before + drawn)
                                return !jobs.isCancelled
                            }
                        }
                        results.append(.success(drawn))
                    } catch let error as InputError {
                        guard parts.count > 1 else { throw error }
                        results.append(.failure(error))
                    }
                    before += part.request.count
                }
            }
            return .done(results)
        } catch is Interrupted {
            return .cancelled
        } catch {
            return .failed((error as? InputError)?.message ?? "\(error)")
        }
    }

    func cancel() { jobs.withLock { $0.isCancelled = true } }

    func job(_ number: Int) -> Job? { jobs.withLock { $0.all[number] } }

    /// The newest job about something.
    func job(about subject: Subject) -> Job? {
        jobs.withLock { $0.all.values.filter { $0.subject == subject }.max { $0.number < $1.number } }
    }

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
