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
            let visual = try #require(information["info.visual.entropy"])
            #expect(visual >= 0 && (information["info.visual.class_information"] ?? .nan) <= visual + 1e-6)
            #expect((information["info.prologue.entropy"] != nil) == hasPrologue)
            // The prior's costs of tokens are those that its training noted, in bits there.
            let noted = try #require(
                place.store.stage(id: run.stages["prior"] ?? "").record?.summary["metrics"]?["bits.conditional.visual"]?
                    .doubleValue)
            #expect(abs((information["info.cost.visual.class"] ?? .nan) / 0.6931471805599453 - noted) < 1e-3 * noted)

            // With every token given there is nothing to draw: completions of an image are all the same.
            let completions = try values("completions")
            let whole = completions.filter { $0.key.hasPrefix("completion_variance_within@") && $0.key.contains(".first-4.") }
            #expect(!whole.isEmpty)
            if !hasPrologue { #expect(whole.values.allSatisfy { $0 < 1e-6 }, "\(whole)") }

            let probe = try values("probe")
            #expect(probe["probe.all.top1"] != nil && probe["probe.first.onehot.top1"] != nil)
            #expect(probe["probe.random.points.top1"] != nil && probe["probe.random.embeddings.top1"] != nil)
            #expect(probe["probe.first.untrained.top1"] != nil && probe["probe.first.shuffled.top1"] != nil)
            #expect((probe["probe.prologue.top1"] != nil) == hasPrologue)
            #expect(abs((probe["probe.majority.top1"] ?? 0) - (probe["probe.chance"] ?? 1)) < 1e-9)
        }
    }
}
