import ArgumentParser
import Cluster
import Experiment
import Files
import Foundation
import RunStore
import Sweep

extension SweepCommand {
    struct Stop: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stop everyone who works on a sweep, on any host, with a checkpoint.",
            discussion: """
                Workers see the request in the store and stop at their next step; those that a scheduler has not started \
                yet leave the queue. 'prologue sweep run' goes on where they were.

                  prologue sweep stop sweep.yaml
                  prologue sweep stop sweep.yaml --wait 0
                """)

        @OptionGroup var sweep: FileOptions
        @Option(help: "Seconds to wait until all have stopped.") var wait = 120.0
        @OptionGroup var store: StoreOptions

        func validate() throws {
            guard wait >= 0, wait <= 86_400 else { throw ValidationError("--wait must be 0 to 86400, not \(wait)") }
        }

        func run() throws {
            let file = try sweep.load()
            let store = try self.store.existing()
            try store.requireWritable()
            try StopRequest.make(sweep: file.name, in: store)
            let queued = SweepWorkers(of: file.name, in: store).tasks.filter(\.isQueued)
            for job in Set(queued.map(\.job)).sorted() { try Slurm.cancelQueued(job) }
            if !queued.isEmpty { say("\(queued.count) queued \(queued.count == 1 ? "worker" : "workers") cancelled") }
            let end = ContinuousClock.now + .seconds(wait)
            while true {
                let status = try SweepStatus(of: file, in: store)
                let workers = SweepWorkers(of: file.name, in: store)
                // One may have queued up again just now.
                for job in Set(workers.tasks.filter(\.isQueued).map(\.job)).sorted() { try Slurm.cancelQueued(job) }
                for note in workers.notes { say("note: \(note)") }
                guard status.isUnderWay || workers.isUnderWay else { return say("nobody works on \(file.name) any more") }
                guard ContinuousClock.now < end else {
                    let owners = Set(status.cells.flatMap(\.work).compactMap { $0.owner?.description }).sorted()
                    say("asked to stop; still at work: \((owners + workers.lines).joined(separator: ", "))")
                    throw ExitCode(wait == 0 ? 0 : 1)
                }
                Thread.sleep(forTimeInterval: 1)
            }
        }

        private func say(_ line: String) { if !store.quiet { print(line) } }
    }
}
