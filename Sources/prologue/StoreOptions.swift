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
    @Flag(name: .shortAndLong, help: "No progress, results only.") var quiet = false

    var directory: URL {
        let path = store ?? ProcessInfo.processInfo.environment["PROLOGUE_STORE"] ?? "results/store"
        return URL(fileURLWithPath: path, isDirectory: true)
    }

    /// The store and all that stages need.
    func context() throws -> ExperimentContext {
        ExperimentContext(
            store: try Store(directory: directory),
            code: CodeVersion.detect(in: URL(fileURLWithPath: FileManager.default.currentDirectoryPath)),
            machine: Machine.current(blasCore: BLAS.core, blasThreads: String(Parallel.threads)),
            progress: ConsoleProgress(isQuiet: quiet))
    }
}
