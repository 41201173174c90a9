import Experiment
import Files
import Foundation
import Metrics
import RunStore
import Testing

/// Priors without the class, and comparisons in more than one feature network.
@Suite struct ScoreSpaceTests {
    private static let more = ["scores.more_seeds=[1]", "scores.factor_network=true"]

    /// What is asked for besides makes nothing anew, but tuning, which reports in every space.
    @Test func furtherNetworksLeaveTheFirstAlone() throws {
        let place = try Place()
        let (before, after) = (try place.ids(), try place.ids(set: Self.more))
        for (role, id) in before { #expect(after[role] == id, "\(role)") }
        let added = Set(after.keys).subtracting(before.keys)
        #expect(
            added == [
                "features.s1", "features.factors", "reconstructions.s1", "reconstructions.factors", "scores.nocfg.s1",
                "scores.nocfg.factors", "scores.cool.s1", "scores.cool.factors",
            ])
        #expect(Set(after.values).count == after.count)
        // The same classifier as a perceptual loss or another sweep would train from that seed.
        #expect(after["features.s1"] == (try place.ids(set: ["features.seed=1"])["features"]))
    }

    @Test func scoresAreMeasuredInEverySpace() throws {
        let place = try Place()
        let set =
            Self.more + [
                "features.steps=300", "data.train_count=400", "features.lr=0.003",
                "tuning={enabled: true, scales: [1, 2], count: 20, report_count: 30}",
            ]
        let runner = try place.runner(set: set)
        let outcome = try runner.run()
        #expect(outcome.failed.isEmpty, "\(outcome.failed)")
        let results = try SweepResults(runner.sweep, in: place.store)
        let metrics = try #require(results.arms.first?.runs.first?.metrics)
        func value(_ name: String) throws -> Double {
            let found = metrics[name]?.value
            return try #require(found, "\(name)")
        }
        for score in ["gfid", "prior_gap", "kid", "gfid_floor", "gfid_noise"] {
            for sampler in ["nocfg", "cool", "tuned", "best-temperature"] {
                let values = try ["", "-s1", "-factors"].map { try value("\(score)@shapes-cnn\($0).\(sampler)") }
                #expect(Set(values).count == 3, "\(score) \(sampler): \(values)")
            }
        }
        #expect(try value("rkid@shapes-cnn-s1") != value("rkid@shapes-cnn"))
        // Hue, place and brightness are seen at once; a network that learned nothing explains 0 or less.
        #expect(try value("classifier.factors") > 0.1)
        #expect(metrics["is@shapes-cnn-s1.nocfg"] != nil && metrics["is@shapes-cnn-factors.nocfg"] == nil)
        #expect(metrics["class_agreement@shapes-cnn-factors.nocfg"] == nil)
        #expect(metrics["gfid@shapes-cnn.tuned"]?.protocol["count"] == 30)
        // Too few samples for their dimensions: missing, not 0.
        #expect(metrics["gfid_inf@shapes-cnn.nocfg"] != nil && metrics["gfid_inf@shapes-cnn.nocfg"]?.value == nil)
    }

    @Test func anUnconditionalPriorIsToldNoClass() throws {
        let place = try Place()
        let set = [
            "prior.unconditional=true", "prior.snapshots=[2]", "tuning={enabled: true, scales: [1, 2], temperatures: [1, 0.5], count: 20}",
        ]
        let runner = try place.runner(set: set)
        let outcome = try runner.run()
        #expect(outcome.failed.isEmpty, "\(outcome.failed)")
        let ids = try place.ids(set: set)
        let told = try place.ids()
        for role in ["features", "tokenizer", "reconstructions", "tokens", "probe"] { #expect(ids[role] == told[role], "\(role)") }
        for role in ["prior", "samples.nocfg", "scores.nocfg", "resample"] { #expect(ids[role] != told[role], "\(role)") }

        let file = try HDF5File(reading: place.store.stage(id: try #require(ids["samples.nocfg"])).url("samples.h5"))
        #expect(Set(try file.read("labels", as: Int32.self).values) == [-1])
        // The labels' embeddings that it was never shown are as they were drawn.
        let weights = try SafetensorsFile(reading: place.store.stage(id: try #require(ids["prior"])).url("model.safetensors"))
        let other = try #require(try place.ids(set: set + ["prior.steps=3", "prior.snapshots=[1]"])["prior"])
        try #require(try place.runner(set: set + ["prior.steps=3", "prior.snapshots=[1]"]).run(upTo: "prior").failed.isEmpty)
        let shorter = try SafetensorsFile(reading: place.store.stage(id: other).url("model.safetensors"))
        let (rows, width) = (try weights.shape("ar.bos_emb.weight")[0], try weights.shape("ar.bos_emb.weight")[1])
        let (a, b) = (try weights.floats("ar.bos_emb.weight"), try shorter.floats("ar.bos_emb.weight"))
        let moved = (0..<rows).filter { row in
            // Decay shrinks all of them alike; a gradient turns them.
            let (x, y) = (Array(a[row * width..<(row + 1) * width]), Array(b[row * width..<(row + 1) * width]))
            let scale = x[0] / y[0]
            return zip(x, y).contains { abs($0 - scale * $1) > 1e-4 * abs(x[0]) + 1e-6 }
        }
        #expect(moved == [rows - 1], "rows of the class embedding that were trained")

        let results = try SweepResults(runner.sweep, in: place.store)
        let metrics = try #require(results.arms.first?.runs.first?.metrics)
        #expect(metrics["bits.unconditional.visual"]?.value != nil && metrics["bits.conditional.visual"] == nil)
        #expect(metrics["gfid@shapes-cnn.uncond.step-2"] != nil && metrics["gfid@shapes-cnn.nocfg.step-2"] == nil)
        #expect(metrics["class_agreement@shapes-cnn.nocfg"] == nil)
        #expect(metrics["gfid@shapes-cnn.best-temperature"]?.value != nil && metrics["gfid@shapes-cnn.tuned"] == nil)
    }

    /// The share of label drop is not read by a prior without labels.
    @Test func labelDropIsNotReadWithoutTheClass() throws {
        let place = try Place()
        #expect(
            try place.ids(set: ["prior.unconditional=true"])["prior"]
                == place.ids(set: ["prior.unconditional=true", "prior.label_drop=0.5"])["prior"])
    }
}
