import Experiment
import Files
import Foundation
import RunStore
import Sweep
import Testing

/// Models that a sweep takes as they are.
@Suite struct AdoptionTests {
    /// A stage that is taken is the one that would have been made, so all that follows is there already; what the sweep
    /// says of its sizes and training does not matter.
    @Test(arguments: ["prologue", "prologue-post", "prologue-onestage", "baseline-1d"])
    func whatIsTakenIsWhatWouldBeMade(_ variant: String) throws {
        let place = try Place()
        let chosen = "tokenizer.variant=\(variant)"
        #expect(try place.runner(set: [chosen]).run().failed.isEmpty)
        var trained = try place.ids(set: [chosen])
        let (tokenizer, prior) = (try #require(trained["tokenizer"]), try #require(trained["prior"]))
        trained["base-tokenizer"] = nil
        let other = ["tokenizer.dim=7", "tokenizer.steps=9", "tokenizer.codebook=99"]
        let from = "tokenizer.from=\(tokenizer.prefix(18))"
        #expect(try place.ids(set: other + [from]) == trained)
        #expect(try place.ids(set: other + [from, "prior.from=\(prior)", "prior.dim=5", "prior.steps=77"]) == trained)
        #expect(try place.runner(set: [from, "prior.from=\(prior)"]).run().worked == 0)

        // What the run itself chooses still counts.
        let cool = try place.ids(set: [from, "sampling.settings.cool.temperature=0.8"])
        #expect(Set(cool.keys.filter { cool[$0] != trained[$0] }) == ["samples.cool", "scores.cool"])
        let last = try place.ids(set: [from, "prior.from=\(prior)", "tokenizer.ema=false"])
        #expect(Set(last.keys.filter { last[$0] == trained[$0] }) == ["features", "tokenizer", "prior"])
    }

    @Test func mistakesAreNamed() throws {
        let place = try Place()
        #expect(try place.runner().run(upTo: "prior").failed.isEmpty)
        let other = ["tokenizer.codebook=9"]
        #expect(try place.runner(set: other).run(upTo: "tokenizer").failed.isEmpty)
        let (ids, others) = (try place.ids(), try place.ids(set: other))
        let (tokenizer, prior) = (try #require(ids["tokenizer"]), try #require(ids["prior"]))
        let second = try #require(others["tokenizer"])
        for (set, says) in [
            (["tokenizer.from=\(tokenizer)x"], "did you mean \(tokenizer)"),
            (["tokenizer.from=tokenizer-"], "begins the ids of 2 stages"),
            (["tokenizer.from=nowhere"], "neither a stage's id nor a folder"),
            (["tokenizer.from=\(second)", "prior.from=\(prior)"], "the run's tokenizer is \(second)"),
            (["tokenizer.from=\(tokenizer)", "data.image_size=20"], "do not divide data.image_size 20"),
            (["tokenizer.from=\(tokenizer)", "prior.heads=3"], "prior.dim 32 must be a multiple"),
        ] {
            do {
                _ = try place.ids(set: set)
                Issue.record("\(set) is accepted")
            } catch { #expect("\(error)".contains(says), "\(set): \(error)") }
        }
    }
}
