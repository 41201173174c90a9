import Files
import Foundation
import Testing

/// Interrupted, killed and damaged runs end where an undisturbed one does, bit for bit.
@Suite(.serialized) struct SurvivalTests {
    /// One arm, trained long enough to be interrupted in the middle, with a discriminator beside it.
    private static let settings = [
        "--only", "arm = 'prologue'", "--set", "tokenizer.steps=120", "--set", "prior.steps=120",
        "--set", "tokenizer.checkpoint_every=15", "--set", "prior.checkpoint_every=15",
        "--set", "tokenizer.gan={weight: 0.1, width: 4, layers: 1, lecam: 0.1, start_step: 20}",
    ]

    private static let undisturbed: Result<Workplace, any Error> = Result {
        let place = try Workplace()
        let run = try start(place).wait()
        try #require(run.code == 0, "\(run.errors)")
        return place
    }

    private static func start(_ place: Workplace) throws -> RunningProgram {
        try place.start(["sweep", "run", place.sweep] + settings)
    }

    @Test func killsAndInterruptionsChangeNothing() throws {
        let place = try Workplace()
        let plan: [(signal: Int32, kind: String, step: Int)] = [
            (SIGKILL, "tokenizer", 5), (SIGKILL, "tokenizer", 40), (SIGTERM, "tokenizer", 70), (SIGINT, "prior", 25),
            (SIGKILL, "prior", 80),
        ]
        for (signal, kind, step) in plan {
            let program = try Self.start(place)
            #expect(reaches(step, kind, place, program))
            program.send(signal)
            let ended = try program.wait()
            if signal == SIGKILL {
                #expect(ended.wasKilled && ended.code == SIGKILL, "\(kind) \(step): \(ended)")
            } else {
                #expect(!ended.wasKilled && ended.code == 130, "\(kind) \(step): \(ended)")
                #expect(ended.errors.hasSuffix("interrupted; run the same command to go on\n"), "\(ended.errors)")
            }
            let status = try place.json(["sweep", "status", place.sweep, "--json"] + Self.settings)
            #expect(status["counts"] == ["interrupted": 1], "\(status)")
        }
        // And at moments that nobody chose.
        for _ in 0..<4 {
            let program = try Self.start(place)
            Thread.sleep(forTimeInterval: .random(in: 0.02...0.4))
            program.send(SIGKILL)
            _ = try program.wait()
        }
        try expectUndisturbedEnd(place)
        #expect(try log("tokenizer", place).contains("resuming at step"))
        #expect(try log("prior", place).contains("resuming at step"))
    }

    @Test(arguments: ["cut", "altered"])
    func aDamagedCheckpointStartsOver(_ damage: String) throws {
        let place = try Workplace()
        let program = try Self.start(place)
        #expect(reaches(50, "tokenizer", place, program))
        program.send(SIGKILL)
        #expect(try program.wait().wasKilled)
        let checkpoint = try #require(place.stages("tokenizer").first).appendingPathComponent("checkpoint.h5")
        var data = try Data(contentsOf: checkpoint)
        if damage == "cut" {
            data.removeLast(data.count / 3)
        } else {
            for i in data.count / 2..<data.count / 2 + 4096 { data[i] ^= 0x5A }
        }
        try data.write(to: checkpoint)
        try expectUndisturbedEnd(place)
        #expect(try log("tokenizer", place).contains("starting over: "))
    }

    /// While training runs: h5py reads its metrics, SQLite reads the index, the status says how far it is.
    @Test func othersReadWhileTrainingRuns() throws {
        let place = try Workplace()
        let long = ["--only", "arm = 'prologue'", "--set", "tokenizer.steps=100000"]
        let program = try place.start(["train", place.sweep, "--stage", "tokenizer"] + long)
        #expect(reaches(3, "tokenizer", place, program))
        let answer = try place.python(
            """
            import glob, h5py, math, sqlite3, sys, time
            path = glob.glob(sys.argv[1] + "/stages/tokenizer-*/metrics.h5")[0]
            f = h5py.File(path, "r", swmr=True)
            def rows():
                for name in f: f[name].refresh()
                f["step"].refresh()
                return len(f["step"])
            first, deadline = rows(), time.time() + 60
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

    // MARK: What the tests share

    /// Waits until the stage of this kind has done `step` steps.
    private func reaches(_ step: Int, _ kind: String, _ place: Workplace, _ program: RunningProgram) -> Bool {
        program.waits {
            guard let stage = place.stages(kind).first,
                let data = try? Data(contentsOf: stage.appendingPathComponent("status.json")),
                let status = try? JSONValue(parsing: data)
            else { return false }
            return (status["step"]?.intValue ?? 0) >= step
        }
    }

    private func log(_ kind: String, _ place: Workplace) throws -> String {
        let stage = try #require(place.stages(kind).first)
        return (try? String(contentsOf: stage.appendingPathComponent("log.txt"), encoding: .utf8)) ?? ""
    }

    /// Runs to the end and compares every file that results are read from with those of the undisturbed run.
    private func expectUndisturbedEnd(_ place: Workplace) throws {
        let last = try Self.start(place).wait()
        try #require(last.code == 0, "\(last.errors)")
        let expected = try Self.undisturbed.get()
        var compared: Set<String> = []
        for kind in [
            "features", "tokenizer", "reconstructions", "tokens", "probe", "prior", "samples", "scores", "resample",
        ] {
            let (these, those) = (place.stages(kind), expected.stages(kind))
            #expect(!those.isEmpty && these.map(\.lastPathComponent) == those.map(\.lastPathComponent))
            for (this, that) in zip(these, those) {
                let (left, wanted) = (try files(in: this), try files(in: that))
                #expect(left == wanted, "\(this.lastPathComponent)")
                for file in wanted {
                    let (a, b) = (this.appendingPathComponent(file), that.appendingPathComponent(file))
                    let isEqual = try Data(contentsOf: a) == Data(contentsOf: b)
                    #expect(isEqual, "\(this.lastPathComponent)/\(file) differs")
                    compared.insert(file)
                }
            }
        }
        for name in [
            "model.safetensors", "model_ema.safetensors", "tokens.h5", "samples.h5", "scores/shapes-cnn.nocfg.json",
        ] { #expect(compared.contains(name), "\(name) was not compared") }
        let series = """
            import glob, h5py, sys
            for path in sorted(glob.glob(sys.argv[1] + "/stages/*/metrics.h5")):
                with h5py.File(path, "r") as f:
                    print(path.split("/")[-2], f["step"][:].tolist(), [f[c][:].tobytes().hex() for c in f.attrs["columns"]])
            """
        let curves = try place.python(series)
        #expect(curves.split(separator: "\n").count == 3)
        let undisturbedCurves = try expected.python(series)
        #expect(curves == undisturbedCurves)
    }

    /// The files of a stage, but for those that tell of times and processes: records, and the metrics with their clock.
    private func files(in stage: URL) throws -> Set<String> {
        let all = try FileManager.default.subpathsOfDirectory(atPath: stage.path)
        return Set(all).subtracting(["stage.json", "status.json", "log.txt", "metrics.h5", "scores"])
    }
}
