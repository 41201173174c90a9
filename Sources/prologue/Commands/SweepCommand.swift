import ArgumentParser
import Cluster
import Experiment
import Files
import Foundation
import Report
import RunStore
import Sweep

struct SweepCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sweep", abstract: "Plan, run and watch the runs of a sweep file.",
        discussion: """
              prologue sweep plan Experiments/01-quickstart/sweep.yaml
              prologue sweep run Experiments/01-quickstart/sweep.yaml
              prologue sweep run sweep.yaml --on Experiments/profiles/cpu.yaml
            """,
        subcommands: [Plan.self, Run.self, Status.self, Stop.self, Join.self])

    /// The sweep file and what is changed of it.
    struct FileOptions: ParsableArguments {
        @Argument(help: "Sweep file (YAML).", completion: .file(extensions: ["yaml", "yml"])) var file: String
        @Option(name: .customLong("set"), help: "Override a setting, such as prior.steps=500; may be repeated.")
        var overrides: [String] = []
        @Option(help: "Only cells that meet a condition, such as \"tokenizer.variant = 'prologue'\".")
        var only: String?

        /// - Parameters:
        ///   - more: overrides after the user's own.
        ///   - section: overrides of this section are passed over.
        func load(adding more: [String] = [], leavingOut section: String? = nil) throws -> SweepFile {
            let own = overrides.filter { section == nil || !$0.hasPrefix("\(section ?? "").") }
            return try SweepFile(loading: URL(fileURLWithPath: file), overrides: own + more, only: only)
        }
    }

    /// Where to look: reconstructions, samples and resampled rows of each arm's first run. `runs show` names all.
    static func printPictures(_ results: SweepResults, in store: Store) {
        let here = FileManager.default.currentDirectoryPath + "/"
        for arm in results.arms {
            var seen: Set<String> = []
            for picture in arm.runs.first?.pictures ?? [] {
                let file = URL(fileURLWithPath: picture.path).lastPathComponent
                guard seen.insert(file).inserted else { continue }
                let path = store.directory.appendingPathComponent(picture.path).path
                let shown = path.hasPrefix(here) ? String(path.dropFirst(here.count)) : path
                print("picture: \(shown)  (\(arm.label): \(picture.description))")
            }
        }
    }

    struct Run: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Run every cell; finished stages are reused, interrupted ones go on where they were.",
            discussion: """
                A stage that fails leaves alone all that does not need it, and is tried again next time. The command may be \
                given twice at once: the two share the work. With --on, workers are submitted to a cluster; the command \
                then follows them and may be closed. Given again, it adds workers.

                  prologue sweep run Experiments/01-quickstart/sweep.yaml
                  prologue sweep run sweep.yaml --set prior.steps=500 --only "seed = 0"
                  prologue sweep run sweep.yaml --workers 4 --threads 2
                  prologue sweep run sweep.yaml --on Experiments/profiles/cpu.yaml --dry-run
                  prologue sweep run sweep.yaml --on-end 'mail -s "$PROLOGUE_EVENT" me'
                """)

        @OptionGroup var sweep: FileOptions
        @OptionGroup var workforce: WorkforceOptions
        @OptionGroup var cluster: ClusterOptions
        @Option(
            help: """
                Shell command for when the sweep ends or fails. $PROLOGUE_EVENT is done, failed, interrupted, or space \
                where the disk is full; besides $PROLOGUE_SWEEP, $PROLOGUE_STORE, $PROLOGUE_RUNS_DONE, \
                $PROLOGUE_RUNS_FAILED and $PROLOGUE_MESSAGE.
                """)
        var onEnd: String?
        @OptionGroup var store: StoreOptions
        @OptionGroup var archive: ArchiveOptions

        func run() async throws {
            let file = try sweep.load()
            var workforce = workforce
            if let profile = try cluster.load() {
                let profile = workforce.over(profile)
                if profile.scheduler == .slurm { return try submit(file, profile) }
                workforce = workforce.filled(from: profile)
                if cluster.dryRun { return print("\(workforce.choice.workers) workers on this machine: the profile names no scheduler") }
            }
            try runHere(file, workforce)
        }

        private func runHere(_ file: SweepFile, _ workforce: WorkforceOptions) throws {
            Interruption.listen()
            let context = try store.context(
                threads: workforce.choice.threads, device: workforce.device.choice, archive: archive, beside: sweep.file)
            StopRequest.listen(
                sweep: file.name, in: context.store, earlier: StopRequest.last(sweep: file.name, in: context.store)?.id)
            let outcome = try EndCommand.after(
                { try workforce.run(SweepRunner(file, context), context) },
                onEnd.map { EndCommand(command: $0, sweep: file.name, store: context.store) })
            if !outcome.done.isEmpty, !store.quiet { try SweepCommand.printResults(file, in: context.store) }
            try report(outcome, isQuiet: store.quiet)
        }

        private func submit(_ file: SweepFile, _ profile: Profile) throws {
            let context = try store.context(archive: archive, beside: sweep.file)
            let submitter = SweepSubmitter(profile: profile, options: sweep, archive: archive, onEnd: onEnd, context: context)
            let job = try submitter.submit(file, isTrial: cluster.dryRun)
            if cluster.dryRun || (job != nil && cluster.detach) { return }
            if job != nil { try SweepFollower(file, context.store, isQuiet: store.quiet).follow() }
            if !store.quiet { try SweepCommand.printResults(file, in: context.store) }
            try reportStatus(SweepStatus(of: file, in: context.store))
        }

        /// A sweep that is not done makes the command fail.
        private func reportStatus(_ status: SweepStatus) throws {
            let failed = status.cells.filter { $0.state == .failed }
            for cell in failed { print("failed: \(cell.run): \(cell.message)") }
            guard failed.isEmpty else { throw ExitCode(1) }
            guard status.cells.allSatisfy({ $0.state == .done }) else {
                complain("the workers have ended before the sweep; the same command submits others, which go on where they were")
                throw ExitCode(1)
            }
        }
    }

    /// The comparison that the sweep file asks for, as far as it has results.
    static func printResults(_ file: SweepFile, in store: RunStore.Store) throws {
        let results = try SweepResults(file, in: store)
        let comparison = try ComparisonTable(results, ComparisonTable.Request(file))
        print(comparison.table.forTerminal)
        if !comparison.shownDifferences.rows.isEmpty { print(comparison.shownDifferences.forTerminal) }
        if !comparison.published.rows.isEmpty { print(comparison.published.forTerminal) }
        for sentence in comparison.verdicts { print(sentence) }
        print(comparison.noise)
        printPictures(results, in: store)
    }
}

/// Prints how the runs ended; a failed one makes the command fail.
func report(_ outcome: SweepRunner.Outcome, isQuiet: Bool) throws {
    if !isQuiet {
        print(
            "\(outcome.done.count) runs done\(outcome.archived > 0 ? " (\(outcome.archived) of them in the archive)" : ""), "
                + "\(outcome.failed.count) failed; "
                + "\(outcome.worked) stages worked on, \(outcome.reused) reused")
        print("\(outcome.stagesDone) of \(outcome.stages) stages done, \(Units.time(outcome.seconds)) elapsed")
    }
    for (run, error) in outcome.failed { print("failed: \(run): \(error)") }
    if !outcome.failed.isEmpty { throw ExitCode(1) }
}
