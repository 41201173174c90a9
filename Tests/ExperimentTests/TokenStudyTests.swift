import Experiment
import Files
import Foundation
import RunStore
import TestSupport
import Testing

/// Studies of what tokens do and of what they tell for their bits, at toy size: what must be so whatever was learned.
@Suite struct TokenStudyTests {
    private func values(_ place: Place, _ run: RunRecord, _ role: String) throws -> [String: Double] {
        try place.store.stage(id: run.stages[role] ?? "").scores().values.flatMap(\.values).reduce(into: [:]) { $0[$1.key] = $1.value }
    }

    @Test func studiesAreOffByDefaultAndSayWhatMustBeSo() throws {
        let place = try Place()
        let arms = "axes: {tokenizer.variant: [baseline-2d, prologue]}\n"
        let before = try place.runner(arms).plan().cells.map { Set($0.stages.map(\.id)) }
        let runner = try place.runner(arms + "semantics: {rates: true, interventions: 20, rate_bits: 0.2}\n")
        for (old, new) in zip(before, try runner.plan().cells.map { Set($0.stages.map(\.id)) }) {
            #expect(old.isSubset(of: new) && new.count == old.count + 2)
        }
        let outcome = try runner.run()
        #expect(outcome.failed.isEmpty, "\(outcome.failed)")
        #expect(try runner.run().worked == 0)
        for run in try outcome.done.map(place.store.run) {
            let hasPrologue = run.cell.contains("prologue")
            let rates = try values(place, run, "rates")
            for set in ["first-1", "first-2", "random-1", "random-2", "best-1", "best-2", "pixels-1"] + (hasPrologue ? ["prologue-2"] : [])
            {
                let bits = try #require(rates["rates.\(set).bits"])
                // Eight codes a token; of the pixels 40 training images, each its own centre.
                #expect(bits > 0 && bits < (set == "pixels-1" ? 9 : set.hasSuffix("1") ? 3.3 : 6.6), "\(set): \(bits)")
                for head in ["linear", "knn", "mlp", "attentive"] {
                    let top1 = try #require(rates["rates.\(set).\(head).top1"])
                    #expect(top1 >= 0 && top1 <= 1 && (rates["rates.\(set).\(head).top1_low"] ?? 2) <= top1)
                }
                #expect((rates["rates.\(set).label_bits"] ?? 0) > 0)
            }
            // All tokens read: no order and no choice of them changes what they cost by more than the tree's choice of edges does.
            #expect((rates["rates.best-1.entropy"] ?? 9) <= 3 && rates["rates.first.matched"] != nil)
            #expect((rates["rates.prologue-1.bits"] != nil) == hasPrologue)
            // Of four drawn factors and two tokens, unless the toy's tokens never vary.
            for name in rates.keys where name.hasSuffix("modularity") { #expect(rates[name].map { $0 >= -0.5 && $0 <= 1 + 1e-9 } == true) }

            let found = try values(place, run, "interventions")
            // Where all tokens are given there is nothing to draw, whatever class is told.
            #expect(found["intervene.redraw_class.all"] == 0 && abs(found["intervene.redraw_layout.all"] ?? 1) < 1e-6)
            #expect(found["intervene.redraw_colour.all"] == 0)
            // The class told and the class of the tokens are two: shares of one classifier's answers.
            for set in ["all", "none", "visual-first", "random"] + (hasPrologue ? ["prologue", "shuffled"] : []) {
                let sum = (found["intervene.conflict_tokens.\(set)"] ?? 9) + (found["intervene.conflict_label.\(set)"] ?? 9)
                #expect(sum <= 1 + 1e-9, "\(set)")
            }
            #expect((found["intervene.swap_layout.all.other"] ?? 0) > 0)
            #expect(found["intervene.swap_class.none.other"] == nil)
            #expect(
                (found["intervene.visual_bits.own"] != nil) == hasPrologue
                    && (found["intervene.token_class.prologue"] != nil) == hasPrologue)
            #expect((found["intervene.token_class.random"] ?? -1) >= 0)
        }
        let results = try SweepResults(runner.sweep, in: place.store)
        #expect(results.scores.filter { !$0.isKnown }.map(\.text) == [])
    }

    /// Another order of the prologue's tokens is another prior of the same tokens, and costs visual tokens are counted after.
    @Test func aPriorIsTrainedInTheOrderThatItIsGiven() throws {
        let place = try Place()
        let (forward, backward) = (try place.ids(), try place.ids(set: ["prior.prologue_order=backward"]))
        #expect(try place.ids(set: ["prior.prologue_order=forward"]) == forward)
        let changed = Set(forward.keys.filter { forward[$0] != backward[$0] })
        #expect(changed.contains("prior") && changed.isDisjoint(with: ["tokenizer", "tokens", "features", "probe", "reconstructions"]))
        // One prologue token has one order.
        func bits(_ tokens: Int, _ order: String) throws -> Double? {
            let runner = try place.runner(
                set: ["tokenizer.prologue_tokens=\(tokens)", "prior.prologue_order=\(order)", "prior.steps=8"])
            let outcome = try runner.run(upTo: "prior")
            #expect(outcome.failed.isEmpty, "\(outcome.failed)")
            let run = try place.store.run(try #require(outcome.done.first))
            return try place.store.stage(id: run.stages["prior"] ?? "").record?.summary["metrics"]?["bits.conditional.visual"]?.doubleValue
        }
        #expect(try bits(1, "forward") == bits(1, "backward"))
        #expect(try bits(2, "forward") != bits(2, "backward"))
        let conflict = #expect(throws: InputError.self) {
            try place.runner(set: ["tokenizer.variant=prologue-onestage", "prior.prologue_order=shuffled"])
        }
        #expect(conflict?.message.contains("prologue_order") == true)
    }
}
