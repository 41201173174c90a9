import Files
import Foundation
import RunStore
import Synchronization
import TestSupport
import Testing

/// The error's text if `body` throws an `InputError`; a test failure otherwise.
func inputError(_ body: () throws -> Void) throws -> String {
    try #require(throws: InputError.self, performing: body).message
}

/// Starts Python code, does `body` beside it, and returns what the code printed in the end. Both hold their threads: a test
/// that gave its thread up meanwhile might get it back minutes later, when others have done their waiting.
func python(_ code: String, _ arguments: [String], while body: () throws -> Void) throws -> String {
    let result = Mutex<Result<String, any Error>?>(nil)
    let done = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
        let found = Result { try python(code, arguments: arguments) }
        result.withLock { $0 = found }
        done.signal()
    }
    try body()
    done.wait()
    return try result.withLock { try $0!.get() }
}

/// Holds the thread until the file is there.
func awaitFile(_ path: String) {
    while !FileManager.default.fileExists(atPath: path) { usleep(5000) }
}

/// A clock that goes on when it is told to.
final class ManualClock: Sendable {
    private let seconds = Mutex(0.0)

    func advance(_ step: Double) { seconds.withLock { $0 += step } }

    func timing(staleAfter: Double) -> LockTiming {
        var timing = LockTiming(staleAfter: staleAfter, poll: 0.001)
        timing.now = { [self] in seconds.withLock { $0 } }
        return timing
    }
}
