import Foundation
import RunStore
import Synchronization

/// Ctrl-C and SIGTERM, turned into a request that training loops answer at their next step with a checkpoint.
/// A second signal ends the process at once; what was committed stays.
public enum Interruption {
    private static let requested = Atomic<Bool>(false)

    /// Starts listening. Call once, from the command line.
    public static func listen() {
        for number in [SIGINT, SIGTERM] {
            signal(number) { number in
                if Interruption.requested.exchange(true, ordering: .relaxed) { _exit(128 + number) }
            }
        }
    }

    /// Asks running work to stop at its next step.
    public static func request() { requested.store(true, ordering: .relaxed) }

    /// Throws `Interrupted` if someone asked to stop.
    static func check() throws {
        if requested.load(ordering: .relaxed) { throw Interrupted() }
    }
}
