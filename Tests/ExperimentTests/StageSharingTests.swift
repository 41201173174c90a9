import Experiment
import Files
import Foundation
import RunStore
import Sweep
import Testing

/// Which stages a change of settings makes anew, and which it leaves alone.
@Suite struct StageSharingTests {
    /// Changes with the roles whose stages they must make anew; all others stay.
    static let changes: [(change: String, anew: Set<String>)] = {
        let samples: Set<String> = ["samples.nocfg", "samples.cool", "scores.nocfg", "scores.cool"]
        let drawn = samples.union(["resample"])
        let prior = drawn.union(["prior"])
        let tokenizer = prior.union(["tokenizer", "reconstructions", "tokens", "probe"])
        let all = tokenizer.union(["features"])
        return [
            ("prior.steps=5", prior), ("prior.optimizer.lr=2e-3", prior), ("tokenizer.steps=5", tokenizer),
            ("tokenizer.loss.l1=2", tokenizer), ("tokenizer.joint_ar.tied=true", tokenizer),
            ("data.train_count=90", all), ("data.seed=1", all),
            ("features.steps=5", ["features", "reconstructions", "scores.nocfg", "scores.cool"]),
            ("sampling.settings.cool.temperature=0.8", ["samples.cool", "scores.cool"]),
            ("sampling.count=30", samples), ("probe.l2_grid=[0.1]", ["probe"]), ("resample.rows=3", ["resample"]),
            ("scores.precision_recall=false", ["scores.nocfg", "scores.cool"]),
            ("scores.reference_count=30", ["reconstructions", "scores.nocfg", "scores.cool"]),
            ("seeds: {tokenizer: 1, prior: 0, sampler: 0}", tokenizer),
            ("seeds: {tokenizer: 0, prior: 1, sampler: 0}", prior),
            ("seeds: {tokenizer: 0, prior: 0, sampler: 1}", drawn),
            // Losses of whole images, once they have a weight; without one nobody reads what else they say.
            ("tokenizer.gan.weight=0.1", tokenizer), ("tokenizer.gan={loss: hinge, width: 4, layers: 1, learning_rate: 0.1}", []),
            ("tokenizer.gan={start_step: 2, lecam: 0}", []), ("tokenizer.perceptual={seed: 3, network: lpips, weights: file}", []),
            // Bookkeeping changes no result, and so no stage.
            ("tokenizer.checkpoint_every=3", []), ("prior.log_every=2", []), ("sampling.batch=7", []),
        ]
    }()

    @Test(arguments: changes.indices)
    func aChangeMakesAnewWhatReadsIt(_ index: Int) throws {
        let (change, anew) = Self.changes[index]
        let place = try Place()
        let before = try place.ids()
        // Seeds are given by the sweep, not by --set.
        let after = try change.hasPrefix("seeds") ? place.ids(change + "\n") : place.ids(set: [change])
        #expect(Set(before.keys) == Set(after.keys))
        #expect(Set(before.keys.filter { before[$0] != after[$0] }) == anew, "\(change)")
    }

    /// Arms that differ only in settings of a prologue share a baseline's tokenizer.
    @Test func baselinesShareOneTokenizer() throws {
        let more = """
            arms:
              baseline-2: {tokenizer: {variant: baseline-2d, prologue_tokens: 2}}
              baseline-4: {tokenizer: {variant: baseline-2d, prologue_tokens: 4, prologue_codebook: 16, visual_dropout: 0.2}}
              baseline-ar: {tokenizer: {variant: baseline-2d, joint_ar: {layers: 2}, loss: {ce_prologue: 2}}}
              prologue-2: {tokenizer: {variant: prologue, prologue_tokens: 2}}
              prologue-4: {tokenizer: {variant: prologue, prologue_tokens: 4}}
            """
        let cells = try Place().runner(more).plan().cells
        func stages(_ role: String) -> [SweepPlan.Stage] { cells.compactMap { $0.stages.first { $0.role == role } } }
        let tokenizers = stages("tokenizer").map(\.id)
        #expect(tokenizers[0] == tokenizers[1] && tokenizers[0] == tokenizers[2])
        #expect(Set(tokenizers).count == 3)
        #expect(Set(stages("prior").map(\.id)[..<3]).count == 1)
        #expect(Set(stages("features").map(\.id)).count == 1)
        let first = "baseline-2,seed=0"
        #expect(stages("tokenizer").map(\.sharedWith) == [nil, first, first, nil, nil])
        // The probe's control reads as many tokens as the prologue that it stands against has.
        #expect(stages("probe")[0].id != stages("probe")[1].id)
    }

