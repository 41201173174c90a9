import Files
import Foundation
import Testing

/// From a sweep file to results, through the program as people use it.
@Suite struct SweepTests {
    @Test func everyCellIsRunOnceAndReusedAfterwards() throws {
        let (_, first, again) = try finishedSweep.get()
        #expect(first.code == 0, "\(first.errors)")
        // 11 stages a run; the feature network is shared.
        #expect(first.output.contains("2 runs done, 0 failed; 21 stages worked on, 1 reused"), "\(first.output)")
        #expect(first.output.contains("21 of 21 stages done"), "\(first.output)")
        #expect(again.code == 0, "\(again.errors)")
        #expect(again.output.contains("0 stages worked on, 22 reused"), "\(again.output)")
    }

    @Test func planNamesWhatIsSharedAndWhatIsDone() throws {
        let fresh = try Workplace()
        let plan = try fresh.json("sweep", "plan", fresh.sweep, "--json")
        let cells = try #require(plan["cells"]?.arrayValue)
        #expect(cells.compactMap { $0["cell"]?.stringValue } == ["baseline,seed=0", "prologue,seed=0"])
        func stage(_ role: String, _ cell: Int) -> JSONValue? {
            cells[cell]["stages"]?.arrayValue?.first { $0["role"]?.stringValue == role }
        }
        #expect(stage("features", 0)?["shared_with"] == .null)
        #expect(stage("features", 1)?["shared_with"] == "baseline,seed=0")
        #expect(stage("tokenizer", 0)?["state"] == "missing")
        #expect(stage("probe", 0)?["seconds"] == .null, "its time does not follow from FLOPs")
        let work = try #require(plan["to_do"]?.arrayValue)
        #expect(work.first { $0["kind"] == "features" }?["stages"] == 1)
        #expect(work.first { $0["kind"] == "tokenizer" }?["steps"] == 60)

        let place = try finishedSweep.get().place
        let done = try place.json("sweep", "plan", place.sweep, "--json")
        #expect(done["to_do"] == [])
        let states = (done["cells"]?.arrayValue ?? []).flatMap { $0["stages"]?.arrayValue ?? [] }.map { $0["state"] }
        #expect(states == Array(repeating: "done", count: 22))

        // Other prior settings: tokenizers stay, and there is something to estimate from.
        let longer = try place.json("sweep", "plan", place.sweep, "--set", "prior.steps=60", "--json")
        let kinds = (longer["to_do"]?.arrayValue ?? []).compactMap { $0["kind"]?.stringValue }
        #expect(kinds == ["prior", "samples", "scores", "resample"])
        #expect(try #require(longer["seconds"]?.doubleValue) > 0)
    }

    @Test func statusCountsTheCells() throws {
        let fresh = try Workplace()
        #expect(try fresh.json("sweep", "status", fresh.sweep, "--json")["counts"] == ["planned": 2])

        let place = try finishedSweep.get().place
        let status = try place.json("sweep", "status", place.sweep, "--json")
        #expect(status["counts"] == ["done": 2])
        for cell in status["cells"]?.arrayValue ?? [] { #expect(cell["stages_done"] == cell["stages"]) }
        #expect(status["overall"]?["stages_done"] == 21 && status["overall"]?["stages"] == 21)
        let shown = try place.run("sweep", "status", place.sweep).output
        #expect(shown.contains("2 done") && shown.contains("21 of 21 stages done") && !shown.contains("left,"), "\(shown)")
    }

    @Test func trainingStopsAtTheStageAskedFor() throws {
        let place = try Workplace()
        let only = ["--only", "arm = 'prologue'"]
        let trained = try place.start(["train", place.sweep, "--stage", "tokenizer"] + only).wait()
        #expect(trained.code == 0, "\(trained.errors)")
        #expect(place.stages("tokenizer").count == 1)
        #expect(place.stages("prior").isEmpty && place.stages("features").isEmpty)
        let whole = try place.start(["sweep", "run", place.sweep] + only).wait()
        #expect(whole.output.contains("10 stages worked on, 1 reused"), "\(whole.output)")
        // Asking for a part again leaves a finished run finished.
        #expect(try place.start(["train", place.sweep] + only).wait().code == 0)
        #expect(try place.json("sweep", "status", place.sweep, "--json")["counts"] == ["done": 1, "planned": 1])
    }

    @Test func aFailedRunLeavesTheOthersAloneAndFailsTheCommand() throws {
        let place = try Workplace()
        // A folder is in the way of a file.
        let plan = try place.json("sweep", "plan", place.sweep, "--json")
        let stages = try #require(plan["cells"]?.arrayValue?.first?["stages"]?.arrayValue)
        let tokens = try #require(stages.first { $0["role"] == "tokens" }?["id"]?.stringValue)
        let obstacle = place.store.appendingPathComponent("stages/\(tokens)/tokens.h5")
        try FileManager.default.createDirectory(at: obstacle, withIntermediateDirectories: true)

        let run = try place.run("sweep", "run", place.sweep)
        #expect(run.code == 1)
        #expect(run.output.contains("1 runs done, 1 failed"), "\(run.output)")
        #expect(run.output.contains("tokens.h5"), "\(run.output)")
        let status = try place.json("sweep", "status", place.sweep, "--json")
        #expect(status["counts"] == ["done": 1, "failed": 1])
        let failed = try #require(status["cells"]?.arrayValue?.first)
        #expect(failed["skipped"]?["prior"] == "tokens" && failed["skipped"]?["reconstructions"] == nil, "\(failed)")
        let shown = try place.run("sweep", "status", place.sweep).output
        #expect(shown.contains("skipped because of tokens: prior, probe, "), "\(shown)")
    }
}
