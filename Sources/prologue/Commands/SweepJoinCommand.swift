import ArgumentParser
import Cluster
import Experiment
import Files
import Foundation
import RunStore
import Sweep

extension SweepCommand {
    struct Join: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make stages of a sweep that others work on too, until nothing is left that this process could do.",
            discussion: """
                The worker that 'sweep run --on' submits; other schedulers can start it as well, as often as there are to be \
                workers. It plans by itself, takes stages that nobody has claimed, waits for those that others make, and \
                leaves when they are enough for the rest. A signal stops it with a checkpoint and exit code 130: start it again.

                  prologue sweep join sweep.yaml --threads 4
                  prologue sweep join sweep.yaml --threads 4 --idle 60 --device xla
                """)

        @OptionGroup var sweep: FileOptions
        @Option(help: "Seconds without work after which it leaves the rest to others, where they are enough.") var idle = 300.0
        @Option(help: ArgumentHelp("Folder of the submission that it belongs to.", visibility: .hidden)) var submission: String?
        @OptionGroup var workforce: WorkforceOptions
        @OptionGroup var store: StoreOptions
        @OptionGroup var archive: ArchiveOptions

        func validate() throws {
            guard idle >= 0, idle <= 1e6 else { throw ValidationError("--idle must be 0 to 1000000, not \(idle)") }
        }

        func run() throws {
            Interruption.listen()
            let start = Date()
            let file = try sweep.load()
            var workforce = workforce
            workforce.workers = workforce.workers ?? 1
            let context = try store.context(
                threads: workforce.choice.threads, device: workforce.device.choice, archive: archive, beside: sweep.file)
            let folder = submission.map { URL(fileURLWithPath: $0) }
            let submission = try folder.map { try Submission(in: $0) }
            let earlierStop = submission.map(\.earlierStop) ?? StopRequest.last(sweep: file.name, in: context.store)?.id
            StopRequest.listen(sweep: file.name, in: context.store, earlier: earlierStop)
            let outcome: SweepRunner.Outcome
            do {
                outcome = try SweepRunner(file, context).join(
                    try workforce.pool(context), Joining(failuresSince: submission?.submitted ?? start, idleLimit: idle))
            } catch is Interrupted where StopRequest.isHeard {
                return context.progress.note("stopped, as 'prologue sweep stop' asked")
            }
            if outcome.hasLeft { return context.progress.note("what is left is for others: nothing to do here any more") }
            if let command = submission?.onEnd, let folder, Submission.claimEnd(in: folder) {
                EndCommand(command: command, sweep: file.name, store: context.store).run(outcome)
            }
            try report(outcome, isQuiet: store.quiet)
        }
    }
}
