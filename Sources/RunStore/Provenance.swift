import Foundation

/// Which code made a result.
public struct CodeVersion: Codable, Equatable, Sendable {
    /// The git commit, or `unknown` outside a repository.
    public var commit: String
    /// Whether tracked files differed from the commit.
    public var hasLocalChanges: Bool

    public init(commit: String, hasLocalChanges: Bool) {
        self.commit = commit
        self.hasLocalChanges = hasLocalChanges
    }

    public static let unknown = CodeVersion(commit: "unknown", hasLocalChanges: false)

    /// The version checked out in the repository that `directory` is in; `unknown` where git or a repository is missing.
    public static func detect(in directory: URL) -> CodeVersion {
        guard let commit = git(["rev-parse", "HEAD"], in: directory),
            let changes = git(["status", "--porcelain", "--untracked-files=no"], in: directory)
        else { return .unknown }
        return CodeVersion(commit: commit, hasLocalChanges: !changes.isEmpty)
    }

    private static func git(_ arguments: [String], in directory: URL) -> String? {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["git", "-C", directory.path] + arguments
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { return nil }
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    enum CodingKeys: String, CodingKey {
        case commit
        case hasLocalChanges = "has_local_changes"
    }
}

/// What a result was made on.
public struct Machine: Codable, Hashable, Sendable {
    public var host: String
    public var processor: String
    public var cores: Int
    public var memoryBytes: Int
    /// The kernels the linear algebra library chose, and how many threads it was given: they decide speed and rounding.
    public var blasCore: String
    public var blasThreads: String
    /// The instructions that the engine's own kernels use; nil in records made before it was written down.
    public var kernels: String?
    /// What was asked for with `--device`, where that is not this program's own kernels; a stage that ran there says so itself.
    public var device: String?

    /// This machine; what the linear algebra library says of itself is the caller's to give.
    public static func current(blasCore: String = "unknown", blasThreads: String = "unknown", kernels: String? = nil, device: String? = nil)
        -> Machine
    {
        let cpuInfo = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let model = cpuInfo.split(separator: "\n").first { $0.hasPrefix("model name") }?
            .split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) }
        return Machine(
            host: hostName, processor: model ?? "unknown", cores: ProcessInfo.processInfo.activeProcessorCount,
            memoryBytes: Int(ProcessInfo.processInfo.physicalMemory), blasCore: blasCore, blasThreads: blasThreads,
            kernels: kernels, device: device)
    }

    /// The kernel's name for this host. (`ProcessInfo.hostName` asks the network.)
    /// `PROLOGUE_HOST` stands for it: tests are on many hosts.
    static var hostName: String {
        if let name = getenv("PROLOGUE_HOST") { return String(cString: name) }
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "unknown" }
        return buffer.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    enum CodingKeys: String, CodingKey {
        case host, processor, cores, kernels, device
        case memoryBytes = "memory_bytes"
        case blasCore = "blas_core"
        case blasThreads = "blas_threads"
    }
}
