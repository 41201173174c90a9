import Files
import Foundation
import TestSupport
import Testing

/// Models on the device of a PJRT plugin, from the command line.
@Suite(.enabled(if: testPlugin != nil, "needs the CPU plugin of Tests/reference/requirements.txt"), .serialized)
struct DeviceTests {
    private let plugin = ["PROLOGUE_PJRT_PLUGIN": testPlugin ?? ""]
    private static let sweep =
        tinySweep + """
            only: arm = 'prologue'

            """

    /// A training, what it follows, and settings that keep it busy.
    struct Training: Sendable, CustomTestStringConvertible {
        let stage: String
        let follows: String?
        let program: String
        let settings: [String]
        /// How far its last loss may be from that of the other side: choices of codes make more of a last digit.
        var tolerance = 1e-3
        var title: String?
        var testDescription: String { title ?? stage }
    }

    static let trainings = [
        Training(
            stage: "prior", follows: "tokens", program: "prior_step-",
            settings: ["prior.steps=60", "prior.dropout=0.1", "prior.checkpoint_every=5"]),
        // Codes begin anew a few times on the way.
        Training(
            stage: "tokenizer", follows: nil, program: "tokenizer_update-",
            settings: [
                "tokenizer.steps=60", "tokenizer.visual_restart=20", "tokenizer.prologue_restart=20", "tokenizer.checkpoint_every=5",
            ],
            tolerance: 0.02),
        // The discriminator begins on the way.
        Training(
            stage: "tokenizer", follows: nil, program: "tokenizer_update-",
            settings: [
                "tokenizer.steps=60", "tokenizer.checkpoint_every=5", "tokenizer.perceptual.weight=0.5",
                "tokenizer.gan={weight: 0.1, width: 4, layers: 1, lecam: 0.1, r1: 0.1, r1_every: 8, start_step: 10}",
            ],
            title: "tokenizer with losses of images"),
    ]

    private func train(_ place: Workplace, _ training: Training, upTo stage: String? = nil, on device: String) throws -> RunningProgram {
        let options = ["train", place.sweep, "--stage", stage ?? training.stage, "--device", device]
        return try place.start(options + training.settings.flatMap { ["--set", $0] }, environment: plugin)
    }

    private func finish(_ place: Workplace, _ training: Training, on device: String) throws {
        let ended = try train(place, training, on: device).wait()
        try #require(ended.code == 0, "\(ended.errors)")
    }

    /// Weights and record of a stage.
    private func stage(_ name: String, _ place: Workplace) throws -> (weights: [Data], record: JSONValue) {
        let stage = try #require(place.stages(name).first)
        let files = ["model.safetensors", "model_ema.safetensors"].map(stage.appendingPathComponent)
        return (try files.map { try Data(contentsOf: $0) }, try stageRecord(name, place))
    }

