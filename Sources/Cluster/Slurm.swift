import Files
import Foundation

/// Slurm, through its commands.
public enum Slurm {
    /// A task of a job array: one worker.
    public struct Task: Equatable, Sendable {
        /// The array's job.
        public let job: String
        /// As Slurm writes it, `12_3`.
        public let id: String
        /// `PENDING`, `RUNNING`, `COMPLETING` and so on.
        public let state: String
        /// Why it waits; empty where it does not.
        public let reason: String
        /// The node; empty before it has one.
        public let node: String
        /// When it began, or is expected to; empty where that is not known.
        public let start: String

        public var isQueued: Bool { state == "PENDING" }

        /// Why Slurm holds it, in words where the reason is a common one.
        public var explanation: String {
            guard !reason.isEmpty else { return "" }
            return Self.words[reason].map { "\($0) (\(reason))" } ?? reason
        }

        private static let words = [
            "Resources": "waits for free nodes", "Priority": "jobs of higher priority are before it",
            "BeginTime": "begins later", "JobHeldUser": "held by its user", "JobHeldAdmin": "held by an administrator",
            "PartitionTimeLimit": "asks for more time than the partition allows",
            "PartitionNodeLimit": "asks for more nodes than the partition has",
            "PartitionDown": "the partition is down", "PartitionInactive": "the partition is inactive",
            "ReqNodeNotAvail": "nodes that it needs are down or reserved", "NodeDown": "its node is down",
            "BadConstraints": "no node has what it asks for", "AssocGrpCpuLimit": "the account uses all its cores",
            "AssocGrpGRES": "the account uses all its GPUs", "AssocMaxJobsLimit": "the account runs as many jobs as it may",
            "QOSMaxJobsPerUserLimit": "you run as many jobs as the quality of service allows",
            "QOSMaxCpuPerUserLimit": "you use as many cores as the quality of service allows",
            "QOSMaxGRESPerUser": "you use as many GPUs as the quality of service allows",
            "JobArrayTaskLimit": "as many tasks of the array run as may", "Dependency": "waits for another job",
            "None": "not looked at yet",
        ]
    }

    public static var isHere: Bool { SystemCommand.path(of: "squeue") != nil }

    /// - Returns: the job's number.
    public static func submit(_ script: URL) throws -> String {
        let answer = try SystemCommand(program: "sbatch").run(["--parsable", script.path])
        // With several clusters: number;cluster.
        guard let job = answer.split(whereSeparator: { $0 == ";" || $0.isNewline }).first, job.allSatisfy(\.isNumber) else {
            throw InputError("sbatch answered '\(answer)' where a job's number was expected")
        }
        return String(job)
    }

    /// The tasks of jobs that Slurm still has; those that have ended are missing.
    ///
    /// - Parameter name: of the jobs.
    public static func tasks(called name: String, ofJobs jobs: Set<String>) throws -> [Task] {
        guard !jobs.isEmpty else { return [] }
        let answer = try SystemCommand(program: "squeue").run(
            ["--noheader", "--array", "--name=\(name)", "--format=%F|%i|%T|%r|%N|%S"])
        return parse(answer).filter { jobs.contains($0.job) }
    }

    package static func parse(_ answer: String) -> [Task] {
        answer.split(whereSeparator: \.isNewline).compactMap { line in
            let parts = line.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 6 else { return nil }
            let isQueued = parts[2] == "PENDING"
            return Task(
                job: parts[0], id: parts[1], state: parts[2], reason: isQueued ? parts[3] : "", node: parts[4],
                start: parts[5] == "N/A" ? "" : parts[5])
        }
    }

    /// Takes tasks out of the queue that have not begun.
    public static func cancelQueued(_ job: String) throws {
        _ = try SystemCommand(program: "scancel").attempt(["--state=PENDING", "--quiet", job])
    }
}
