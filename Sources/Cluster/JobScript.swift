import Files

/// The script of a job array whose tasks are workers.
public struct JobScript {
    /// What a worker is given.
    public struct Resources: Equatable, Sendable {
        /// Bytes of memory.
        public var memory: Double
        /// Minutes; nil: the partition's own limit.
        public var minutes: Int?

        /// What the profile says, or else what a plan expects.
        ///
        /// - Parameters:
        ///   - memory: bytes of the largest stage.
        ///   - seconds: of all stages, one after the other; nil where that is not known.
        public init(_ profile: Profile, workers: Int, memory: Double, seconds: Double?) {
            self.memory = profile.memory.map { $0 * 1e9 } ?? (1.5 * memory + 1e9)
            let share = seconds.map { 2 * $0 / Double(workers) / 60 }
            let notice = Double(profile.notice) / 60
            minutes = profile.timeLimit ?? share.map { Int((max($0, Self.shortest) + notice).rounded(.up)) }
        }

        /// Minutes: a worker has to start and to read its data.
        private static let shortest = 10.0
    }

    private let profile: Profile
    private let name: String
    private let workers: Int
    private let resources: Resources
    private let folder: String
    private let workingFolder: String
    private let command: [String]

    /// - Parameters:
    ///   - name: of the job.
    ///   - folder: where the workers' output goes.
    ///   - workingFolder: relative paths of the sweep are seen from here.
    ///   - command: of one worker, with its arguments.
    public init(
        _ profile: Profile, name: String, workers: Int, resources: Resources, folder: String, workingFolder: String, command: [String]
    ) {
        (self.profile, self.name, self.workers, self.resources) = (profile, name, workers, resources)
        (self.folder, self.workingFolder, self.command) = (folder, workingFolder, command)
    }

    public var text: String {
        """
        #!/bin/bash
        \(options.map { "#SBATCH \($0)\n" }.joined())
        \(profile.lines.map { "\($0)\n" }.joined())
        # A cancelled or preempted job gets SIGTERM. One whose time is nearly over gets SIGUSR1, and queues up again.
        cancelled= over= worker=
        trap 'cancelled=yes' TERM
        trap 'over=yes; [ -z "$worker" ] || kill -USR1 "$worker" 2>/dev/null' USR1

        requeue() { echo "queues up again"; scontrol requeue "$SLURM_JOB_ID"; exit 0; }

        # A worker that was killed is started again, a few times.
        for attempt in 1 2 3; do
            [ -z "$over" ] || requeue
            [ -z "$cancelled" ] || exit 143
            srun --ntasks=1 --cpus-per-task=\(profile.threads) \(command.map(Self.quoted).joined(separator: " ")) &
            worker=$!
            # A signal ends the wait, but not the worker.
            while wait "$worker"; code=$?; [ "$code" -gt 128 ] && kill -0 "$worker" 2>/dev/null; do :; done
            wait "$worker"; code=$?; worker=
            [ -z "$cancelled" ] || exit "$code"
            # 130: it stopped with a checkpoint.
            if [ "$code" -eq 130 ]; then requeue; fi
            if [ "$code" -le 128 ]; then exit "$code"; fi
            echo "the worker ended with code $code"
        done
        exit "$code"

        """
    }

    private var options: [String] {
        var options = [
            "--job-name=\(name)", "--array=1-\(workers)", "--nodes=1", "--ntasks=1", "--cpus-per-task=\(profile.threads)",
            "--mem=\(Int((resources.memory / 1_048_576).rounded(.up)))M", "--signal=B:USR1@\(profile.notice)", "--requeue",
            "--open-mode=append", "--output=\(Self.optionValue("\(folder)/worker-%a.log"))",
            "--chdir=\(Self.optionValue(workingFolder))",
        ]
        if let minutes = resources.minutes { options.append("--time=\(minutes)") }
        if profile.gpus > 0 { options.append("--gres=gpu:\(profile.gpus)") }
        for (key, value) in [
            ("partition", profile.partition), ("account", profile.account), ("qos", profile.qos), ("constraint", profile.constraint),
        ] {
            if let value { options.append("--\(key)=\(Self.optionValue(value))") }
        }
        return options + profile.options
    }

    /// As one word of an `#SBATCH` line.
    private static func optionValue(_ text: String) -> String { text.contains { " &|*?".contains($0) } ? "\"\(text)\"" : text }

    /// As one word of a shell.
    static func quoted(_ word: String) -> String {
        let isPlain =
            !word.isEmpty
            && word.utf8.allSatisfy { byte in
                (48...57).contains(byte) || (65...90).contains(byte & 0xDF) || "/._-=:,@%+".utf8.contains(byte)
            }
        return isPlain ? word : "'\(word.replacing("'", with: "'\\''"))'"
    }
}
