import Accelerators
import Cluster
import Experiment
import Files
import Foundation
import Report
import RunStore
import Sweep

/// Submits workers of a sweep to a scheduler.
struct SweepSubmitter {
    let profile: Profile
    let options: SweepCommand.FileOptions
    let archive: ArchiveOptions
    let onEnd: String?
    let context: ExperimentContext

    /// Plans, and submits.
    ///
    /// - Parameter isTrial: print the job's script instead.
    /// - Returns: the job's number; nil where there was nothing to do.
    func submit(_ sweep: SweepFile, isTrial: Bool) throws -> String? {
        _ = try DeviceChoice(profile.device)
        let runner = SweepRunner(sweep, context)
        let plan =
            try isTrial ? runner.plan { MachineRate(of: context.machine, in: context.store) { complain("note: \($0)") } } : runner.prepare()
        let total = plan.total
        context.progress.note(PlanSummary(plan).sentence)
        guard total.count > 0 else { return nil }
        if let warning = spaceWarning(needed: total.disk + total.scratch * Double(profile.workers)) { context.progress.note(warning) }
        // More of them than stages would have nothing to do.
        let workers = min(profile.workers, total.count)
        let resources = JobScript.Resources(
            profile, workers: workers, memory: total.memory, seconds: total.unknown.isEmpty ? total.seconds : nil)
        let date = Date()
        func script(in folder: URL) throws -> String {
            JobScript(
                profile, name: Submission.jobName(of: sweep.name), workers: workers, resources: resources, folder: folder.path,
                workingFolder: FileManager.default.currentDirectoryPath, command: try command(in: folder)
            ).text
        }
        if isTrial {
            print(try script(in: context.store.directory.appendingPathComponent("jobs/\(sweep.name)/TIME")), terminator: "")
            return nil
        }
        let folder = try Submission.makeFolder(for: sweep.name, in: context.store.directory, at: date)
        var submission = Submission(
            sweep: sweep.name, workers: workers, submitted: date, host: Machine.current().host, profile: profile.json,
            earlierStop: StopRequest.last(sweep: sweep.name, in: context.store)?.id, onEnd: onEnd)
        // Workers look for it.
        try submission.write(in: folder)
        // As it is now: it may be edited while workers are queued.
        let text = try SweepFile.standalone(URL(fileURLWithPath: options.file))
        try AtomicFile.write(Data(text.utf8), to: folder.appendingPathComponent(Self.sweepFile))
        let job = folder.appendingPathComponent("job.sh")
        try AtomicFile.write(Data(try script(in: folder).utf8), to: job)
        let number = try Slurm.submit(job)
        submission.job = number
        try submission.write(in: folder)
        context.progress.note(
            "submitted Slurm job \(number): \(workers) \(workers == 1 ? "worker" : "workers") with \(profile.threads) "
                + "\(profile.threads == 1 ? "thread" : "threads") each; their output is in \(folder.path)")
        return number
    }

    private static let sweepFile = "sweep.yaml"

    /// Said before anything is begun: a full disk stops all workers.
    private func spaceWarning(needed: Double) -> String? {
        let attributes = try? FileManager.default.attributesOfFileSystem(forPath: context.store.directory.path)
        guard let free = (attributes?[.systemFreeSize] as? NSNumber)?.doubleValue, needed > free else { return nil }
        return "warning: the sweep needs up to \(Units.bytes(needed)) of disk, and the store's has \(Units.bytes(free)) free"
    }

    private func command(in folder: URL) throws -> [String] {
        guard let program = Bundle.main.executableURL?.resolvingSymlinksInPath().path else {
            throw InputError("it cannot be told where this program is, which workers are to start")
        }
        var command = [
            program, "sweep", "join", folder.appendingPathComponent(Self.sweepFile).path, "--store", context.store.directory.path,
            "--submission", folder.path, "--threads", "\(profile.threads)", "--device", profile.device, "--idle", "\(profile.idle)",
        ]
        for override in options.overrides { command += ["--set", override] }
        if let only = options.only { command += ["--only", only] }
        command += ["--archive", try archive.path(beside: options.file) ?? "none"]
        if let trust = archive.trust { command += ["--trust", trust.rawValue] }
        return command
    }
}
