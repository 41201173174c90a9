import Accelerators
import ArgumentParser
import Cluster
import Experiment

/// Options of the commands that make stages: how many workers and threads.
struct WorkforceOptions: ParsableArguments {
    @Option(help: "Processes that work side by side (default: cores / threads; with --device 1).") var workers: Int?
    @Option(help: "Threads of each (default: cores / workers, at most 4 unless --workers is given; $PROLOGUE_THREADS).")
    var threads: Int?
    @OptionGroup var device: DeviceOptions
    @Flag(help: "Stop everything at the first failure.") var failFast = false

    func validate() throws {
        for (name, value) in [("--workers", workers), ("--threads", threads)] {
            if let value, !(1...64).contains(value) { throw ValidationError("\(name) must be 1 to 64, not \(value)") }
        }
    }

    /// A device is taken by one process, unless several are asked for.
    var choice: Workforce { Workforce(workers: workers ?? (usesDevice ? 1 : nil), threads: threads) }

    private var usesDevice: Bool { device.name != "cpu" }

    /// Runs the sweep in this process, or with worker processes where there are to be several, and where models run on a device: a
    /// plugin that crashes takes its process with it.
    func run(
        _ runner: SweepRunner, _ context: ExperimentContext, upTo stage: String? = nil
    ) throws -> SweepRunner.Outcome {
        func announce(_ plan: SweepPlan) {
            let summary = PlanSummary(plan)
            for line in [summary.sentence, summary.warning].compactMap(\.self) { context.progress.note(line) }
        }
        guard choice.workers > 1 || usesDevice else { return try runner.run(upTo: stage, failsFast: failFast, announcing: announce) }
        let pool = try pool(context)
        if choice.workers > 1 { context.progress.note("\(choice.workers) workers with \(choice.threads) threads each") }
        return try runner.run(pool, upTo: stage, failsFast: failFast, announcing: announce)
    }

    /// Worker processes on the store, which share the devices out.
    func pool(_ context: ExperimentContext) throws -> ProcessPool {
        let shares = try DeviceShare.shares(of: device.choice, among: choice.workers)
        let store = context.store.directory.path
        return ProcessPool(
            choice,
            arguments: { number in
                let share = shares[(number - 1) % shares.count]
                return ["worker", "--store", store, "--device", share.choice.description]
                    + (share.memory.map { ["--device-memory", "\($0)"] } ?? [])
            }, context)
    }

    /// A profile with what the command line says instead.
    func over(_ profile: Profile) -> Profile {
        var profile = profile
        profile.workers = workers ?? profile.workers
        profile.threads = threads ?? profile.threads
        if usesDevice { profile.device = device.name }
        return profile
    }

    /// These options with what a profile says.
    func filled(from profile: Profile) -> WorkforceOptions {
        var options = self
        (options.workers, options.threads, options.device.name) = (profile.workers, profile.threads, profile.device)
        return options
    }
}
