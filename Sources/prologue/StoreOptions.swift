import Accelerators
import ArgumentParser
import Experiment
import Files
import Foundation
import RunStore
import TensorCore

/// Options of every command that works on a store.
struct StoreOptions: ParsableArguments {
    @Option(help: "Folder of the store (default: $PROLOGUE_STORE, else results/store).")
    var store: String?
    @Flag(name: .shortAndLong, help: "No progress and no remarks: only what was asked for, and what failed.") var quiet = false

    var directory: URL {
        let path = store ?? ProcessInfo.processInfo.environment["PROLOGUE_STORE"] ?? "results/store"
        return URL(fileURLWithPath: path, isDirectory: true)
    }

    /// The store, for commands that only look at it.
    func existing() throws -> Store {
        guard FileManager.default.fileExists(atPath: directory.path) else {
            throw InputError(
                file: directory.path, "there is no store here; 'prologue sweep run' makes one, --store names another")
        }
        return try Store(directory: directory)
    }

    /// The commit this program was built from, where it still lies in the repository it was built in.
    private static var code: CodeVersion {
        let program = Bundle.main.executableURL?.resolvingSymlinksInPath()
        return program.map { CodeVersion.detect(in: $0.deletingLastPathComponent()) } ?? .unknown
    }

    /// The store and all that stages need.
    ///
    /// - Parameters:
    ///   - threads: that each stage is made with, here or in a worker.
    ///   - device: where models run that have programs.
    ///   - archive: what is read beside the store.
    ///   - sweep: the file beside which an archive may lie.
    func context(
        threads: Int? = nil, device: DeviceChoice = .cpu, archive: ArchiveOptions? = nil, beside sweep: String? = nil
    ) throws -> ExperimentContext {
        if let threads { Parallel.threads = threads }
        try device.check()
        return ExperimentContext(
            store: try archive?.attached(to: Store(directory: directory), beside: sweep) ?? Store(directory: directory),
            code: Self.code, machine: Self.machine(device), progress: ConsoleProgress(isQuiet: quiet),
            device: modelDevice(DeviceShare(device)))
    }

    /// This process as a worker on the store.
    func worker(_ share: DeviceShare) throws -> Worker {
        Worker(
            store: try Store(directory: directory), code: Self.code, machine: Self.machine(share.choice), device: modelDevice(share))
    }

    /// Compiled programs are kept with the store's data.
    private func modelDevice(_ share: DeviceShare) -> ModelDevice {
        ModelDevice(share, programs: directory.appendingPathComponent("data/programs"))
    }

    private static func machine(_ device: DeviceChoice) -> Machine {
        Machine.current(
            blasCore: BLAS.core, blasThreads: String(Parallel.threads), kernels: "\(InstructionSet.current)",
            device: device == .cpu ? nil : device.description)
    }
}