    /// Running after a change works on exactly the stages that the plan said; times are estimated from what was done.
    @Test func runningWorksOnWhatThePlanSays() throws {
        let place = try Place()
        let first = try place.runner().run()
        #expect(first.done.count == 1 && first.failed.isEmpty)
        #expect(first.reused == 0)

        let changed = try place.runner(set: ["prior.steps=8"])
        let plan = try changed.plan()
        let work = plan.cells[0].stages.filter(\.isWork)
        #expect(work.map(\.role) == ["prior", "samples.cool", "scores.cool", "samples.nocfg", "scores.nocfg", "resample"])
        // The one prior there is, scaled by FLOPs: twice the steps, and as many held-out images.
        let id = try #require(try place.ids()["prior"])
        let done = try #require(try place.store.stage(id: id).record)
        let flops = try #require(work[0].cost?.flops)
        let scale = try flops / #require(done.summary["flops"]?.doubleValue)
        #expect(scale > 1 && scale < 2)
        #expect(abs(try #require(work[0].seconds) - scale * done.wallSeconds) < 1e-9)
        #expect(work[0].estimate?.basis == .stage(id))
        #expect(plan.totals.map(\.name) == ["prior", "samples", "scores", "resample"])
        #expect(plan.totals[0].steps == 8)

        let second = try place.runner(set: ["prior.steps=8"]).run()
        #expect(second.worked == work.count)
        #expect(second.reused == plan.cells[0].stages.count - work.count)
        #expect(try place.runner(set: ["prior.steps=8"]).plan().totals.isEmpty)
        #expect(try place.store.runIDs().count == 2, "other settings are another run")
    }

    /// A run that an earlier version made keeps its shorter id. The same id of other settings, which six digits allow, is not
    /// taken for the run, and stays as it is.
    @Test func earlierRunsKeepTheirIds() throws {
        let place = try Place()
        let first = try #require(try place.runner().run(upTo: "features").done.first)
        let shorter = String(first.dropLast(6))
        #expect(first.wholeMatch(of: /sharing-.*s0-[0-9a-f]{12}/) != nil)
        /// Gives the run of a place the shorter id, in a record as earlier versions wrote it; returns its file.
        func makeEarlier(_ place: Place, _ change: (inout [String: JSONValue]) throws -> Void) throws -> URL {
            let folder = place.store.directory(ofRun: shorter)
            try FileManager.default.moveItem(at: place.store.directory(ofRun: first), to: folder)
            let file = folder.appendingPathComponent("run.json")
            var record = try #require(try JSONValue(parsing: Data(contentsOf: file)).objectValue)
            for key in ["sha256", "identity"] { record[key] = nil }
            record["id"] = .string(shorter)
            try change(&record)
            try Data(JSONValue.object(record).pretty.utf8).write(to: file)
            return file
        }
        _ = try makeEarlier(place) { _ in }
        #expect(try place.runner().run(upTo: "features").done == [shorter])
        #expect(try place.store.runIDs() == [shorter])
        #expect(try place.runner().plan().cells[0].run == shorter)
        #expect(try SweepStatus(of: place.runner().sweep, in: place.store).cells[0].run == shorter)
        // From now on its record says what it stands for.
        #expect(try place.store.run(shorter).identity != nil)

        let other = try Place()
        _ = try other.runner().run(upTo: "features")
        let file = try makeEarlier(other) { record in
            var config = try #require(record["config"]?.objectValue)
            var prior = try #require(config["prior"]?.objectValue)
            prior["steps"] = 99
            config["prior"] = .object(prior)
            record["config"] = .object(config)
        }
        let text = try String(contentsOf: file, encoding: .utf8)
        #expect(try other.runner().run(upTo: "features").done == [first])
        #expect(try other.store.runIDs() == [shorter, first])
        #expect(try String(contentsOf: file, encoding: .utf8) == text)
    }
}
