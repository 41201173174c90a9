import Dispatch
import Foundation
import Synchronization

/// Something that runs on a thread of its own. Tests share the few threads of a pool: all of them may be waiting for processes, and
/// what such a process waits for must not need one.
public final class OwnThread<Value: Sendable>: Sendable {
    private let outcome = Mutex<Result<Value, any Error>?>(nil)
    private let done = DispatchSemaphore(value: 0)

    public init(_ body: @escaping @Sendable () throws -> Value) {
        Thread.detachNewThread {
            let result = Result(catching: body)
            self.outcome.withLock { $0 = result }
            self.done.signal()
        }
    }

    /// Waits for its end.
    public func value() throws -> Value {
        done.wait()
        defer { done.signal() }
        guard let result = outcome.withLock({ $0 }) else { preconditionFailure("a thread ended without a result") }
        return try result.get()
    }
}
