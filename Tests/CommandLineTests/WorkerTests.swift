import Files
import Foundation
import Testing

/// Worker processes: killed, crashed, left alone, watched.
@Suite(.serialized) struct WorkerTests {
    /// Kills at all sorts of moments, of workers, of who sent for them, of all at once.
    @Test func killsOfWorkersAndCoordinatorsChangeNothing() throws {
        let scenario = Scenario.wide
        var place = try Workplace()
        let moments: [(name: String, came: () -> Bool)] = [
            ("training", { place.has("tokenizer", "metrics.h5") && !place.has("tokenizer", "stage.json") }),
            ("checkpointing", { place.has("tokenizer", ".checkpoint.h5.") }),
            ("checkpointing the prior", { place.has("prior", ".checkpoint.h5.") }),
            ("scoring", { place.has("scores", "lock") }),
            ("sampling", { place.has("samples", "lock") }),
        ]
        var kills = 0
        // However fast or slow the machine: a sweep that gets to its end is looked at, and a fresh one takes its place.
        for round in 0..<40 where round < 12 || kills < 8 {
            let program = try scenario.start(place)
            let moment = round % (moments.count + 1)
            if moment < moments.count {
                _ = program.waits(until: moments[moment].came)
            } else {
                Thread.sleep(forTimeInterval: .random(in: 0.05...0.6))
            }
            Thread.sleep(forTimeInterval: .random(in: 0...0.05))
            let workers = children(of: program.identifier).filter(isWorker)
            switch round % 3 {
            case 0:
                // The coordinator; its workers notice, and stop.
                program.send(SIGKILL)
            case 1:
                for process in workers + [program.identifier] { kill(process, SIGKILL) }
            default:
                // A worker; the coordinator goes on without it, until it goes too.
                if let worker = workers.randomElement() {
                    kill(worker, SIGKILL)
                    kills += 1
                }
                Thread.sleep(forTimeInterval: .random(in: 0...0.1))
                program.send(SIGKILL)
            }
            let ended = try program.wait()
            if ended.wasKilled { kills += 1 }
            #expect(ended.wasKilled || ended.code == 0, "\(ended)")
            #expect(vanish(workers), "workers outlive their coordinator")
            if !ended.wasKilled {
                try scenario.expectUndisturbedEnd(place)
                place = try Workplace()
            }
        }
        #expect(kills >= 8)
        try scenario.expectUndisturbedEnd(place)
    }

    /// Workers that begin on the same pictures at once fill one cache, with each picture once, and train as without it.
    @Test func twoWorkersFillOneCache() throws {
        let place = try Workplace(sweep: tinyRun(images: 160, steps: 20, samples: 8, "seeds: [1, 2]"))
        _ = try place.python(
            """
            import os, sys, numpy as np
            from PIL import Image
            rng = np.random.default_rng(0)
            for half, count in (("train", 80), ("test", 40)):
                for name in "ab":
                    os.makedirs(f"{sys.argv[2]}/{half}/{name}")
                    for i in range(count):
                        Image.fromarray(rng.integers(0, 256, (24, 30, 3), dtype=np.uint8)).save(f"{sys.argv[2]}/{half}/{name}/{i}.png")
            """, place.folder.appendingPathComponent("pictures").path)
        func train(_ cache: String, in store: String) throws -> [String: Data] {
            let store = place.folder.appendingPathComponent(store)
            let ended = try place.run(
                "train", place.sweep, "--stage", "tokenizer", "--workers", "2", "--set", "data.set=image-folder", "--set",
                "data.path=\(place.folder.appendingPathComponent("pictures").path)", "--set", "data.cache=\(cache)",
                environment: ["PROLOGUE_STORE": store.path])
            try #require(ended.code == 0, "\(ended.errors)")
            let stages = try FileManager.default.contentsOfDirectory(
                at: store.appendingPathComponent("stages"), includingPropertiesForKeys: nil)
            let trained = stages.filter { $0.lastPathComponent.hasPrefix("tokenizer-") }
            return try Dictionary(
                uniqueKeysWithValues: trained.map {
                    ($0.lastPathComponent, try Data(contentsOf: $0.appendingPathComponent("model.safetensors")))
                })
        }
        let plain = try train("none", in: "plain")
        #expect(try train("squares", in: "cached") == plain && plain.count == 2)
        // Heading, an entry of 32 bytes a picture, then 16 × 16 × 3 bytes for each that is there.
        let sizes = try place.python(
            """
            import glob, sys
            [file] = glob.glob(sys.argv[2] + "/cached/data/pictures-*.cache")
            content = open(file, "rb").read()
            count = int(content[:content.index(b"\\0")].split()[-1])
            there = sum(any(content[4096 + 32 * i:4128 + 32 * i]) for i in range(count))
            print(count, there, len(content) - 4096 - 32 * count - 768 * there)
            """, place.folder.path
        ).split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        try #require(sizes.count == 3)
        #expect(sizes[0] == 240 && sizes[1] > 100 && sizes[2] == 0, "\(sizes)")
    }

