import Files
import Foundation
import Testing

/// A sweep that is disturbed in many ways and must end where it ends undisturbed, bit for bit.
struct Scenario {
    /// What of the tiny sweep is run.
    let settings: [String]
    /// By whom. Results depend on the number of threads, to rounding.
    let force: [String]
    private let kinds: [String]
    private let reference: Result<Workplace, any Error>

    private init(_ settings: [String], force: [String]) {
        self.settings = settings
        self.force = force
        kinds = ["features", "tokenizer", "reconstructions", "tokens", "probe", "prior", "samples", "scores", "resample"]
        reference = Result {
            let place = try Workplace()
            let run = try place.start(["sweep", "run", place.sweep, "--workers", "1", "--threads", "2"] + settings).wait()
            try #require(run.code == 0, "\(run.errors)")
            return place
        }
    }

    /// One arm, trained long enough to be interrupted in the middle, in one process.
    static let long = Scenario(
        [
            "--only", "arm = 'prologue'", "--set", "tokenizer.steps=120", "--set", "prior.steps=120",
            "--set", "tokenizer.checkpoint_every=15", "--set", "prior.checkpoint_every=15",
            "--set", "tokenizer.gan={weight: 0.1, width: 4, layers: 1, lecam: 0.1, start_step: 20}",
        ], force: ["--workers", "1", "--threads", "2"])

    /// Both arms, by three worker processes that do little else but write checkpoints.
    static let wide = Scenario(
        ["--set", "tokenizer.checkpoint_every=1", "--set", "prior.checkpoint_every=1"],
        force: ["--workers", "3", "--threads", "2"])

    func start(_ place: Workplace, environment: [String: String] = [:]) throws -> RunningProgram {
        try place.start(["sweep", "run", place.sweep] + force + settings, environment: environment)
    }

    /// Runs to the end and compares every file that results are read from with those of the undisturbed run.
    func expectUndisturbedEnd(_ place: Workplace, environment: [String: String] = [:]) throws {
        let last = try start(place, environment: environment).wait()
        try #require(last.code == 0, "\(last.errors)")
        let expected = try reference.get()
        var compared: Set<String> = []
        for kind in kinds {
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
        #expect(curves.split(separator: "\n").count == expected.stages("tokenizer").count + expected.stages("prior").count + 1)
        let undisturbedCurves = try expected.python(series)
        #expect(curves == undisturbedCurves)
    }

    /// The files of a stage, but for those that tell of times and processes: records, and the metrics with their clock.
    private func files(in stage: URL) throws -> Set<String> {
        var all = try FileManager.default.contentsOfDirectory(atPath: stage.path)
        let scores = (try? FileManager.default.contentsOfDirectory(atPath: stage.appendingPathComponent("scores").path)) ?? []
        all += scores.map { "scores/\($0)" }
        // What a killed process leaves of its claim goes with 'prologue gc'.
        let left = all.filter { $0 != "lock" && !$0.hasPrefix(".lock.") }
        return Set(left).subtracting(["stage.json", "status.json", "log.txt", "metrics.h5", "scores"])
    }
}

extension Workplace {
    /// Waits until a stage of this kind has done `step` steps.
    func reaches(_ step: Int, _ kind: String, _ program: RunningProgram) -> Bool {
        program.waits {
            stages(kind).contains { stage in
                guard let data = try? Data(contentsOf: stage.appendingPathComponent("status.json")),
                    let status = try? JSONValue(parsing: data)
                else { return false }
                return (status["step"]?.intValue ?? 0) >= step
            }
        }
    }

    /// What the stages of a kind have logged.
    func log(_ kind: String) throws -> String {
        let stages = stages(kind)
        try #require(!stages.isEmpty)
        return stages.map { (try? String(contentsOf: $0.appendingPathComponent("log.txt"), encoding: .utf8)) ?? "" }.joined()
    }
}

/// The children of a process.
func children(of process: Int32) -> [Int32] {
    let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")) ?? []
    return tasks.flatMap { task -> [Int32] in
        let text = (try? String(contentsOfFile: "/proc/\(process)/task/\(task)/children", encoding: .utf8)) ?? ""
        return text.split(separator: " ").compactMap { Int32($0) }
    }
}

/// Whether a process works here that was started as `prologue worker`.
func isWorker(_ process: Int32) -> Bool {
    let line = (try? Data(contentsOf: URL(fileURLWithPath: "/proc/\(process)/cmdline"))) ?? Data()
    return line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }.dropFirst().first == "worker"
}

/// Waits until none of the processes is there any more; false after a minute.
func vanish(_ processes: [Int32]) -> Bool {
    for _ in 0..<3000 {
        if !processes.contains(where: isWorker) { return true }
        Thread.sleep(forTimeInterval: 0.02)
    }
    return false
}
