import Files
import Foundation
import RunStore

/// Worker processes of our own program, started when there is work for them.
public final class ProcessPool: WorkerPool {
    private let workforce: Workforce
    private let program: String
    private let arguments: (_ number: Int) -> [String]
    private let context: ExperimentContext
    private var workers: [WorkerProcess] = []

    /// - Parameters:
    ///   - program: this program. `/proc/self/exe` stays the same when the file is replaced meanwhile.
    ///   - arguments: of the command that calls `Worker.run` on the same store, for the worker of a number from 1 on.
    public init(
        _ workforce: Workforce, program: String = "/proc/self/exe", arguments: @escaping (_ number: Int) -> [String],
        _ context: ExperimentContext
    ) {
        (self.workforce, self.program, self.arguments, self.context) = (workforce, program, arguments, context)
    }

    var size: Int { workforce.workers }
    var hasRoom: Bool { workers.count { $0.stage != nil } < workforce.workers }
    var isIdle: Bool { workers.allSatisfy { $0.stage == nil } }

    func begin(_ job: StageJob) throws {
        let worker = try workers.first { $0.stage == nil } ?? start()
        context.progress.note("[\(worker.number)] \(job.stage.role): \(job.stage.id)")
        try worker.begin(WorkerOrder(stage: job.stage.id, config: job.config, takesOver: job.takesOver))
    }

    private func start() throws -> WorkerProcess {
        let taken = Set(workers.map(\.number))
        let number = (1...).first { !taken.contains($0) } ?? 1
        let worker = try WorkerProcess(
            number: number, program: program, arguments: arguments(number),
            environment: [
                "PROLOGUE_THREADS": String(workforce.threads),
                // The backtrace of a crash goes to standard error, and from there to the stage's log.
                "SWIFT_BACKTRACE": "enable=yes,interactive=no,color=no,threads=crashed,registers=none,images=none",
            ])
        workers.append(worker)
        return worker
    }

    func ended(within seconds: Double) throws -> [(id: String, outcome: StageOutcome)] {
        var descriptors = workers.flatMap { worker in
            [worker.events, worker.errorOutput].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        }
        guard poll(&descriptors, nfds_t(descriptors.count), Int32(seconds * 1000)) > 0 else { return [] }
        var ended: [(id: String, outcome: StageOutcome)] = []
        for (place, worker) in workers.enumerated() {
            if descriptors[2 * place + 1].revents != 0 {
                for line in worker.readErrors() ?? [] { context.progress.note("[\(worker.number)] \(line)") }
            }
            guard descriptors[2 * place].revents != 0 else { continue }
            if let messages = worker.readEvents() {
                for message in messages { take(message, from: worker, &ended) }
            } else {
                reap(worker, &ended)
            }
        }
        return ended
    }

    private func take(_ message: WorkerMessage, from worker: WorkerProcess, _ ended: inout [(id: String, outcome: StageOutcome)]) {
        switch message {
        case .note(let line): context.progress.note("[\(worker.number)] \(line)")
        case .progress(let progress): context.progress.update(progress.received(lane: worker.number))
        case .finish: context.progress.finish(lane: worker.number)
        case .ended(let outcome):
            context.progress.finish(lane: worker.number)
            if let stage = worker.stage { ended.append((stage, outcome)) }
            worker.end()
        }
    }

    /// Takes note of a worker that has ended. If it was in the middle of a stage, the end of its standard error is logged with the
    /// stage.
    private func reap(_ worker: WorkerProcess, _ ended: inout [(id: String, outcome: StageOutcome)]) {
        workers.removeAll { $0 === worker }
        let end = worker.wait()
        context.progress.finish(lane: worker.number)
        guard let id = worker.stage else { return }
        let stage = context.store.stage(id: id)
        let story = ([end.description] + worker.errors).joined(separator: "\n")
        // The outcome is reported even where the log cannot be written.
        try? stage.log(story)
        if end.isFromOutside {
            ended.append((id, .killed(end.description)))
        } else {
            let reason = "\(end.description); \(stage.url("log.txt").path) has the end of its standard error"
            try? stage.fail(because: reason)
            ended.append((id, .failed(reason)))
        }
    }

    func stop() { for worker in workers { worker.dismiss() } }

    func close() {
        for worker in workers {
            worker.dismiss()
            while worker.readEvents() != nil {}
            _ = worker.wait()
        }
        workers = []
    }

    deinit { close() }
}
