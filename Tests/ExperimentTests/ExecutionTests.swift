import Experiment
import Files
import Foundation
import RunStore
import Sweep
import Testing

/// Stages as a graph: what fails, what is skipped, what is made again, what is kept.
@Suite struct ExecutionTests {
    /// The default follows from the cores alone.
    @Test(
        arguments: [
            (nil, nil, 1, 1, 1), (nil, nil, 2, 1, 2), (nil, nil, 4, 1, 4), (nil, nil, 8, 2, 4), (nil, nil, 64, 16, 4),
            (2, nil, 8, 2, 4), (3, nil, 8, 3, 2), (9, nil, 8, 9, 1), (nil, 1, 8, 8, 1), (nil, 16, 8, 1, 16), (3, 5, 2, 3, 5),
        ] as [(Int?, Int?, Int, Int, Int)])
    func theWorkforceFollowsFromTheCores(
        _ workers: Int?, _ threads: Int?, _ cores: Int, _ expectedWorkers: Int, _ expectedThreads: Int
    ) {
        let workforce = Workforce(workers: workers, threads: threads, cores: cores)
        #expect(workforce.workers == expectedWorkers && workforce.threads == expectedThreads)
    }

    /// Two arms; what one of them needs cannot be written.
    private static let arms = """
        arms:
          baseline: {tokenizer.variant: baseline-2d}
          prologue: {tokenizer.variant: prologue}

        """

    /// Puts a folder in the place of a file that a stage has to write.
    private func obstruct(_ role: String, of cell: Int, file: String, in place: Place) throws -> URL {
        let stages = try place.runner(Self.arms).plan().cells[cell].stages
        let id = try #require(stages.first { $0.role == role }?.id)
        let obstacle = place.store.stage(id: id).url(file)
        try FileManager.default.createDirectory(at: obstacle, withIntermediateDirectories: true)
        return obstacle
    }

    @Test func aFailureSkipsWhatNeedsItAndNothingElse() throws {
        let place = try Place()
        let obstacle = try obstruct("tokens", of: 0, file: "tokens.h5", in: place)
        let outcome = try place.runner(Self.arms).run()
        #expect(outcome.done.count == 1 && outcome.failed.count == 1)
        let failed = try #require(outcome.failed.first)
        #expect(failed.error.hasPrefix("tokens: ") && failed.error.contains(obstacle.path), "\(failed.error)")

        let status = try place.store.status(ofRun: failed.run)
        #expect(status.state == .failed && status.message == failed.error)
        let run = try place.store.run(failed.run)
        let lost = ["prior", "samples.cool", "samples.nocfg", "scores.cool", "scores.nocfg", "probe", "resample"]
        #expect(status.skipped == Dictionary(uniqueKeysWithValues: lost.map { ($0, "tokens") }))
        for (role, id) in run.stages {
            #expect(try place.store.stage(id: id).isComplete == (role != "tokens" && !lost.contains(role)), "\(role)")
        }
        // The error is kept with the stage.
        let stage = place.store.stage(id: try #require(run.stages["tokens"]))
        #expect(stage.status?.state == .failed && stage.status?.message.contains("tokens.h5") == true)
        #expect(try String(contentsOf: stage.url("log.txt"), encoding: .utf8).contains("failed: "))

        // After a fix, only what was missing is made.
        try FileManager.default.removeItem(at: obstacle)
        let again = try place.runner(Self.arms).run()
        #expect(again.failed.isEmpty && again.worked == 1 + lost.count)
        #expect(try place.store.status(ofRun: failed.run).skipped == nil)
    }

    @Test func failFastStopsAtTheFirstFailure() throws {
        let place = try Place()
        _ = try obstruct("tokens", of: 0, file: "tokens.h5", in: place)
        let outcome = try place.runner(Self.arms).run(failsFast: true)
        #expect(outcome.done.isEmpty && outcome.failed.count == 1)
        #expect(try place.store.runIDs().count == 1, "the second run is not begun")
    }

    /// A stage whose file turns out damaged is named and made again, whether its length tells or its content.
    @Test(arguments: [("tokens", "tokens.h5", true), ("samples.nocfg", "samples.h5", false), ("prior", "model_ema.safetensors", true)])
    func aDamagedStageIsMadeAgain(_ role: String, _ file: String, _ isCut: Bool) throws {
        let place = try Place()
        let first = try place.runner().run()
        #expect(first.failed.isEmpty)
        let ids = try place.ids()
        let stage = place.store.stage(id: try #require(ids[role]))
        let intact = try Data(contentsOf: stage.url(file))
        var data = intact
        if isCut {
            data.removeLast(data.count / 3)
        } else {
            data[data.count / 2] ^= 0x40
            // It is read by this stage, which is to be made anew.
            try place.store.stage(id: try #require(ids["scores.nocfg"])).invalidate(because: "to be made anew")
        }
        try data.write(to: stage.url(file))

        let again = try place.runner().run()
        #expect(again.failed.isEmpty, "\(again.failed)")
        #expect(again.worked == (isCut ? 1 : 2))
        #expect(try Data(contentsOf: stage.url(file)) == intact)
        let log = try String(contentsOf: stage.url("log.txt"), encoding: .utf8)
        #expect(log.contains("made again: ") && log.contains(file), "\(log)")
    }

    /// Curves and kept checkpoints are not what others read: damage to them makes nothing again.
    @Test func metricsAreNotWorthTrainingAgain() throws {
        let place = try Place()
        #expect(try place.runner().run().failed.isEmpty)
        let stage = place.store.stage(id: try #require(try place.ids()["prior"]))
        try Data("cut".utf8).write(to: stage.url("metrics.h5"))
        #expect(try place.runner().run().worked == 0)
    }

    @Test(arguments: ["none", "last", "all"])
    func checkpointsAreKeptAsAsked(_ keep: String) throws {
        let place = try Place()
        let set = ["prior.steps=5", "prior.checkpoint_every=2", "prior.keep_checkpoints=\(keep)"]
        #expect(try place.runner(set: set).run().failed.isEmpty)
        let stage = place.store.stage(id: try #require(try place.ids(set: set)["prior"]))
        let last = stage.url("checkpoint.h5")
        #expect(FileManager.default.fileExists(atPath: last.path) == (keep != "none"))
        let kept = (try? FileManager.default.contentsOfDirectory(atPath: stage.url("checkpoints").path)) ?? []
        #expect(kept.sorted() == (keep == "all" ? [2, 4, 5].map { "step-0000000\($0).h5" } : []))
        for name in kept {
            let checkpoint = try Checkpoint(reading: stage.url("checkpoints/\(name)"))
            #expect(name == "step-0000000\(checkpoint.counters["step"] ?? 0).h5")
            #expect(checkpoint.metadata["threads"]?.intValue ?? 0 > 0)
        }
        // Asking for less later makes nothing again.
        #expect(try place.runner(set: Array(set.dropLast())).run().worked == 0)
        // Kept ones go when they are asked for, and the stage stays.
        let garbage = try place.store.garbage(checkpoints: true)
        #expect(garbage.items.filter { $0.kind == .checkpoint }.count == ["none": 0, "last": 1, "all": 2][keep])
        #expect(try place.store.garbage().items.isEmpty)
        _ = try place.store.remove(garbage)
        #expect(try !FileManager.default.fileExists(atPath: last.path) && stage.isComplete)
    }
}
