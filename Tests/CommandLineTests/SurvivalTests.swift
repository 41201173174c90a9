import Files
import Foundation
import Testing

/// Interrupted, killed and damaged runs end where an undisturbed one does, bit for bit.
@Suite(.serialized) struct SurvivalTests {
    private let scenario = Scenario.long

    @Test func killsAndInterruptionsChangeNothing() throws {
        let place = try Workplace()
        let plan: [(signal: Int32, kind: String, step: Int)] = [
            (SIGKILL, "tokenizer", 5), (SIGHUP, "tokenizer", 20), (SIGKILL, "tokenizer", 40), (SIGTERM, "tokenizer", 70),
            (SIGINT, "prior", 25), (SIGUSR1, "prior", 40), (SIGUSR2, "prior", 60),
            (SIGKILL, "prior", 80),
        ]
        for (signal, kind, step) in plan {
            let program = try scenario.start(place)
            #expect(place.reaches(step, kind, program))
            program.send(signal)
            let ended = try program.wait()
            if signal == SIGKILL {
                #expect(ended.wasKilled && ended.code == SIGKILL, "\(kind) \(step): \(ended)")
            } else {
                #expect(!ended.wasKilled && ended.code == 130, "\(kind) \(step): \(ended)")
                #expect(ended.errors.hasSuffix("interrupted; run the same command to go on\n"), "\(ended.errors)")
            }
            let status = try place.json(["sweep", "status", place.sweep, "--json"] + scenario.settings)
            #expect(status["counts"] == ["interrupted": 1], "\(status)")
            // The list of runs judges alike, though nobody was left to tell the index of a kill.
            #expect(try place.json("runs", "list", "--json")["rows"]?.arrayValue?.map { $0["status"] } == ["interrupted"])
        }
        // And at moments that nobody chose.
        for _ in 0..<4 {
            let program = try scenario.start(place)
            Thread.sleep(forTimeInterval: .random(in: 0.02...0.4))
            program.send(SIGKILL)
            _ = try program.wait()
        }
        try scenario.expectUndisturbedEnd(place)
        #expect(try place.log("tokenizer").contains("resuming at step"))
        #expect(try place.log("prior").contains("resuming at step"))
    }

