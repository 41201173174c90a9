import Experiment
import Files
import Foundation
import RunStore

/// A command of the user's for when a sweep ends.
struct EndCommand {
    /// What happened.
    enum Event: String {
        case done, failed, interrupted
        /// Work failed because the disk is full.
        case space
    }

    let command: String
    let sweep: String
    let store: Store

    /// Runs it through the shell; that it fails is said, and changes nothing.
    func run(_ event: Event, done: Int = 0, failed: Int = 0, message: String = "") {
        let facts = [
            "PROLOGUE_EVENT": event.rawValue, "PROLOGUE_SWEEP": sweep, "PROLOGUE_STORE": store.directory.path,
            "PROLOGUE_RUNS_DONE": String(done), "PROLOGUE_RUNS_FAILED": String(failed), "PROLOGUE_MESSAGE": String(message.prefix(10_000)),
        ]
        for (name, value) in facts { setenv(name, value, 1) }
        // Foundation's `Process` would wait for everything that the command leaves in the background.
        let status = system(command)
        if status != 0 { complain("warning: --on-end: '\(command)' ended with code \(status < 0 ? status : (status >> 8) & 0xFF)") }
    }

    func run(_ outcome: SweepRunner.Outcome) {
        let message = outcome.failed.map { "\($0.run): \($0.error)" }.joined(separator: "\n")
        let event: Event = outcome.failed.isEmpty ? .done : message.contains(systemReason(for: ENOSPC)) ? .space : .failed
        run(event, done: outcome.done.count, failed: outcome.failed.count, message: message)
    }

    /// Runs `work`, and the command after it however it ends.
    static func after(
        _ work: () throws -> SweepRunner.Outcome, _ command: EndCommand?
    ) throws -> SweepRunner.Outcome {
        do {
            let outcome = try work()
            command?.run(outcome)
            return outcome
        } catch {
            let message = error is Interrupted ? "" : systemReason(for: error)
            command?.run(
                error is Interrupted ? .interrupted : message.contains(systemReason(for: ENOSPC)) ? .space : .failed, message: message)
            throw error
        }
    }
}
