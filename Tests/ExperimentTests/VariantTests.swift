import Experiment
import Files
import Foundation
import RunStore
import Sweep
import Testing

/// Every variant trains, and each trains what it says and nothing else.
@Suite struct VariantTests {
    private static let variants = [
        "baseline-1d", "baseline-2d", "coupled-1d", "coupled-2d", "prologue", "prologue-post", "prologue-onestage",
    ]

    @Test func allRunFromTokenizerToScores() throws {
        let place = try Place()
        let runner = try place.runner("axes: {tokenizer.variant: [\(Self.variants.joined(separator: ", "))]}\n")
        let outcome = try runner.run()
        #expect(outcome.failed.isEmpty, "\(outcome.failed)")
        #expect(outcome.done.count == Self.variants.count)
        for id in outcome.done {
            let run = try place.store.run(id)
            let scores = try place.store.stage(id: run.stages["scores.nocfg"] ?? "").scores().values.flatMap(\.values)
            #expect(scores.contains { $0.key.hasPrefix("gfid@") && $0.value != nil }, "\(id) has no gFID")
        }
        #expect(try runner.run().worked == 0)
    }

    /// The visual path of `prologue-post` is the baseline's, bit for bit; only the prologue's own parameters moved.
    @Test func postLeavesTheVisualPathAlone() throws {
        let place = try Place()
        _ = try place.runner("axes: {tokenizer.variant: [baseline-2d, prologue-post]}\n").run()
        let runs = try place.store.runIDs().map(place.store.run)
        let post = try #require(runs.first { $0.cell.contains("post") })
        let baseline = try #require(runs.first { !$0.cell.contains("post") })
        #expect(post.stages["base-tokenizer"] == baseline.stages["tokenizer"])
        let before = try weights(place, baseline, "tokenizer", "model_ema.safetensors")
        for name in ["model.safetensors", "model_ema.safetensors"] {
            let after = try weights(place, post, "tokenizer", name)
            for key in before.names {
                #expect(try after.floats(key) == before.floats(key), "\(key) changed in \(name)")
            }
            #expect(after.contains("encoder.semantic_enc.learnable_query"))
        }
        // The tokens that the two arms' priors read differ by the prologue only.
        func visual(_ run: RunRecord) throws -> [Int32] {
            let file = try HDF5File(reading: place.store.stage(id: run.stages["tokens"] ?? "").url("tokens.h5"))
            let all: HDF5Array<Int32> = try file.read("test_indices")
            let (rows, width) = (all.shape[0], all.shape[1])
            return (0..<rows).flatMap { all.values[(($0 + 1) * width - 4)..<($0 + 1) * width] }
        }
        #expect(try visual(post) == visual(baseline))
    }

    /// `prologue-onestage` has no second training: its prior is the joint AR model.
    @Test func oneStageSamplesFromItsJointModel() throws {
        let place = try Place()
        _ = try place.runner("", set: ["tokenizer.variant=prologue-onestage"]).run()
        let run = try place.store.run(try #require(try place.store.runIDs().first))
        let joint = try weights(place, run, "tokenizer", "model_ema.safetensors")
        let prior = try weights(place, run, "prior", "model_ema.safetensors")
        #expect(!prior.names.isEmpty)
        for key in prior.names { #expect(try prior.floats(key) == joint.floats(key), "\(key) differs") }
    }

    /// It decays as the prior does, whatever the settings of a joint model beside it say.
    @Test func oneStageDecaysAsItsPrior() throws {
        func trained(_ settings: String...) throws -> (stage: String, weights: Data) {
            let place = try Place()
            _ = try place.runner("", set: ["tokenizer.variant=prologue-onestage"] + settings).run()
            let run = try place.store.run(try #require(try place.store.runIDs().first))
            let stage = try #require(run.stages["tokenizer"])
            return (stage, try Data(contentsOf: place.store.stage(id: stage).url("model.safetensors")))
        }
        let (plain, joint) = (try trained(), try trained("tokenizer.joint_ar.weight_decay=0.5"))
        let prior = try trained("prior.optimizer.weight_decay=0.5")
        #expect(joint == plain)
        #expect(prior.stage != plain.stage && prior.weights != plain.weights)
    }

    /// The coupling weight changes a coupled tokenizer and no other.
    @Test(arguments: [("coupled-2d", true), ("baseline-2d", false), ("prologue", false)])
    func couplingConcernsCoupledTokenizersOnly(_ variant: String, _ changes: Bool) throws {
        let place = try Place()
        func tokenizer(_ weight: String) throws -> String? {
            try place.ids(set: ["tokenizer.variant=\(variant)", "tokenizer.loss.ce_coupled=\(weight)"])["tokenizer"]
        }
        #expect(try (tokenizer("0.03") != tokenizer("0.5")) == changes)
    }

    private func weights(_ place: Place, _ run: RunRecord, _ role: String, _ name: String) throws -> SafetensorsFile {
        try SafetensorsFile(reading: place.store.stage(id: try #require(run.stages[role])).url(name))
    }
}
