import Experiment
import Files
import Foundation
import RunStore
import Sweep
import Testing

/// What is said of a sweep as a whole.
@Suite struct SweepProgressTests {
    private static let arms = "arms: {baseline: {tokenizer.variant: baseline-2d}, prologue: {tokenizer.variant: prologue}}\n"

    @Test func stagesOfTheWholeSweepAreCountedOnce() throws {
        let place = try Place()
        let runner = try place.runner(Self.arms)
        func overall() throws -> SweepProgress { try SweepStatus(of: runner.sweep, in: place.store).overall }
        let before = try overall()
        #expect(before.unknownRuns == 2 && before.stages == 0 && before.elapsed == nil && before.secondsLeft == nil)

        let part = try runner.run(upTo: "tokens")
        #expect(part.stagesDone == part.stages && part.seconds > 0)
        let (half, plan) = (try overall(), try runner.plan())
        let stages = plan.cells.flatMap(\.stages)
        #expect(half.stages == Set(stages.map(\.id)).count && half.unknownRuns == 0)
        #expect(half.done == Set(stages.filter { $0.state == .done }.map(\.id)).count && half.done == part.stages)
        // No prior has ever been made here: nothing tells how long one takes.
        #expect(half.secondsLeft == nil && (half.elapsed ?? -1) >= 0)

        // Of a run that is not begun the stages are known from when the sweep was.
        try FileManager.default.removeItem(at: place.store.directory(ofRun: try #require(part.done.last)))
        let known = try overall()
        #expect(known.unknownRuns == 0 && known.stages == half.stages && known.done == half.done)

        _ = try runner.run()
        let whole = try overall()
        #expect(whole.done == whole.stages && whole.stages == half.stages && whole.secondsLeft == 0)
    }

    /// Scores that an older version has written are named, not passed over in silence.
    @Test func scoresOfAnOlderFormatAreNamed() throws {
        let place = try Place()
        let runner = try place.runner("seeds: [0, 1]")
        let id = try #require(try runner.run().done.first)
        #expect(try !SweepResults(runner.sweep, in: place.store).notes.contains { $0.contains("older version") })

        var run = try place.store.run(id)
        let stage = place.store.stage(id: try #require(run.stages["reconstructions"]))
        let now = try #require(try stage.record?.identity)
        let older = StageIdentity(kind: now.kind, settings: now.settings, inputs: now.inputs, formatVersion: now.formatVersion - 1)
        run.stages["reconstructions"] = try place.store.perform(older) { _ in [:] }.stage.id
        try place.store.save(run)
        try FileManager.default.removeItem(at: stage.directory)

        let note = try #require(try SweepResults(runner.sweep, in: place.store).notes.first)
        #expect(note.contains("reconstructions") && note.contains("formats \(older.formatVersion), \(now.formatVersion)"))
        #expect(note.contains("`prologue sweep run` makes them again"))
    }
}
