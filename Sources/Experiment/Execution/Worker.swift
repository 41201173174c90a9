import Accelerators
import Files
import Foundation
import RunStore
import Settings
import Synchronization

/// The part of a worker process: makes the stages it is sent, one after the other, until its input ends.
///
/// The end of the input is also how the death of the coordinator is noticed, however it dies. A stage in the middle is
/// then asked to stop, and the process ends after a while if it does not.
public struct Worker {
    private let store: Store
    private let code: CodeVersion
    private let machine: Machine
    private let device: ModelDevice

    /// Seconds in which a stage has to come to its next step.
    private static let grace: UInt32 = 60

    public init(store: Store, code: CodeVersion, machine: Machine, device: ModelDevice = ModelDevice(.cpu)) {
        (self.store, self.code, self.machine, self.device) = (store, code, machine, device)
    }

    /// Reads orders from standard input and writes messages to standard output until the input ends.
    public func run() throws {
        // Whatever else writes to standard output must not get between the messages.
        let output = dup(STDOUT_FILENO)
        dup2(STDERR_FILENO, STDOUT_FILENO)
        let reporter = MessageReporter(output)
        let context = ExperimentContext(store: store, code: code, machine: machine, progress: reporter, device: device)
        let orders = OrderQueue()
        Thread.detachNewThread {
            while let line = readLine() { orders.put(Data(line.utf8)) }
            Interruption.request()
            orders.end()
            sleep(Self.grace)
            _exit(1)
        }
        while let line = orders.take() {
            let order = try MessageLine.decode(line, as: WorkerOrder.self)
            reporter.send(.ended(outcome(of: order, context)))
        }
    }

    private func outcome(of order: WorkerOrder, _ context: ExperimentContext) -> StageOutcome {
        do {
            let plan = try RunPlan(RunSettings(order.config, from: "the order"), context)
            guard let stage = plan.stages.first(where: { $0.id == order.stage }) else {
                throw InputError("these settings make no stage \(order.stage) any more: the data has changed since the sweep was begun")
            }
            return context.attempt(stage, takingOver: order.takesOver)
        } catch {
            return .failed("\(error)")
        }
    }

    /// Lines that have come in and wait to be worked on.
    private final class OrderQueue: @unchecked Sendable {
        private let condition = NSCondition()
        private var lines: [Data] = []
        private var hasEnded = false

        func put(_ line: Data) {
            condition.withLock { lines.append(line) }
            condition.signal()
        }

        func end() {
            condition.withLock { hasEnded = true }
            condition.signal()
        }

        /// Waits for the next; nil at the end.
        func take() -> Data? {
            condition.withLock {
                while lines.isEmpty, !hasEnded { condition.wait() }
                return lines.isEmpty ? nil : lines.removeFirst()
            }
        }
    }
}

/// Sends progress to the coordinator.
private final class MessageReporter: ProgressReporter {
    private let descriptor: Int32
    private var last = ContinuousClock.now - .seconds(1)

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    /// That the coordinator is gone is noticed where its messages are read.
    func send(_ message: WorkerMessage) {
        guard let line = try? MessageLine.encode(message) else { return }
        _ = MessageLine.write(line, to: descriptor)
    }

    func note(_ line: String) { send(.note(line)) }

    func update(_ progress: StageProgress) {
        guard progress.step == progress.steps || ContinuousClock.now - last >= .milliseconds(100) else { return }
        last = .now
        send(.progress(WorkerMessage.Progress(progress)))
    }

    func finish(lane: Int) { send(.finish) }
}
