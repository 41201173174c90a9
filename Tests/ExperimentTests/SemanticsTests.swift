import Experiment
import Files
import Foundation
import RunStore
import Sweep
import Testing

/// The semantic studies at toy size: what must be so whatever the models have learned.
@Suite struct SemanticsTests {
    private static let settings = """
        axes: {tokenizer.variant: [baseline-2d, prologue]}
        semantics: {enabled: true, groups: 12, draws: 3, prefixes: [0, 1, 4], attention_images: 8}

        """

    /// A few held-out images show no more than half a circle of a factor, or have nothing of it that varies: what cannot be read off
    /// them is missing, and the rest is there.
    @Test(arguments: [1, 2, 3]) func readoutsOfFewHeldOutImages(_ count: Int) throws {
        let place = try Place()
        let few = ["data.test_count=\(count)", "semantics.enabled=true", "semantics.groups=2", "semantics.prefixes=[0, 2]"]
        let outcome = try place.runner(set: few).run(upTo: "readout")
        // Other stages that want an image of every class may say so.
        let run = try place.store.run(try #require((outcome.done + outcome.failed.map { $0.0 }).first))
        let scores = try #require(try place.store.stage(id: run.stages["readout"] ?? "").scores()["readout"]).values
        let r2 = scores.filter { $0.key.hasSuffix(".r2") }
        #expect(!r2.isEmpty && r2.values.allSatisfy { $0.map { $0 <= 1 } ?? true })
        #expect(r2.keys.contains("readout.factor.hue.all.r2") && r2.keys.contains("readout.thumbnail.all.r2"))
        // Of a single image nothing varies.
        #expect(count > 1 || r2.values.allSatisfy { $0 == nil })
        #expect(count == 1 || (r2["readout.thumbnail.all.r2"] ?? nil) != nil)
    }

    @Test func studiesAreMadeOnceAndSayWhatMustBeSo() throws {
        let place = try Place()
        let runner = try place.runner(Self.settings)
        let outcome = try runner.run()
        #expect(outcome.failed.isEmpty, "\(outcome.failed)")
        #expect(try runner.run().worked == 0)
        for id in outcome.done {
            let run = try place.store.run(id)
            func values(_ role: String) throws -> [String: Double] {
                try place.store.stage(id: run.stages[role] ?? "").scores().values.flatMap(\.values)
                    .reduce(into: [:]) { $0[$1.key] = $1.value }
            }
            let hasPrologue = run.cell.contains("prologue")

            let attention = try values("attention")
            let shares = ["prologue_share", "bos_share", "visual_share"].compactMap { attention["attention.\($0)"] }
            // What is left goes to EOS.
            #expect(shares.count == 3 && shares.reduce(0, +) <= 1 + 1e-5)
            if !hasPrologue {
                #expect(attention["attention.prologue_share"] == 0)
                #expect(abs(shares.reduce(0, +) - 1) < 1e-5)
            }

            let information = try values("information")
            // The parts of −ELBO add up, and reconstructions cost what their mean error says: here all held-out images are asked.
            let part = { (name: String) in information["info.cost.\(name)"] ?? .nan }
            for mode in ["class", "noclass"] {
                #expect(abs(part("prologue.\(mode)") + part("visual.\(mode)") - part("tokens.\(mode)")) < 1e-6)
                #expect(abs(part("reconstruction") + part("tokens.\(mode)") - part("total.\(mode)")) < 1e-6)
                #expect(part("total.\(mode)_low") < part("total.\(mode)") && part("total.\(mode)") < part("total.\(mode)_high"))
            }
            let error = try #require(try values("reconstructions")["l1@pixels"])
            #expect(abs(part("reconstruction") - 16 * 16 * 3 * (log(2 * error) + 1)) < 1e-3 * part("reconstruction"))
            #expect((part("prologue.class") > 0) == hasPrologue)
            let visual = try #require(information["info.visual.entropy"])
            #expect(visual >= 0 && (information["info.visual.class_information"] ?? .nan) <= visual + 1e-6)
            #expect((information["info.prologue.entropy"] != nil) == hasPrologue)
            #expect((information["info.visual.joint_entropy"] ?? .nan) <= (information["info.images_log"] ?? 0) + 1e-9)
            #expect((information["info.visual.information.hue.best"] ?? .nan) >= (information["info.visual.information.hue"] ?? 9))
            // The prior's costs of tokens are those that its training noted, in bits there.
            let training = try place.store.stage(id: run.stages["prior"] ?? "").record
            let noted = try #require(training?.summary["metrics"]?["bits.conditional.visual"]?.doubleValue)
            #expect(abs((information["info.cost.visual.class"] ?? .nan) / 0.6931471805599453 - noted) < 1e-3 * noted)

            // With every token given there is nothing to draw: completions of an image are all the same.
            let completions = try values("completions")
            let whole = completions.filter { $0.key.hasPrefix("completion_variance_within@") && $0.key.contains(".first-4.") }
            #expect(!whole.isEmpty)
            if !hasPrologue { #expect(whole.values.allSatisfy { $0 < 1e-6 }, "\(whole)") }

            let readout = try values("readout")
            let scores = readout.filter { $0.key.hasSuffix(".r2") }
            #expect(scores.values.allSatisfy { $0 <= 1 } && scores["readout.factor.hue.all.r2"] != nil)
            #expect((scores["readout.thumbnail.prologue-2.r2"] != nil) == hasPrologue)
            for kind in ["first", "random", "pooled"] {
                // All four visual tokens are the same ones, in whatever way they were chosen.
                #expect(scores["readout.thumbnail.\(kind)-4.r2"] == scores["readout.thumbnail.all.r2"])
                #expect(scores["readout.thumbnail.\(kind)-2.r2"] == scores["readout.thumbnail.\(kind).r2"])
            }

            let probe = try values("probe")
            for kind in ["first", "random", "pooled"] {
                #expect(probe["probe.\(kind)-4.top1"] == probe["probe.all.top1"] && probe["probe.\(kind)-1.top1"] != nil)
            }
            #expect(probe["probe.prologue-2.top1"] == probe["probe.prologue.top1"])
            #expect(probe["probe.all.onehot.top1"] != nil)
            #expect(probe["probe.all.top1"] != nil && probe["probe.first.onehot.top1"] != nil)
            #expect(probe["probe.random.points.top1"] != nil && probe["probe.random.embeddings.top1"] != nil)
            #expect(probe["probe.first.untrained.top1"] != nil && probe["probe.first.shuffled.top1"] != nil)
            #expect((probe["probe.prologue.top1"] != nil) == hasPrologue)
            #expect(abs((probe["probe.majority.top1"] ?? 0) - (probe["probe.chance"] ?? 1)) < 1e-9)
        }
    }

    /// The logistic classifier is what there was before there was a choice.
    @Test func theClassifierIsPartOfTheProbeOnlyWhereItIsAnother() throws {
        let place = try Place()
        let before = try place.ids()
        #expect(try place.ids(set: ["probe.classifier=logistic"]) == before)
        let after = try place.ids(set: ["probe.classifier=mae"])
        #expect(before.keys.filter { before[$0] != after[$0] } == ["probe"])
        let outcome = try place.runner(set: ["probe.classifier=mae", "probe.features=[codes, onehot]"]).run(upTo: "probe")
        #expect(outcome.failed.isEmpty, "\(outcome.failed)")
    }
}
