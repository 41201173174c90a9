import Files
import Foundation
import Settings
import Sweep

/// Where and how workers of a sweep run, never what they make: it enters no hash.
public struct Profile: SettingsSection {
    public enum Scheduler: String, ChoiceSetting {
        case slurm
        case none
    }

    public var scheduler = Scheduler.slurm
    public var workers = 4
    public var threads = 4
    public var device = "cpu"
    public var gpus = 0
    public var memory: Double?
    public var timeLimit: Int?
    public var notice = 120
    public var idle = 300
    public var partition: String?
    public var account: String?
    public var qos: String?
    public var constraint: String?
    public var options: [String] = []
    public var lines: [String] = []

    public init() {}

    public static let help = "Where and how the workers of a sweep run."
    public static let fields: [Field<Self>] = [
        .value("scheduler", \.scheduler, "Who starts the workers: slurm, or none, for workers of this machine."),
        .value("workers", \.workers, "Workers, each of which makes one stage at a time.", .between(1, 1000)),
        .value("threads", \.threads, "Threads of a worker, and the cores that are asked for it.", .between(1, 64)),
        .value("device", \.device, "Where models run: cpu, xla or xla:NAME."),
        .value("gpus", \.gpus, "GPUs that are asked for each worker.", .between(0, 16)),
        .value(
            "memory", \.memory, "Memory of a worker; null: what the largest stage needs by 'sweep plan', half as much again and 1 GB.",
            .positive, unit: "GB"),
        .value(
            "time_limit", \.timeLimit,
            "Time after which a worker stops with a checkpoint and queues up again; null: twice what 'sweep plan' expects, or the partition's own limit.",
            .atLeast(1), unit: "minutes"),
        .value(
            "notice", \.notice,
            "How long before its time limit a worker is told to stop: more than one training step and its checkpoint take.",
            .between(1, 65535), unit: "seconds"),
        .value(
            "idle", \.idle, "A worker that has found nothing to begin for so long leaves, where those at work can do the rest.",
            .atLeast(0), unit: "seconds"),
        .value("partition", \.partition, "Partition; null: the cluster's default."),
        .value("account", \.account, "Account that is charged; null: the user's default."),
        .value("qos", \.qos, "Quality of service; null: the user's default."),
        .value("constraint", \.constraint, "Features that nodes must have, in Slurm's words, such as \"avx512&ib\"; null: none."),
        .value("options", \.options, "Further options of sbatch, such as \"--gres=gpu:a100:1\"."),
        .value("lines", \.lines, "Lines of the job script before the worker starts, such as \"module load cuda\"."),
    ]

    /// - Throws: an `InputError` naming file, line, key and the nearest valid one.
    public init(loading url: URL) throws {
        self = try SettingsFile.read(url, called: "a profile")
        let file = url.lastPathComponent
        for (key, value) in [("partition", partition), ("account", account), ("qos", qos), ("constraint", constraint)] {
            if let value, value.isEmpty || value.contains(where: { $0.isNewline || $0 == "\"" || $0 == " " }) {
                throw InputError(file: file, "\(key) is '\(value)', but must be a word of Slurm's without spaces and quotes")
            }
        }
        for option in options where !option.hasPrefix("-") || option.contains(where: \.isNewline) {
            throw InputError(file: file, "options has '\(option)', but an option of sbatch begins with -, such as --exclude=node7")
        }
        if let timeLimit, timeLimit * 60 <= notice {
            throw InputError(
                file: file, "notice is \(notice) seconds, but must be shorter than the time limit of \(timeLimit * 60) seconds")
        }
    }
}
