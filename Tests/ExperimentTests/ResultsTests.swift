import Experiment
import Files
import Foundation
import Metrics
import RunStore
import Sweep
import Testing

/// Results are read from the records of runs.
@Suite struct ResultsTests {
    /// Ablating the prologue's length: the baseline without one is probed on as many tokens as each of the others.
    @Test func aBaselineWithoutPrologueIsProbedForEveryLength() throws {
        let place = try Place()
        let runner = try place.runner(
            """
            axes: {tokenizer.prologue_tokens: [0, 1, 2]}
            compare: {baseline: {tokenizer.prologue_tokens: 0}, metrics: [probe.top1, rfid]}
            """)
        let plan = try runner.plan()
        #expect(
            plan.notes.contains {
                $0.hasPrefix("probe.top1 will be measured under different protocols (tokenizer.prologue_tokens = 1 or 2)")
            })
        #expect(
            plan.cells.map { $0.stages.map(\.role).filter { $0.hasPrefix("probe") } } == [["probe.1", "probe.2"], ["probe"], ["probe"]])
        #expect(try runner.run().failed.isEmpty)

        let results = try SweepResults(runner.sweep, in: place.store)
        #expect(results.arms.map(\.label) == ["prologue_tokens=0", "prologue_tokens=1", "prologue_tokens=2"])
        let tokens = results.arms.map { arm in
            arm.runs[0].all("probe.top1").compactMap { MeasuringProtocol($0.protocol).members["tokens"] }
        }
        #expect(tokens == [[1, 2], [1], [2]])
        // The tokens that it shares with a tokenizer of its own kind are no other run: ids depend on the cell alone.
        #expect(try results.arms.map { $0.runs[0].id } == runner.sweep.cells.map { try place.store.runID(of: $0, in: runner.sweep.name) })
        #expect(try place.store.run(results.arms[0].runs[0].id).config["probe"]?["counts"] == [])
        #expect(results.scores.filter { !$0.isKnown }.map(\.text) == [])
    }

    /// A study belongs to its run, whatever it was told; and a run that was studied stays so.
    @Test func aStudyMakesNoOtherRun() throws {
        let place = try Place()
        let plain = try place.runner()
        let id = try #require(try plain.run().done.first)
        let settings = ["semantics.groups=2", "semantics.draws=2", "semantics.prefixes=[0, 1]", "semantics.attention_images=2"]
        let told = try place.runner("", set: settings + ["semantics.enabled=true"]).sweep
        let context = ExperimentContext(store: place.store, code: .unknown, machine: .current(), progress: SilentProgress())
        let studied = try SweepRunner(plain.sweep, context, studies: told.cells.map(\.settings.semantics)).run()
        #expect(try studied.done == [id] && place.store.runIDs() == [id])
        let stages = try place.store.run(id).stages
        #expect(Set(["completions", "information", "attention", "readout"]).isSubset(of: stages.keys))

        let again = try plain.run()
        #expect(again.worked == 0 && again.done == [id])
        #expect(try place.store.run(id).stages == stages)
        let results = try SweepResults(plain.sweep, in: place.store)
        #expect(results.scores.filter { !$0.isKnown }.map(\.text) == [])
        #expect(results.scores.contains { $0.measure == .completionAgreement })
    }

    /// Neither a damaged file of scores nor one that is gone takes the other results away.
    @Test func whatCannotBeReadIsNamed() throws {
        let place = try Place()
        let runner = try place.runner("seeds: [0, 1]")
        #expect(try runner.run().done.count == 2)
        let whole = try SweepResults(runner.sweep, in: place.store)
        #expect(whole.arms[0].values("l1@pixels").count == 2)
        let stage = try #require(whole.arms[0].runs[0].stages["reconstructions"]?.record?.id)
        try Data("{\"protocol\": {}, \"values\"".utf8).write(to: place.store.stage(id: stage).url("scores/pixels.json"))
        let rest = try SweepResults(runner.sweep, in: place.store)
        #expect(rest.arms[0].values("l1@pixels").count == 1 && rest.arms[0].values("gfid@shapes-cnn.nocfg").count == 2)
        // Beside what the toy's own stages warn of.
        let notes = rest.notes.filter { !whole.notes.contains($0) }
        #expect(notes.count == 1 && notes[0].contains("left out: ") && notes[0].contains("pixels.json"))
    }

    /// A record is written anew from the sweep file, under the id that it had.
    @Test func aDamagedRecordIsWrittenAnew() throws {
        let place = try Place()
        let runner = try place.runner()
        let id = try #require(try runner.run().done.first)
        let url = place.store.directory(ofRun: id).appendingPathComponent("run.json")
        let whole = try String(contentsOf: url, encoding: .utf8)
        for damage in [whole.replacing("\"sweep\"", with: "\"sweeq\""), String(whole.prefix(40)), ""] {
            try Data(damage.utf8).write(to: url)
            #expect(throws: InputError.self) { try place.store.run(id) }
            let again = try runner.run()
            #expect(again.done == [id] && again.worked == 0)
            #expect(try place.store.run(id).id == id && place.store.runIDs() == [id])
        }
    }

    @Test func labelsAreWhatDiffers() {
        func part(_ key: String, _ value: JSONValue) -> ArmLabels.Part {
            .init(key: key, label: "\(key)=\(value.stringValue ?? value.canonical)", value: value)
        }
        #expect(
            ArmLabels.short([
                [part("variant", "prologue"), part("dim", 64), part("steps", 100)],
                [part("variant", "prologue"), part("dim", 128), part("steps", 100)],
            ]) == ["dim=64", "dim=128"])
        #expect(
            ArmLabels.short([[part("variant", "a"), part("dim", 64)], [part("variant", "b"), part("dim", 64)]]) == ["a", "b"])
        // A word that two keys have says nothing by itself.
        #expect(
            ArmLabels.short([[part("x", "on"), part("y", "off")], [part("x", "off"), part("y", "on")]]) == ["x=on,y=off", "x=off,y=on"])
        #expect(ArmLabels.short([[part("dim", 64)]]) == ["dim=64"])
        #expect(ArmLabels.short([[part("dim", .null)], [part("dim", 2)]]) == ["dim=null", "dim=2"])
    }
}
