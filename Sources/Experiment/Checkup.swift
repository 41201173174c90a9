import Files
import Foundation
import ImageData
import RunStore
import TensorCore

/// What this program finds on this machine: libraries, processor, data sets, the store; and what is wrong with it.
public struct Checkup: Sendable {
    public struct Finding: Sendable {
        public let topic, found: String
        /// What is wrong, and what to do about it.
        public let warning: String?
    }

    public private(set) var findings: [Finding] = []

    public init(store: URL) {
        add("Swift", Self.compiler)
        add("OpenBLAS", BLAS.configuration)
        add("HDF5", StoreLibraries.hdf5)
        add("SQLite", StoreLibraries.sqlite)
        add("libpng", ImageLibraries.png)
        add("zlib", ImageLibraries.zlib)
        add("OpenSSL", openSSLVersion)
        checkMachine()
        checkDataSets()
        checkStore(store)
    }

    private mutating func add(_ topic: String, _ found: String, warning: String? = nil) {
        findings.append(Finding(topic: topic, found: found, warning: warning))
    }

    private mutating func checkMachine() {
        let machine = Machine.current()
        add("processor", "\(machine.processor), \(machine.cores) cores")
        let budget = AvailableMemory.current()
        add(
            "memory",
            "\(Self.gigabytes(machine.memoryBytes)) GB, \(Self.gigabytes(Int(min(budget.bytes, 1e18)))) GB to be had (\(budget.limit))")
        let setting = ProcessInfo.processInfo.environment["OPENBLAS_CORETYPE"]
        add(
            "OpenBLAS core", BLAS.core + (setting.map { ", OPENBLAS_CORETYPE=\($0)" } ?? ""),
            warning: Self.coreWarning(core: BLAS.core, on: InstructionSet.supported.last ?? .plain, isForced: setting != nil))
        add(
            "kernels",
            "\(InstructionSet.current)" + (ProcessInfo.processInfo.environment["PROLOGUE_KERNELS"].map { ", PROLOGUE_KERNELS=\($0)" } ?? "")
        )
        let threads = Parallel.threads
        add(
            "threads", "\(threads)",
            warning: threads > machine.cores
                ? "more threads than cores: each waits for the others; lower PROLOGUE_THREADS to \(machine.cores)" : nil)
    }

    private mutating func checkDataSets() {
        if let folder = FashionMNIST.installedFolder {
            add("data: fashion-mnist", folder.path)
        } else {
            add(
                "data: fashion-mnist", "not found",
                warning: "install the Debian package dataset-fashion-mnist or name its folder with data.path; "
                    + "data.set: shapes needs no files")
        }
        add("data: shapes", "built in")
    }

    private mutating func checkStore(_ store: URL) {
        // Where the store is not made yet, the nearest folder above it that is there decides.
        var place = store.standardizedFileURL
        while !FileManager.default.fileExists(atPath: place.path), place.pathComponents.count > 1 {
            place.deleteLastPathComponent()
        }
        let exists = place.path == store.standardizedFileURL.path
        let (reads, writes) = (access(place.path, R_OK) == 0, access(place.path, W_OK) == 0)
        let state = exists ? (writes ? "" : " (read-only)") : " (not made yet)"
        add(
            "store", store.path + state,
            warning: !reads
                ? "\(place.path) cannot be read"
                : writes ? nil : "\(place.path) cannot be written: runs cannot be made here")
        let system = FileSystem(ofStore: place)
        add(
            "store's file system",
            !system.isShared
                ? "\(system.name), of this host: index in the store, curves that can be read while they grow"
                : "\(system.name), shared with other hosts: claims by signs of life, index in \(Store.indexFile(of: store.standardizedFileURL, isShared: true).path), "
                    + "curves replaced as a whole at checkpoints")
        guard let free = DiskSpace(of: place)?.free else { return }
        add(
            "disk free", "\(Self.gigabytes(free)) GB",
            warning: free < 1 << 30 ? "less than 1 GB is left for checkpoints and samples" : nil)
    }

    /// Warns where OpenBLAS runs kernels for an older processor than this one, which costs up to three quarters of its speed.
    package static func coreWarning(core: String, on instructions: InstructionSet, isForced: Bool) -> String? {
        guard BLAS.fasterCore(than: core, on: instructions) != nil, let used = BLAS.instructionSet(ofCore: core) else { return nil }
        return "OpenBLAS runs \(core) kernels (\(used) instructions) on a processor with \(instructions): "
            + (isForced ? "run 'unset OPENBLAS_CORETYPE' for full speed" : "a newer OpenBLAS may know this processor")
    }

    private static func gigabytes(_ bytes: Int) -> String { String(format: "%.1f", Double(bytes) / 1e9) }

    private static var compiler: String {
        #if compiler(>=6.4)
            "6.4 or newer"
        #elseif compiler(>=6.3)
            "6.3"
        #elseif compiler(>=6.2)
            "6.2"
        #else
            "6.1"
        #endif
    }
}