    /// Stages that do not train keep what they have when they are told to stop, and go on from there to the same bits.
    @Test(arguments: [("tokens", "encoded", "tokens.h5"), ("samples", "drawn", "samples.h5")])
    func aStopCostsABatchOfTokensOrSamples(_ kind: String, _ part: String, _ file: String) throws {
        let (images, samples) = kind == "tokens" ? (6000, 250) : (400, 2500)
        let sweep = tinyRun(images: images, steps: 4, samples: samples, "probe: {enabled: false}")
        let command = ["--workers", "1", "--threads", "1", "--stage", kind == "tokens" ? "tokens" : "samples.nocfg"]
        let (place, undisturbed) = (try Workplace(sweep: sweep), try Workplace(sweep: sweep))
        func run(_ place: Workplace) throws -> RunningProgram { try place.start(["train", place.sweep] + command) }
        #expect(try run(undisturbed).wait().code == 0)
        let program = try run(place)
        #expect(place.reaches(1, kind, program))
        program.send(SIGUSR1)
        #expect(try program.wait().code == 130)
        let stage = try #require(place.stages(kind).first)
        func parts() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: stage.path).filter { $0.hasPrefix("\(part)-0-") }
        }
        let kept = try #require(try parts().first.flatMap { $0.firstMatch(of: /-0-(\d+)\.h5/) }.flatMap { Int($0.1) })
        #expect(kept > 0 && kept < (kind == "tokens" ? images + images / 2 : samples), "\(kept)")
        #expect(try run(place).wait().code == 0)
        #expect(try place.log(kind).contains("going on at \(kept)"))
        #expect(try parts().isEmpty)
        let twin = try #require(undisturbed.stages(kind).first)
        #expect(twin.lastPathComponent == stage.lastPathComponent)
        let isEqual = try Data(contentsOf: stage.appendingPathComponent(file)) == Data(contentsOf: twin.appendingPathComponent(file))
        #expect(isEqual, "\(file) differs")
    }

    @Test(arguments: [("checkpoint.h5", "cut"), ("checkpoint.h5", "altered"), ("metrics.h5", "cut")])
    func aDamagedCheckpointStartsOver(_ file: String, _ damage: String) throws {
        let place = try Workplace()
        let program = try scenario.start(place)
        #expect(place.reaches(50, "tokenizer", program))
        program.send(SIGKILL)
        #expect(try program.wait().wasKilled)
        let checkpoint = try #require(place.stages("tokenizer").first).appendingPathComponent(file)
        var data = try Data(contentsOf: checkpoint)
        if damage == "cut" {
            data.removeLast(data.count / 3)
        } else {
            for i in data.count / 2..<data.count / 2 + 4096 { data[i] ^= 0x5A }
        }
        try data.write(to: checkpoint)
        try scenario.expectUndisturbedEnd(place)
        let log = try place.log("tokenizer")
        #expect(log.contains("starting over: ") && log.contains(file), "\(log)")
    }

    /// Another program holds a file that resuming needs. Nothing is lost: once it lets go, the training goes on.
    @Test(arguments: ["metrics.h5", "checkpoint.h5"]) func aLockedFileStopsAndHarmsNothing(_ file: String) throws {
        let place = try Workplace()
        let program = try scenario.start(place)
        #expect(place.reaches(50, "tokenizer", program))
        program.send(SIGKILL)
        #expect(try program.wait().wasKilled)
        let stage = try #require(place.stages("tokenizer").first)
        let checkpoint = try Data(contentsOf: stage.appendingPathComponent("checkpoint.h5"))
        let (ready, done) = (place.folder.appendingPathComponent("ready"), place.folder.appendingPathComponent("done"))
        let holder = try RunningProgram(
            URL(fileURLWithPath: "/usr/bin/env"),
            [
                ProcessInfo.processInfo.environment["PROLOGUE_PYTHON"] ?? "python3", "-c",
                """
                import fcntl, os, sys, time
                with open(sys.argv[1], "r+b") as f:
                    fcntl.flock(f, fcntl.LOCK_EX)  # as the HDF5 library does for a writer
                    open(sys.argv[2], "w").close()
                    while not os.path.exists(sys.argv[3]): time.sleep(0.01)
                """, stage.appendingPathComponent(file).path, ready.path, done.path,
            ], in: place.folder)
        #expect(holder.waits { FileManager.default.fileExists(atPath: ready.path) })
        let refused = try scenario.start(place).wait()
        #expect(refused.code == 1 && refused.output.contains("another program has it open for writing"), "\(refused)")
        #expect(try !place.log("tokenizer").contains("starting over"))
        #expect(try Data(contentsOf: stage.appendingPathComponent("checkpoint.h5")) == checkpoint)
        try Data().write(to: done)
        _ = try holder.wait()
        try scenario.expectUndisturbedEnd(place)
        #expect(try place.log("tokenizer").contains("resuming at step"))
    }

    /// Killed when every step was done and nothing sealed: the record comes from the metrics file, and is the same.
    @Test func aKillAfterTheLastStepChangesNothing() throws {
        let place = try Workplace()
        let arguments = [
            "train", place.sweep, "--stage", "tokenizer", "--only", "arm = 'prologue'", "--set", "tokenizer.keep_checkpoints=last",
        ]
        func summary() throws -> JSONValue? {
            let ended = try place.start(arguments).wait()
            #expect(ended.code == 0, "\(ended.output)\(ended.errors)")
            let stage = try #require(place.stages("tokenizer").first)
            return try JSONValue(parsing: Data(contentsOf: stage.appendingPathComponent("stage.json")))["summary"]?["last"]
        }
        let undisturbed = try summary()
        let stage = try #require(place.stages("tokenizer").first)
        try FileManager.default.removeItem(at: stage.appendingPathComponent("stage.json"))
        #expect(try summary() == undisturbed && undisturbed?["loss"] != nil)
        let log = try String(contentsOf: stage.appendingPathComponent("log.txt"), encoding: .utf8)
        #expect(log.contains("resuming at step 30"), "\(log)")
    }

    /// While training runs: h5py reads its metrics, SQLite reads the index, the status says how far it is.
    @Test func othersReadWhileTrainingRuns() throws {
        let place = try Workplace()
        let long = ["--only", "arm = 'prologue'", "--set", "tokenizer.steps=100000"]
        let program = try place.start(["train", place.sweep, "--stage", "tokenizer"] + long)
        #expect(place.reaches(3, "tokenizer", program))
        let answer = try place.python(
            """
            import glob, h5py, math, sqlite3, sys, time
            path = glob.glob(sys.argv[1] + "/stages/tokenizer-*/metrics.h5")[0]
            f = h5py.File(path, "r", swmr=True)
            def rows():
                f["step"].refresh()
                n = len(f["step"])
                for name in f: f[name].refresh()  # after `step`, which the writer extends last
                return n
            first, deadline = rows(), time.time() + 600
            while rows() <= first and time.time() < deadline: time.sleep(0.05)
            n = len(f["step"])
            assert n > first, (first, n)
            for name in f: f[name].refresh()
            assert f["step"][:n].tolist() == list(range(n))
            for column in ["loss", "l1", "ce_visual"]:
                values = f[column][:n]
                assert len(values) == n and all(math.isfinite(v) and v > 0 for v in values), column
            index = sqlite3.connect(f"file:{sys.argv[1]}/index.sqlite?mode=ro", uri=True)
            print(index.execute("select status from runs").fetchall())
            """)
        #expect(answer == "[('running',)]")
        #expect(program.isRunning, "the reader did not disturb the writer")

        let arguments = ["sweep", "status", place.sweep, "--json"] + long
        let cell = try #require(try place.json(arguments)["cells"]?.arrayValue?.first)
        #expect(cell["state"] == "running" && cell["at"] == "tokenizer", "\(cell)")
        #expect(cell["steps"] == 100_000)
        #expect(cell["worker"]?.stringValue?.hasPrefix("process ") == true)
        program.send(SIGTERM)
        #expect(try program.wait().code == 130)
        let stopped = try place.json(arguments)
        #expect(stopped["counts"] == ["interrupted": 1])
        #expect(stopped["cells"]?.arrayValue?.first?["worker"] == .null)
    }
}