    private static let long = ["--set", "tokenizer.steps=100000", "--set", "tokenizer.checkpoint_every=100000", "--workers", "2"]

    /// A coordinator whose two workers are each some steps into a training that does not end.
    private func twoWorkersInLongTrainings(_ place: Workplace) throws -> (program: RunningProgram, workers: [Int32]) {
        let program = try place.start(["train", place.sweep, "--stage", "tokenizer"] + Self.long)
        #expect(program.waits { place.stages("tokenizer").count == 2 && place.stages("tokenizer").allSatisfy { Self.step(of: $0) > 5 } })
        let workers = children(of: program.identifier).filter(isWorker)
        #expect(workers.count == 2)
        return (program, workers)
    }

    /// The coordinator is asked to stop: all workers write a checkpoint and end.
    @Test(arguments: [SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2])
    func aStopReachesAllWorkers(_ signal: Int32) throws {
        let place = try Workplace()
        let (program, workers) = try twoWorkersInLongTrainings(place)

        // Two cells at once, each with its step, its rate and its worker.
        let arguments = ["sweep", "status", place.sweep, "--json"] + Self.long.prefix(4)
        let status = try place.json(arguments)
        #expect(status["counts"] == ["running": 2], "\(status)")
        for cell in status["cells"]?.arrayValue ?? [] {
            #expect(cell["at"] == "tokenizer" && cell["steps"] == 100_000, "\(cell)")
            #expect(cell["rate"]?.doubleValue ?? 0 > 0 && cell["seconds_left"]?.doubleValue ?? 0 > 0)
            #expect(cell["values"]?["l1"]?.doubleValue ?? 0 > 0)
        }
        let seen = Set((status["cells"]?.arrayValue ?? []).compactMap { $0["worker"]?.stringValue })
        #expect(seen.count == 2)
        for worker in workers { #expect(seen.contains { $0.hasPrefix("process \(worker) on ") }, "\(seen)") }

        // Someone who watches sees it run, and sees it stop.
        let watcher = try place.start(["sweep", "status", place.sweep, "--watch", "--every", "0.1", "--json"] + Self.long.prefix(4))
        #expect(watcher.waits { watcher.printed.contains("\n") })
        program.send(signal)
        // Whoever asks twice means the same; only a second Ctrl-C is impatience.
        if signal != SIGINT { for process in [program.identifier] + workers { for _ in 0..<2 { kill(process, signal) } } }
        #expect(try program.wait().code == 130)
        #expect(vanish(workers))
        for stage in place.stages("tokenizer") {
            #expect(FileManager.default.fileExists(atPath: stage.appendingPathComponent("checkpoint.h5").path))
        }
        let lines = try watcher.wait().output.split(separator: "\n").map { try JSONValue(parsing: Data($0.utf8)) }
        #expect(lines.count > 1)
        #expect(lines.first?["counts"] == ["running": 2] && lines.last?["counts"] == ["interrupted": 2], "\(lines)")
    }

    /// The coordinator is killed outright: each worker notices, stops at its next step with a checkpoint, and ends by itself.
    @Test func orphansWriteACheckpoint() throws {
        let place = try Workplace()
        let (program, workers) = try twoWorkersInLongTrainings(place)
        program.send(SIGKILL)
        #expect(try program.wait().wasKilled)
        #expect(vanish(workers), "workers outlive their coordinator")
        // What the last checkpoint says is where the status says that the stage is: nothing was lost.
        let steps = try place.python(
            """
            import glob, h5py, json, sys
            for path in sorted(glob.glob(sys.argv[1] + "/stages/tokenizer-*/")):
                status = json.load(open(path + "status.json"))
                print(status["state"], int(h5py.File(path + "checkpoint.h5")["counters/step"][()]) == status["step"] > 5)
            """)
        #expect(steps == "interrupted True\ninterrupted True")
    }

    /// A worker that crashes fails its stage, which keeps what it said last; the other arm goes on to its end.
    @Test func aCrashFailsItsStageAlone() throws {
        let place = try Workplace()
        let arguments = ["sweep", "run", place.sweep, "--workers", "2", "--set", "prior.steps=400"]
        let program = try place.start(arguments)
        #expect(place.reaches(20, "prior", program))
        let stage = try #require(place.stages("prior").first { Self.step(of: $0) >= 20 })
        let owner = try JSONValue(parsing: Data(contentsOf: stage.appendingPathComponent("lock")))
        // A signal that nobody sends by habit, and that no handler gets in the way of.
        kill(Int32(try #require(owner["process"]?.intValue)), SIGXCPU)
        let ended = try program.wait()
        #expect(ended.code == 1, "\(ended)")
        #expect(ended.output.contains("1 runs done, 1 failed"), "\(ended.output)")
        #expect(ended.output.contains("was ended by signal 24"), "\(ended.output)")
        let log = try String(contentsOf: stage.appendingPathComponent("log.txt"), encoding: .utf8)
        #expect(log.contains("was ended by signal 24"), "\(log)")
        let status = try JSONValue(parsing: Data(contentsOf: stage.appendingPathComponent("status.json")))
        #expect(status["state"] == "failed")
        // Tried again, it goes on from its checkpoint, and only it and what needs it is made.
        let again = try place.start(arguments).wait()
        #expect(again.code == 0, "\(again.errors)")
        #expect(again.output.contains("2 runs done, 0 failed; 6 stages worked on"), "\(again.output)")
        #expect(try String(contentsOf: stage.appendingPathComponent("log.txt"), encoding: .utf8).contains("resuming at step"))
    }

    /// Two commands on one sweep at once share the work: each stage is made once.
    @Test func twoRunsOfOneSweepShareTheWork() throws {
        let place = try Workplace()
        let arguments = ["sweep", "run", place.sweep, "--workers", "2", "--threads", "1"]
        let programs = try (0..<2).map { _ in try place.start(arguments) }
        let ended = try programs.map { try $0.wait() }
        for end in ended { #expect(end.code == 0 && end.output.contains("2 runs done, 0 failed"), "\(end)") }
        let worked = try ended.map { end in
            let match = try #require(end.output.firstMatch(of: /(\d+) stages worked on/))
            return try #require(Int(match.1))
        }
        #expect(worked.reduce(0, +) == 21, "\(worked)")
        #expect(try place.json("sweep", "status", place.sweep, "--json")["counts"] == ["done": 2])
    }

    /// In a pipe, progress is plain lines that say which worker they are of; quiet is quiet.
    @Test func progressInAPipeIsPlain() throws {
        let place = try Workplace()
        let run = try place.run("sweep", "run", place.sweep, "--workers", "2", "--threads", "1")
        #expect(run.code == 0, "\(run.errors)")
        #expect(!run.errors.contains("\u{1B}") && !run.errors.contains("\r"))
        #expect(run.errors.contains("2 workers with 1 threads each"), "\(run.errors)")
        #expect(run.errors.contains(/\[[12]\] tokenizer prologue 30\/30 .*loss/), "\(run.errors)")
        let record = try JSONValue(
            parsing: Data(contentsOf: try #require(place.stages("prior").first).appendingPathComponent("stage.json")))
        #expect(record["machine"]?["blas_threads"] == "1")
        let again = try place.run("sweep", "run", place.sweep, "--workers", "2", "--threads", "1", "--quiet")
        #expect(again.code == 0 && again.errors.isEmpty, "\(again.errors)")
    }

    private static func step(of stage: URL) -> Int {
        let data = (try? Data(contentsOf: stage.appendingPathComponent("status.json"))) ?? Data()
        return (try? JSONValue(parsing: data))?["step"]?.intValue ?? 0
    }
}

extension Workplace {
    /// Whether a stage of this kind has a file whose name begins like this.
    func has(_ kind: String, _ file: String) -> Bool {
        stages(kind).contains { stage in
            // What is being written is in a folder of the writer's own.
            let paths = (try? FileManager.default.subpathsOfDirectory(atPath: stage.path)) ?? []
            return paths.contains { URL(fileURLWithPath: $0).lastPathComponent.hasPrefix(file) }
        }
    }
}