    private func stageRecord(_ kind: String, _ place: Workplace) throws -> JSONValue {
        try JSONValue(parsing: Data(contentsOf: #require(place.stages(kind).first).appendingPathComponent("stage.json")))
    }

    /// Ends a program and its workers at once.
    private func kill9(_ program: RunningProgram) {
        // The coordinator first, which would begin anew what its worker was at.
        let workers = children(of: program.identifier).filter(isWorker)
        program.send(SIGKILL)
        for worker in workers { kill(worker, SIGKILL) }
    }

    /// Killed and resumed on the device a training ends alike, bit for bit; moved between the device and the kernels of this
    /// program it ends where one that stayed does, to rounding.
    @Test(arguments: trainings) func trainingsGoOnOnEitherSide(_ training: Training) throws {
        try goOn(training, here: "cpu", there: "xla")
    }

    /// The same of two devices that share the batches, and one of them.
    @Test(arguments: triesEveryCaseOnDevices ? trainings : [trainings[0]]) func trainingsGoOnOnSeveralDevices(_ training: Training) throws {
        try goOn(training, here: "xla", there: "xla:0-1")
    }

    private func goOn(_ training: Training, here ours: String, there theirs: String) throws {
        let begun = try Workplace(sweep: Self.sweep)
        if let follows = training.follows {
            let ended = try train(begun, training, upTo: follows, on: "cpu").wait()
            try #require(ended.code == 0, "\(ended.errors)")
        }
        func place() throws -> Workplace {
            let place = try Workplace(sweep: Self.sweep)
            if training.follows != nil { try FileManager.default.copyItem(at: begun.store, to: place.store) }
            return place
        }
        func loss(_ place: Workplace) throws -> Double {
            try #require(stage(training.stage, place).record["summary"]?["last"]?["loss"]?.doubleValue)
        }

        let (here, there) = (try place(), try place())
        try finish(here, training, on: ours)
        try finish(there, training, on: theirs)
        let undisturbed = try stage(training.stage, there)
        let used = try #require(undisturbed.record["summary"]?["device"]?.stringValue)
        #expect(used.hasPrefix("xla:cpu, ") && used.contains("× 2") == theirs.contains("0-1"))
        #expect(undisturbed.record["machine"]?["device"]?.stringValue == (theirs == "xla" ? theirs : "xla:0,1"))
        let one = try stage(training.stage, here).record["summary"]?["device"]?.stringValue
        #expect((one == nil) == (ours == "cpu") && one?.contains("×") != true)
        let expected = try loss(here)
        #expect(abs(try loss(there) - expected) < training.tolerance * expected)
        // Programs are compiled once for all that follows.
        let programs = there.store.appendingPathComponent("data/programs")
        #expect(try FileManager.default.contentsOfDirectory(atPath: programs.path).contains { $0.hasPrefix(training.program) })
        func prepared() throws -> Workplace {
            let place = try place()
            let data = place.store.appendingPathComponent("data")
            try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
            try FileManager.default.copyItem(at: programs, to: data.appendingPathComponent("programs"))
            return place
        }

        let killed = try prepared()
        for step in [15, 40] {
            let program = try train(killed, training, on: theirs)
            #expect(killed.reaches(step, training.stage, program))
            kill9(program)
            _ = try program.wait()
            guard step == 15 else { continue }
            // Kept programs that are damaged are made again.
            let kept = killed.store.appendingPathComponent("data/programs")
            for name in try FileManager.default.contentsOfDirectory(atPath: kept.path) {
                var bytes = try Data(contentsOf: kept.appendingPathComponent(name))
                bytes[bytes.count / 2] ^= 1
                try bytes.write(to: kept.appendingPathComponent(name))
            }
        }
        try finish(killed, training, on: theirs)
        #expect(try stage(training.stage, killed).weights == undisturbed.weights)
        #expect(try killed.log(training.stage).contains("resuming at step"))

        let moved = try prepared()
        for (device, step) in [(ours, 20), (theirs, 40)] {
            let program = try train(moved, training, on: device)
            #expect(moved.reaches(step, training.stage, program))
            program.send(SIGTERM)
            _ = try program.wait()
        }
        try finish(moved, training, on: ours)
        #expect(try moved.log(training.stage).contains("equal to rounding only"))
        let mixed = try loss(moved)
        #expect(abs(mixed - expected) < training.tolerance * expected)
    }

    /// The likeliest tokens of the same weights, one by one.
    @Test func greedySamplesAreEqual() throws {
        let place = try finishedSweep.get().place
        let run = try #require(try place.json("runs", "list", "--json")["rows"]?.arrayValue?.compactMap { $0["run"]?.stringValue }.last)
        func sample(_ device: String) throws -> String {
            let options = ["--top-k", "1", "--guidance", "1.5", "--count", "12", "--device", device]
            let ended = try place.start(["sample", run] + options, environment: plugin).wait()
            try #require(ended.code == 0, "\(ended.errors)")
            let path = try #require(ended.output.split(separator: "\n").last?.split(separator: " ").last.map(String.init))
            return try place.python("import h5py; print(h5py.File('\(path)')['tokens'][()].tolist())")
        }
        #expect(try sample("xla") == sample("cpu"))
    }

    /// A program that the plugin refuses, has no memory for, or dies of: its stage fails and says why, the others go on, and the next
    /// run makes what is left.
    @Test func aTroubledPluginFailsItsStageAlone() throws {
        let place = try Workplace(
            sweep: Self.sweep + "semantics: {enabled: true, groups: 4, draws: 2, interventions: 4, marginal_draws: 9}\n")
        let path = try TroubledPlugin.build(in: place.folder)
        let options = ["sweep", "run", place.sweep, "--device", "xla"]
        func features() throws -> (folder: URL, isDone: Bool) {
            let folder = try #require(place.stages("features").first)
            return (folder, FileManager.default.fileExists(atPath: folder.appendingPathComponent("stage.json").path))
        }
        let said: [(TroubledPlugin.Trouble, words: String, keepsText: Bool)] = [
            (.refusal, "the program 'classifier_step' was not compiled", true), (.memory, "the device's memory does not suffice", true),
            (.crash, "was ended by signal 6", false),
        ]
        for (trouble, words, keepsText) in said {
            let ended = try place.start(options, environment: TroubledPlugin.environment(path, trouble, with: "classifier_step")).wait()
            #expect(ended.code == 1 && ended.errors.contains(words), "\(trouble): \(ended.errors)")
            let (folder, isDone) = try features()
            let text = try? String(contentsOf: folder.appendingPathComponent("refused-program.mlir"), encoding: .utf8)
            #expect(!isDone && (text?.hasPrefix("module @classifier_step ") == true) == keepsText, "\(trouble)")
            for kind in ["tokenizer", "tokens", "prior", "samples", "resample", "attention"] {
                #expect(try stageRecord(kind, place)["summary"]?["device"]?.stringValue?.hasPrefix("xla:cpu, ") == true, "\(kind)")
            }
            #expect(place.stages("scores").isEmpty)
        }
        let ended = try place.start(options, environment: plugin).wait()
        #expect(ended.code == 0, "\(ended.errors)")
        #expect(try features().isDone)
        #expect(try FileManager.default.contentsOfDirectory(atPath: features().folder.path).allSatisfy { !$0.hasPrefix("refused") })
        for kind in ["features", "reconstructions", "completions", "interventions", "information", "marginal"] {
            #expect(try stageRecord(kind, place)["summary"]?["device"]?.stringValue?.hasPrefix("xla:cpu, ") == true, "\(kind)")
        }
    }

    /// Small runs: a device for each worker.
    @Test func workersHaveDevicesOfTheirOwn() throws {
        let place = try Workplace()
        let options = ["sweep", "run", place.sweep, "--workers", "2", "--threads", "1", "--device", "xla:0-1"]
        let ended = try place.start(options, environment: plugin).wait()
        try #require(ended.code == 0, "\(ended.errors)")
        let records = try ["tokenizer", "tokens", "prior", "samples", "features"].flatMap { kind in
            try place.stages(kind).map { try JSONValue(parsing: Data(contentsOf: $0.appendingPathComponent("stage.json"))) }
        }
        #expect(records.count == 11)
        #expect(Set(records.compactMap { $0["machine"]?["device"]?.stringValue }) == ["xla:0", "xla:1"])
        #expect(records.allSatisfy { $0["summary"]?["device"]?.stringValue?.hasPrefix("xla:cpu, cpu, ") == true })
        let uneven = try place.run("sweep", "run", place.sweep, "--workers", "3", "--device", "xla:0-1", environment: plugin)
        #expect(uneven.code != 0 && uneven.errors.contains("3 workers cannot have equally many of 2 devices"), "\(uneven.errors)")
    }

    @Test func mistakesNameWhatThereIs() throws {
        let place = try Workplace()
        let cases = [
            ("gpu", "device 'gpu' is none of cpu, xla, xla:NAME"), ("xla:cudda", "there is no PJRT plugin 'cudda'"),
        ]
        for (device, words) in cases {
            let ended = try place.run("train", place.sweep, "--device", device, environment: plugin)
            #expect(ended.code != 0 && ended.errors.contains(words), "\(ended.errors)")
        }
        let missing = try place.run(
            "verify", "--device", "xla", "pack", environment: ["PROLOGUE_PJRT_PLUGIN": "/nowhere/plugin.so"])
        #expect(missing.code != 0 && missing.errors.contains("/nowhere/plugin.so"), "\(missing.errors)")
        let doctor = try place.run("doctor", environment: plugin)
        #expect(doctor.code == 0 && doctor.output.contains("device xla:cpu"), "\(doctor.output)")
    }
}
