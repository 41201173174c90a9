import Foundation
import RunStore
import Synchronization

/// Signals turned into a request that training loops answer at their next step with a checkpoint.
///
/// Job schedulers, terminals and people ask in many ways, and more than once: SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 and Ctrl-C all
/// mean the same. Only a second Ctrl-C ends the process at once; what was committed stays.
public enum Interruption {
    private static let requested = Atomic<Bool>(false)
    private static let keyboard = Atomic<Bool>(false)

    /// Starts listening. Call once, from the command line.
    ///
    /// - Parameter asWorker: Ctrl-C reaches every process at a terminal; a worker leaves it to its coordinator.
    public static func listen(asWorker: Bool = false) {
        // Writing to a closed pipe, or beyond the limit of a file's size, is to be an error and not to end the process.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        for number in [SIGTERM, SIGUSR1, SIGUSR2] { signal(number) { _ in Interruption.request() } }
        // `nohup` starts programs with this one ignored, and it is to stay so.
        if !isIgnored(SIGHUP) { signal(SIGHUP) { _ in Interruption.request() } }
        if asWorker {
            signal(SIGINT, SIG_IGN)
        } else {
            signal(SIGINT) { number in
                Interruption.request()
                if Interruption.keyboard.exchange(true, ordering: .relaxed) { _exit(128 + number) }
            }
        }
    }

    /// Asks running work to stop at its next step.
    public static func request() { requested.store(true, ordering: .relaxed) }

    public static var isRequested: Bool { requested.load(ordering: .relaxed) }

    /// Throws `Interrupted` if someone asked to stop.
    static func check() throws {
        if isRequested { throw Interrupted() }
    }

    private static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        return sigaction(number, nil, &action) == 0 && unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }
}
