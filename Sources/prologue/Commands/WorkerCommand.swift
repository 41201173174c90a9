import Accelerators
import ArgumentParser
import Experiment

/// What `sweep run --workers` starts.
struct WorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Make stages for a running sweep; 'sweep run --workers' starts this by itself.",
        discussion: """
            Reads what to make from standard input, a line of JSON each, and reports on standard output.

              prologue worker --store results/store
            """,
        shouldDisplay: false)

    @OptionGroup var store: StoreOptions
    @OptionGroup var device: DeviceOptions
    @Option(help: "Share of the devices' memory, where other workers use them, too.") var deviceMemory: Double?

    func run() throws {
        Interruption.listen(asWorker: true)
        try store.worker(DeviceShare(device.choice, memory: deviceMemory)).run()
    }
}
