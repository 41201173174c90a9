import Files
import Foundation
import TestSupport
import Testing

/// Workers on a cluster, with stand-ins for Slurm's commands; `make test-cluster` has the real ones.
@Suite(.serialized) struct SlurmCommandTests {
    /// Slurm's commands, as far as they are used: tasks of the array are processes of this machine.
    private static let commands = [
        "sbatch": """
        script="$2"
        for task in 1 2; do
            (
                # What asked for the job waits for the end of its pipes.
                for file in $(seq 3 64); do eval "exec $file>&-"; done
                SLURM_JOB_ID=$((77 + task)) exec bash "$script" > "$(dirname "$script")/worker-$task.log" 2>&1 < /dev/null
            ) &
            echo $! > "$0.task-$task"
        done
        echo "77;here"
        """,
        "srun": "shift 2; exec \"$@\"",
        "scontrol": "echo \"$*\" >> \"$0.asked\"",
        "scancel": "echo \"$*\" >> \"$0.asked\"; rm -f \"$(dirname \"$0\")/queued\"",
        "squeue": """
        folder="$(dirname "$0")"
        for task in 1 2; do
            process="$(cat "$folder/sbatch.task-$task" 2>/dev/null)"
            if [ -n "$process" ] && kill -0 "$process" 2>/dev/null; then echo "77|77_$task|RUNNING|None|node$task|2026-11-27T10:00:00"; fi
        done
        if [ -e "$folder/queued" ]; then echo "77|77_3|PENDING|Resources||N/A"; fi
        echo "99|99_1|RUNNING|None|node9|2026-11-27T10:00:00"
        """,
    ]

