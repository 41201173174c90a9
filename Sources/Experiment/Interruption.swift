import Foundation
import RunStore
import Synchronization

/// Ctrl-C and SIGTERM, turned into a request that training loops answer at their next step with a checkpoint.
/// A second signal ends the process at once; what was committed stays.
public enum Interruption {
    private static let requested = Atomic<Bool>(false)

    /// Starts listening. Call once, from the command line.
    ///
    /// - Parameter asWorker: Ctrl-C reaches every process at a terminal; a worker leaves it to who sent for it.
    public static func listen(asWorker: Bool = false) {
        // A pipe whose reader is gone is an error to handle, not an end.
        signal(SIGPIPE, SIG_IGN)
        if asWorker { signal(SIGINT, SIG_IGN) }
        for number in asWorker ? [SIGTERM] : [SIGINT, SIGTERM] {
            signal(number) { number in
                if Interruption.requested.exchange(true, ordering: .relaxed) { _exit(128 + number) }
            }
        }
    }

    /// Asks running work to stop at its next step.
    public static func request() { requested.store(true, ordering: .relaxed) }

    static var isRequested: Bool { requested.load(ordering: .relaxed) }

    /// Throws `Interrupted` if someone asked to stop.
    static func check() throws {
        if isRequested { throw Interrupted() }
    }
}
