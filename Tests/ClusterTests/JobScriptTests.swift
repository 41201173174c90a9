import Cluster
import Files
import Foundation
import TestSupport
import Testing

/// The job script, run by bash with stand-ins for Slurm's commands. `make test-cluster` runs it under Slurm itself.
@Suite struct JobScriptTests {
    /// - Parameters:
    ///   - worker: what the worker does, in shell.
    ///   - signals: sent to the script while the worker runs.
    /// - Returns: its exit code and what it and its commands wrote.
    private func run(worker: String, signals: [String] = []) throws -> (code: Int, output: String) {
        try withTemporaryFolder { folder in
            func write(_ name: String, _ text: String) throws {
                let file = folder.appendingPathComponent(name)
                try Data("#!/bin/bash\n\(text)\n".utf8).write(to: file)
                chmod(file.path, 0o755)
            }
            // srun gives signals to its tasks, here by being the task.
            try write("srun", "shift 2; exec \"$@\"")
            try write("scontrol", "echo \"scontrol $*\"")
            try write("the worker", worker)
            var profile = Profile()
            profile.lines = ["echo loaded"]
            let script = JobScript(
                profile, name: "prologue-tiny", workers: 3, resources: .init(profile, workers: 3, memory: 1e9, seconds: nil),
                folder: folder.path, workingFolder: folder.path, command: [folder.appendingPathComponent("the worker").path, "it's"])
            try Data(script.text.utf8).write(to: folder.appendingPathComponent("job.sh"))
            let answer = try python(
                """
                import json, os, signal, subprocess, sys, time
                # They may be blocked in the thread that has started this.
                signal.pthread_sigmask(signal.SIG_SETMASK, [])
                folder, signals = sys.argv[1], sys.argv[2:]
                job = subprocess.Popen(["bash", "job.sh"], cwd=folder, stdout=open(folder + "/out", "w"), stderr=subprocess.STDOUT,
                                       env=dict(os.environ, PATH=folder + ":" + os.environ["PATH"], SLURM_JOB_ID="77"),
                                       start_new_session=True)
                end = time.time() + 100
                try:
                    for name in signals:
                        while not os.path.exists(folder + "/ready") and time.time() < end: time.sleep(0.01)
                        os.kill(job.pid, getattr(signal, name))
                    print(json.dumps([job.wait(100), open(folder + "/out").read()]))
                finally:
                    if job.returncode is None: os.killpg(job.pid, signal.SIGKILL)
                """, arguments: [folder.path] + signals)
            let json = try JSONValue(parsing: Data(answer.utf8)).arrayValue ?? []
            return (json.first?.intValue ?? -1, json.last?.stringValue ?? "")
        }
    }

    @Test func theEndOfTheWorkerIsThatOfTheJob() throws {
        #expect(try run(worker: "echo \"worker got $1\"") == (0, "loaded\nworker got it's\n"))
        #expect(try run(worker: "exit 2").code == 2)
    }

    @Test func anInterruptedWorkerQueuesUpAgain() throws {
        let ended = try run(worker: "exit 130")
        #expect(ended.code == 0 && ended.output.contains("scontrol requeue 77"), "\(ended)")
    }

    @Test func theEndOfTheTimeIsPassedOn() throws {
        let ended = try run(
            worker: "trap 'echo checkpoint; exit 130' USR1; touch ready; while :; do sleep 0.05; done", signals: ["SIGUSR1"])
        #expect(ended.code == 0 && ended.output.contains("checkpoint\nqueues up again\nscontrol requeue 77"), "\(ended)")
    }

    /// Slurm gives SIGTERM to the worker by itself.
    @Test func aCancelledJobDoesNotComeBack() throws {
        let ended = try run(worker: "touch ready; sleep 1; exit 130", signals: ["SIGTERM"])
        #expect(ended.code == 130 && !ended.output.contains("scontrol"), "\(ended)")
    }

    @Test func aKilledWorkerIsStartedAgain() throws {
        let once = try run(worker: "echo start; [ -e before ] && exit 0; touch before; kill -9 $$")
        #expect(once.code == 0 && once.output.ranges(of: "start\n").count == 2, "\(once)")
        let always = try run(worker: "echo start; kill -9 $$")
        #expect(always.code == 137 && always.output.ranges(of: "start\n").count == 3, "\(always)")
    }

    @Test func optionsAreThoseOfTheProfile() throws {
        var profile = Profile()
        (profile.partition, profile.account, profile.constraint, profile.gpus) = ("gpu", "vision", "a100&ib", 1)
        (profile.options, profile.notice) = (["--exclude=node7"], 90)
        let text = JobScript(
            profile, name: "prologue-tiny", workers: 3, resources: .init(profile, workers: 3, memory: 1_048_576_000, seconds: 60),
            folder: "/s/jobs", workingFolder: "/my sweeps", command: ["prologue"]
        ).text
        for option in [
            "array=1-3", "ntasks=1", "cpus-per-task=4", "mem=2454M", "time=12", "signal=B:USR1@90", "requeue", "gres=gpu:1",
            "partition=gpu",
            "account=vision", "constraint=\"a100&ib\"", "exclude=node7", "chdir=\"/my sweeps\"", "output=/s/jobs/worker-%a.log",
        ] {
            #expect(text.contains("#SBATCH --\(option)\n"), "\(option)\n\(text)")
        }
    }

    @Test func squeueIsRead() {
        let tasks = Slurm.parse("12|12_1|RUNNING|None|node1|2026-11-27T10:00:00\n12|12_2|PENDING|Resources||N/A\nnoise")
        #expect(tasks.map(\.id) == ["12_1", "12_2"] && tasks[0].node == "node1" && tasks[0].explanation == "")
        #expect(tasks[1].isQueued && tasks[1].start == "" && tasks[1].explanation == "waits for free nodes (Resources)")
    }
}
