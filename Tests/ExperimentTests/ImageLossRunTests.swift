import Experiment
import Files
import Foundation
import RunStore
import Sweep
import Testing

/// A discriminator and a perceptual loss in a run: what they train, what they leave, what they are keyed by.
@Suite struct ImageLossRunTests {
    private static let adversary = "tokenizer.gan={weight: 0.1, width: 4, layers: 1, lecam: 0.1}"
    private static let perceptual = "tokenizer.perceptual.weight=0.5"

    private static func tokenizer(_ place: Place) throws -> StageHandle {
        let run = try place.store.run(try #require(try place.store.runIDs().first))
        return place.store.stage(id: try #require(run.stages["tokenizer"]))
    }

    @Test(arguments: ["baseline-2d", "prologue", "prologue-onestage", "coupled-1d"])
    func aRunHasADiscriminatorAndItsCurves(_ variant: String) throws {
        let place = try Place()
        let more = ["tokenizer.variant=\(variant)", "tokenizer.log_every=1", Self.adversary, Self.perceptual]
        let outcome = try place.runner(set: more).run()
        #expect(outcome.failed.isEmpty && outcome.done.count == 1)
        let stage = try Self.tokenizer(place)
        let weights = try SafetensorsFile(reading: stage.url("model.safetensors"))
        #expect(try weights.shape("discriminator.main.0.weight") == [4, 3, 4, 4])
        #expect(try weights.floats("discriminator.main.3.running_mean").contains { $0 != 0 })
        let averages = try SafetensorsFile(reading: stage.url("model_ema.safetensors"))
        #expect(!averages.names.contains { $0.hasPrefix("discriminator.") })
        let curves = try MetricsFile.read(stage.url("metrics.h5")).values
        for column in ["perceptual", "gan_generator", "gan_discriminator", "gan_real", "gan_rebuilt"] {
            let curve = try #require(curves[column])
            #expect(curve.count == 4 && curve.allSatisfy(\.isFinite), "\(column)")
        }
        // Exported as the released checkpoints have it.
        let folder = place.folder.appendingPathComponent("export")
        let context = ExperimentContext(
            store: place.store, code: .unknown, machine: .current(), progress: SilentProgress())
        let cell = try #require(place.runner(set: more).sweep.cells.first)
        try RunPlan(cell.settings, context).exportCheckpoint(to: folder, context)
        let released = try SafetensorsFile(reading: folder.appendingPathComponent("tokenizer/model_4.safetensors"))
        #expect(try released.floats("main.0.weight") == weights.floats("discriminator.main.0.weight"))
        #expect(released.names.count == weights.names.filter { $0.hasPrefix("discriminator.") }.count)
    }

    /// Before its first step a discriminator changes nothing: such a tokenizer is that without one, bit for bit.
    @Test func theStartStepIsTheFirst() throws {
        func encoder(_ set: [String]) throws -> [Float] {
            let place = try Place()
            _ = try place.runner(set: ["tokenizer.variant=baseline-2d"] + set).run(upTo: "tokenizer")
            let weights = try SafetensorsFile(reading: Self.tokenizer(place).url("model.safetensors"))
            return try weights.names.filter { $0.hasPrefix("decoder.") }.flatMap(weights.floats)
        }
        let plain = try encoder([])
        func adversary(_ start: Int) -> String { "tokenizer.gan={weight: 0.1, width: 4, layers: 1, start_step: \(start)}" }
        // The last of four steps has the number 3; the tokenizer's rate there is not 0.
        let late = try encoder([adversary(3)])
        #expect(late != plain)
        #expect(try encoder([adversary(3)]) == late)
        #expect(try encoder([adversary(1)]) != late)
    }

    /// What `MenuTable` does not ask: a third loss of logits, and a perceptual network that is that of the scores.
    @Test func lossesAndSeedsMakeOtherTokenizers() throws {
        let place = try Place()
        let base = ["tokenizer.variant=baseline-2d", "tokenizer.gan={weight: 0.5, layers: 1, width: 4}"]
        func decoder(_ set: [String]) throws -> [Float] {
            _ = try place.runner(set: set).run(upTo: "tokenizer")
            let stage = place.store.stage(id: try #require(place.ids(set: set)["tokenizer"]))
            let weights = try SafetensorsFile(reading: stage.url("model.safetensors"))
            return try weights.names.filter { $0.hasPrefix("decoder.") }.flatMap(weights.floats)
        }
        let losses = try ["vanilla", "hinge", "non-saturating"].map { try decoder(base + ["tokenizer.gan.loss=\($0)"]) }
        #expect(Set(losses).count == 3)

        let perceived = try place.ids(set: ["tokenizer.perceptual.weight=0.5"])
        let shared = try place.ids(set: ["tokenizer.perceptual={weight: 0.5, seed: 0}"])
        #expect(perceived["perceptual-features"] != nil && shared["perceptual-features"] == nil)
        #expect(perceived["tokenizer"] != shared["tokenizer"] && perceived["features"] == shared["features"])
    }

    /// On a frozen visual path there is nothing for them to train; the tokenizer under it has them.
    @Test func postHasThemInItsBase() throws {
        let place = try Place()
        func ids(_ variant: String, _ set: String...) throws -> [String: String] {
            try place.ids(set: ["tokenizer.variant=\(variant)"] + set)
        }
        let (plain, judged) = (try ids("prologue-post"), try ids("prologue-post", Self.adversary))
        #expect(plain["base-tokenizer"] != judged["base-tokenizer"])
        #expect(try judged["base-tokenizer"] == ids("baseline-2d", Self.adversary)["tokenizer"])
        let outcome = try place.runner(set: ["tokenizer.variant=prologue-post", Self.adversary]).run()
        #expect(outcome.failed.isEmpty)
    }

    /// What LPIPS reads is keyed by what is in its file, wherever that is; a run without the file is an error.
    @Test func weightsAreKeyedByTheirContents() throws {
        let place = try Place()
        func id(_ contents: String, _ name: String) throws -> String? {
            let url = place.folder.appendingPathComponent(name)
            try Data(contents.utf8).write(to: url)
            return try place.ids(set: ["tokenizer.perceptual={weight: 1, network: lpips, weights: \(url.path)}"])["tokenizer"]
        }
        #expect(try id("one", "a") == id("one", "b"))
        #expect(try id("one", "a") != id("two", "a"))
        // ConvNeXt's file is its own; with both each counts.
        let paths = try [("x", "one"), ("y", "one"), ("z", "two")].map { name, contents in
            let url = place.folder.appendingPathComponent(name)
            try Data(contents.utf8).write(to: url)
            return url.path
        }
        let (a, b, c) = (paths[0], paths[1], paths[2])
        func id(_ perceptual: String) throws -> String? {
            try place.ids(set: ["tokenizer.perceptual={weight: 1, \(perceptual)}"])["tokenizer"]
        }
        #expect(
            try id("network: convnext, convnext_weights: \(a)") == id("network: convnext, convnext_weights: \(b), weights: \(c)"))
        let networks = try Set(
            [
                "network: lpips, weights: \(a)", "network: convnext, convnext_weights: \(a)",
                "network: convnext, convnext_weights: \(c)", "network: both, weights: \(a), convnext_weights: \(a)",
                "network: both, weights: \(c), convnext_weights: \(a)", "network: both, weights: \(a), convnext_weights: \(c)",
            ].map(id))
        #expect(networks.count == 6)
        for (network, key) in [("convnext", "convnext_weights"), ("both", "weights")] {
            let missing = #expect(throws: InputError.self) {
                _ = try place.ids(set: ["tokenizer.perceptual={weight: 1, network: \(network)}"])
            }
            #expect(missing?.message.contains("tokenizer.perceptual.\(key)") == true)
        }

        let error = #expect(throws: InputError.self) {
            _ = try place.runner(
                set: ["tokenizer.perceptual={weight: 1, network: lpips, weights: /nowhere/w.safetensors}"]
            ).run()
        }
        #expect(error?.message.contains("/nowhere/w.safetensors") == true)
    }
}
