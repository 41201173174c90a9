import Experiment
import Files
import Foundation
import Models
import RunStore
import TensorCore
import TestSupport
import Testing

/// Bits of visual tokens alone.
@Suite struct MarginalTests {
    /// A prior over sequences with two prologue tokens of seven codes: all 49 prologues are written out and summed by scipy.
    @Test func theSumOverProloguesOfAPriorIsTheSumOverAllOfThem() throws {
        let layout = SequenceLayout(prologueTokens: 2, visualTokens: 9, visualCodes: 13, prologueCodes: 7)
        var config = ARConfig(layout: layout, network: .init(width: 24, layers: 2, heads: 2, axes: [8, 2, 2]), labels: 4)
        config.conditionWidth = 6
        let ar = ARModel(config, stream: RandomStream(seed: 1, "model"))
        var stream = RandomStream(seed: 2, "weights")
        // Fresh weights have gates near 0; these let every token matter.
        for parameter in ar.parameters { parameter.value.overwrite(with: (0..<parameter.count).map { _ in 0.3 * stream.normal() }) }
        let visual = (0..<9).map { Int32($0 * 5 % 13) }
        let all = (0..<49).map { [Int32($0 / 7), Int32($0 % 7)] }
        let rows = TokenTensor(all.flatMap { $0 + visual }, shape: [49, 11])
        for label: Int32? in [2, nil] {
            let told = TokenTensor(repeating: label ?? ar.unconditionalLabel, shape: [49])
            let nats = ar.crossEntropy(ARInput(targets: layout.targets(rows), labels: told), on: nil).values.map(Double.init)
            let exact = try #require(
                pythonJSON(
                    """
                    import numpy as np
                    from scipy.special import logsumexp
                    print(json.dumps(float(logsumexp(-f64("nats").reshape(49, -1).sum(1)))))
                    """, doubles: ["nats": nats]
                ).doubleValue)
            let marginals = try VisualMarginals(TrainedPrior(ar), frequencies: VisualMarginals.frequencies(rows, layout))
            let found = try marginals.estimate(rows, row: 17, label: label, draws: 1500, seed: 5)
            #expect(abs(found.logMarginal - exact) < 4 * found.standardError + 1e-4, "\(found) instead of \(exact)")
            #expect(found.standardError < 0.05)
            let own = -nats[17 * layout.length..<18 * layout.length].reduce(0, +)
            #expect(abs(found.logJoint - own) < 1e-4 && found.logMarginal > own)
        }
    }

    /// The stage is its own, off by default; without a prologue it says what training noted.
    @Test func theStudySaysForEachArmWhatItsVisualTokensCost() throws {
        let place = try Place()
        let arms = "axes: {tokenizer.variant: [baseline-2d, prologue]}\n"
        let before = try place.runner(arms).plan().cells.map { Dictionary(uniqueKeysWithValues: $0.stages.map { ($0.role, $0.id) }) }
        let runner = try place.runner(arms + "semantics: {marginal_draws: 90, marginal_images: 20}\n")
        let after = try runner.plan().cells.map { Dictionary(uniqueKeysWithValues: $0.stages.map { ($0.role, $0.id) }) }
        for (old, new) in zip(before, after) { #expect(new.filter { $0.key != "marginal" } == old && new.count == old.count + 1) }
        let outcome = try runner.run(upTo: "marginal")
        #expect(outcome.failed.isEmpty, "\(outcome.failed)")
        for run in try outcome.done.map(place.store.run) {
            let values = try place.store.stage(id: run.stages["marginal"] ?? "").scores().values.flatMap(\.values)
                .reduce(into: [String: Double]()) { $0[$1.key] = $1.value }
            for told in ["class", "noclass"] {
                let value = { (name: String) in values["marginal.\(name).\(told)"] ?? .nan }
                let bound = { (end: String) in values["marginal.bits.\(told)\(end)"] ?? .nan }
                #expect(value("bits") <= value("joint_bits") && bound("_low") <= value("bits") && value("bits") <= bound("_high"))
                if run.cell.contains("prologue") {
                    #expect(value("bits") < value("joint_bits") && value("effective_draws") > 1 && value("error") > 0)
                    #expect(value("own_share") > 0 && value("own_share") < 1)
                } else {
                    #expect(value("bits") == value("joint_bits") && value("own_share") == 1 && value("error") == 0)
                }
            }
        }
    }
}
