import Files
import Foundation

/// Who works on a stage, as its claim says.
public struct StageOwner: Codable, Equatable, Sendable {
    public var host: String
    public var process: Int32
    public var started: Date
    /// Counts up while the owner lives. Watched for change only: clocks play no part.
    var beat: Int
    /// Tells this claim from all others. Nil in those of earlier versions, as are the next ones.
    var token: String?
    /// Which claim of the stage it is, counted from the last one that was given back.
    var number: Int?
    /// Where the process number means something: the running kernel, and its space of process numbers.
    var kernel: String?
    /// When the process began, in ticks since the kernel did: process numbers are given away again.
    var ticks: Int?

    public static var current: StageOwner {
        StageOwner(
            host: Machine.hostName, process: getpid(), started: Date(), beat: 0, kernel: ProcessPlace.kernel,
            ticks: ProcessPlace.begin(of: getpid()))
    }

    /// False where it is a process of this host that is no more. A process on another host is taken at its word.
    public var mayLive: Bool { !isHere || ProcessPlace.isRunning(process, since: ticks) }

    /// Whether it is this process.
    var isCurrent: Bool { isHere && process == getpid() }

    public var description: String { "process \(process) on \(host)" }

    /// Whether its process number means the same here.
    var isHere: Bool { host == Machine.hostName && (kernel == nil || kernel == ProcessPlace.kernel) }

    /// What tells this claim from others.
    var identifier: String {
        token ?? String(sha256(Data("\(host) \(process) \(started.timeIntervalSinceReferenceDate)".utf8)).prefix(16))
    }
}

/// Processes of this host.
enum ProcessPlace {
    /// The running kernel and the space of process numbers that this process is in. Hosts may have one name, and so may containers.
    static let kernel: String? = {
        guard let boot = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8),
            let space = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/pid")
        else { return nil }
        return boot.trimmingCharacters(in: .whitespacesAndNewlines) + " " + space
    }()

    /// When a process began, in ticks since the kernel did; nil where that cannot be seen.
    static func begin(of process: Int32) -> Int? { fields(of: process).flatMap { $0.count > 19 ? Int($0[19]) : nil } }

    /// Whether the process is there, and is the one that began then; true where it cannot be seen that it is not.
    static func isRunning(_ process: Int32, since ticks: Int?) -> Bool {
        guard kill(process, 0) == 0 || errno != ESRCH else { return false }
        guard let fields = fields(of: process) else { return true }
        // Dead, and its parent has not asked how it ended.
        if ["Z", "X"].contains(fields[0]) { return false }
        guard let ticks, fields.count > 19, let began = Int(fields[19]) else { return true }
        return began == ticks
    }

    /// What /proc/PID/stat says behind the program's name: the state first (proc(5)).
    private static func fields(of process: Int32) -> [String]? {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8), let end = text.lastIndex(of: ")") else {
            return nil
        }
        let fields = text[text.index(after: end)...].split(separator: " ").map(String.init)
        return fields.isEmpty ? nil : fields
    }
}