    private func place(_ sweep: String = tinySweep) throws -> (place: Workplace, environment: [String: String]) {
        let place = try Workplace(sweep: sweep)
        let folder = place.folder.appendingPathComponent("bin")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for (name, text) in Self.commands {
            let file = folder.appendingPathComponent(name)
            try Data("#!/bin/bash\n\(text)\n".utf8).write(to: file)
            chmod(file.path, 0o755)
        }
        try Data("workers: 2\nthreads: 1\nidle: 2\n".utf8).write(to: place.folder.appendingPathComponent("profile.yaml"))
        return (place, ["PATH": "\(folder.path):\(ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")"])
    }

    @Test func workersShareASweepThatNobodyCoordinates() throws {
        let (place, environment) = try place()
        let arguments = ["sweep", "run", place.sweep, "--on", "profile.yaml"]
        let trial = try place.start(arguments + ["--dry-run"], environment: environment).wait()
        #expect(trial.code == 0 && trial.output.contains("#SBATCH --array=1-2"), "\(trial)")
        #expect(!FileManager.default.fileExists(atPath: place.store.appendingPathComponent("jobs").path))

        let ended = try place.start(
            arguments + ["--on-end", "echo $PROLOGUE_EVENT $PROLOGUE_SWEEP $PROLOGUE_RUNS_DONE >> ended"], environment: environment
        ).wait()
        #expect(ended.code == 0 && ended.output.contains("baseline"), "\(ended)")
        #expect(try String(contentsOf: place.folder.appendingPathComponent("ended"), encoding: .utf8) == "done tiny 2\n")
        let logs = try ["worker-1.log", "worker-2.log"].map { name in
            let folder = place.store.appendingPathComponent("jobs/tiny")
            let submission = try #require(FileManager.default.contentsOfDirectory(atPath: folder.path).first)
            return try String(contentsOf: folder.appendingPathComponent(submission).appendingPathComponent(name), encoding: .utf8)
        }
        let made = logs.flatMap { $0.matches(of: /: done in .* s, (\S+)/).map { String($0.1) } }
        let stages = try FileManager.default.contentsOfDirectory(atPath: place.store.appendingPathComponent("stages").path)
        #expect(made.sorted() == stages.sorted(), "each stage is made once\n\(logs)")

        let again = try place.start(arguments, environment: environment).wait()
        #expect(again.code == 0 && again.errors.contains("nothing to do"), "\(again)")
    }

    @Test func statusSaysWhatSlurmHoldsAndStopEndsIt() throws {
        let (place, environment) = try place()
        let long = ["--set", "tokenizer.steps=100000", "--set", "tokenizer.checkpoint_every=100000"]
        let queued = place.folder.appendingPathComponent("bin/queued")
        try Data().write(to: queued)
        let submitted = try place.start(
            ["sweep", "run", place.sweep, "--on", "profile.yaml", "--detach"] + long, environment: environment
        ).wait()
        #expect(submitted.code == 0 && submitted.errors.contains("submitted Slurm job 77: 2 workers"), "\(submitted)")
        let end = Date() + 200
        while !place.has("tokenizer", "metrics.h5"), Date() < end { Thread.sleep(forTimeInterval: 0.1) }
        let status = try place.start(["sweep", "status", place.sweep] + long, environment: environment).wait()
        #expect(status.output.contains("Slurm job 77: 2 workers running on node1, node2"), "\(status)")
        #expect(status.output.contains("Slurm job 77: 1 worker queued: waits for free nodes (Resources)"), "\(status)")
        #expect(!status.output.contains("99"), "a job of another sweep")

        let stopped = try place.start(["sweep", "stop", place.sweep] + long, environment: environment).wait()
        #expect(stopped.code == 0 && stopped.output.contains("1 queued worker cancelled\nnobody works on tiny any more"), "\(stopped)")
        let asked = try String(contentsOf: place.folder.appendingPathComponent("bin/scancel.asked"), encoding: .utf8)
        #expect(asked.contains("--state=PENDING --quiet 77"))
        #expect(place.has("tokenizer", "checkpoint.h5"), "it has stopped without a checkpoint")
        // What was stopped does not queue up again.
        #expect(!FileManager.default.fileExists(atPath: place.folder.appendingPathComponent("bin/scontrol.asked").path))
    }

    @Test func stopReachesARunWithoutAScheduler() throws {
        let place = try Workplace()
        let long = ["--set", "tokenizer.steps=100000", "--set", "tokenizer.checkpoint_every=100000"]
        let running = try place.start(
            ["sweep", "run", place.sweep, "--workers", "1", "--on-end", "echo $PROLOGUE_EVENT > ended"] + long)
        #expect(running.waits { place.has("tokenizer", "metrics.h5") })
        let stopped = try place.start(["sweep", "stop", place.sweep] + long).wait()
        #expect(stopped.code == 0, "\(stopped)")
        #expect(try running.wait().code == 130)
        #expect(place.has("tokenizer", "checkpoint.h5"))
        #expect(try String(contentsOf: place.folder.appendingPathComponent("ended"), encoding: .utf8) == "interrupted\n")
    }

    /// A profile of this machine is --workers and --threads; what fails is told as such.
    @Test func aProfileWithoutASchedulerRunsHere() throws {
        let place = try Workplace()
        try Data("scheduler: none\nworkers: 2\nthreads: 1\n".utf8).write(to: place.folder.appendingPathComponent("local.yaml"))
        let ended = try place.run(
            "sweep", "run", place.sweep, "--on", "local.yaml", "--only", "seed = 0", "--on-end", "echo $PROLOGUE_EVENT > ended")
        #expect(ended.code == 0 && ended.errors.contains("2 workers with 1 threads each"), "\(ended)")
        #expect(try String(contentsOf: place.folder.appendingPathComponent("ended"), encoding: .utf8) == "done\n")
    }

    @Test func mistakesAreSaid() throws {
        let (place, environment) = try place()
        try Data("worker: 2\n".utf8).write(to: place.folder.appendingPathComponent("wrong.yaml"))
        let wrong = try place.run("sweep", "run", place.sweep, "--on", "wrong.yaml")
        #expect(wrong.code == 2 && wrong.errors.contains("wrong.yaml:1: unknown key worker; did you mean workers?"), "\(wrong)")
        #expect(try place.run("sweep", "run", place.sweep, "--dry-run").code == 2)
        let missing = try place.run("sweep", "run", place.sweep, "--on", "missing.yaml")
        #expect(missing.code == 2 && missing.errors.contains("missing.yaml"), "\(missing)")
        // Slurm says no.
        try Data("#!/bin/bash\necho 'sbatch: error: invalid partition specified: nowhere' >&2; exit 1\n".utf8)
            .write(to: place.folder.appendingPathComponent("bin/sbatch"))
        let refused = try place.start(["sweep", "run", place.sweep, "--on", "profile.yaml"], environment: environment).wait()
        #expect(refused.code == 2 && refused.errors.contains("invalid partition specified: nowhere"), "\(refused)")
    }
}
