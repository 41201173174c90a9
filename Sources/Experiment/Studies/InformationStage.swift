import Evaluation
import Files
import Foundation
import Models
import RunStore
import Sweep
import TensorCore

/// What tokens say, in nats: how many codes each position uses, how much it tells of the class and of recorded factors,
/// and what the prior has to pay for it.
struct InformationStage: Stage {
    let settings: SemanticsSettings
    /// K, tokens in the control: the first K visual tokens.
    let tokenCount: Int
    let prior: PriorStage

    var role: String { "information" }
    private var tokenizer: TokenizerStage { prior.tokenizer }

    var identity: StageIdentity {
        StageIdentity(
            kind: "information", settings: ["factor_bins": .int(settings.factorBins), "tokens": .int(tokenCount)],
            inputs: ["prior": prior.id, "tokens": prior.tokens.id], formatVersion: 1)
    }

    static let file = "information.h5"
    /// Held-out images over which the prior's costs are taken.
    private static let costImages = 2000

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let dataset = tokenizer.dataset
        let half = try prior.tokens.load(context).test
        let layout = tokenizer.layout
        context.progress.note("information: \(half.count) held-out images")
        let width = layout.prologueTokens + layout.visualTokens
        let columns = (0..<width).map { position in
            (0..<half.count).map { half.indices.ids[$0 * width + position] }
        }
        let factors = dataset.test.factors.map { (name: $0.name, bins: quantileBins($0.values, count: settings.factorBins)) }
        let entropies = columns.map { EntropyEstimate(of: $0) }
        let ofClass = columns.map { MutualInformation($0, half.labels) }
        let ofFactors = factors.map { factor in columns.map { MutualInformation($0, factor.bins) } }
        let costs = try costs(half, layout, context)

        var values: [String: Double?] = [:]
        for (name, positions) in segments(layout) {
            func mean(_ of: (Int) -> Double) -> Double { positions.reduce(0) { $0 + of($1) } / Double(positions.count) }
            values["\(name).perplexity"] = mean { exp(entropies[$0].plugIn) }
            values["\(name).codes_used"] = mean { Double(entropies[$0].support) }
            values["\(name).entropy"] = mean { entropies[$0].corrected }
            values["\(name).class_information"] = mean { ofClass[$0].corrected }
            values["\(name).class_information_best"] = positions.map { ofClass[$0].corrected }.max()
            for (factor, information) in zip(factors, ofFactors) {
                values["\(name).information.\(factor.name)"] = mean { information[$0].corrected }
            }
            // Tokens of one image together: with as many draws as images, this cannot exceed the logarithm of their number.
            let joint = (0..<half.count).flatMap { row in positions.map { half.indices.ids[row * width + $0] } }
            let prefixes = prefixEntropies(joint, length: positions.count)
            values["\(name).joint_entropy"] = prefixes.last?.plugIn
            values["\(name).distinct_share"] = prefixes.last.map { Double($0.support) / Double($0.count) }
        }
        values["class_entropy"] = EntropyEstimate(of: half.labels).plugIn
        values["images_log"] = log(Double(half.count))
        for (mode, nats) in costs {
            values["cost.prologue.\(mode)"] = layout.hasPrologue ? nats[..<layout.visualStart].reduce(0, +) : nil
            values["cost.visual.\(mode)"] = nats[layout.visualStart...].reduce(0, +)
        }
        if !layout.hasPrologue { for (mode, _) in costs { values["cost.prologue.\(mode)"] = 0 } }
        try HDF5File.write(atomicallyTo: work.url(Self.file)) { file in
            func write(_ numbers: [Double], _ name: String, unit: String? = "nat") throws {
                try file.write(
                    numbers, to: name, shape: [numbers.count],
                    attributes: ["axes": ["token"]].merging(unit.map { ["unit": .string($0)] } ?? [:]) { $1 })
            }
            try write(entropies.map(\.plugIn), "entropy")
            try write(entropies.map { Double($0.support) }, "codes_used", unit: nil)
            try write(ofClass.map(\.corrected), "class_information")
            for (factor, information) in zip(factors, ofFactors) {
                try write(information.map(\.corrected), "information_\(factor.name)")
            }
            for (mode, nats) in costs { try write(nats, "prior_cost_\(mode)") }
            try file.setAttribute("prologue_tokens", .int(layout.prologueTokens))
            try file.setAttribute("order", "prologue, then visual; prior costs have EOS between")
        }
        try work.save(
            Scores(
                protocol: [
                    "count": .int(half.count), "factor_bins": .int(settings.factorBins), "unit": "nat",
                    "estimator": "Miller-Madow",
                ], values: Dictionary(uniqueKeysWithValues: values.map { ("info.\($0.key)", $0.value) })),
            named: "information")
        return ["count": .int(half.count)]
    }

    /// Positions within [prologue ; visual] of the prologue, the first K visual tokens, and all visual tokens.
    private func segments(_ layout: SequenceLayout) -> [(name: String, positions: [Int])] {
        let k = layout.prologueTokens
        let visual = Array(k..<k + layout.visualTokens)
        var segments = [("visual", visual)]
        if tokenCount > 0 { segments.append(("first", Array(visual.prefix(tokenCount)))) }
        if layout.hasPrologue { segments.append(("prologue", Array(0..<k))) }
        return segments.map { (name: $0.0, positions: $0.1) }
    }

    /// Mean cross-entropy of each token under the prior, in nats, [T], with the class and without.
    private func costs(
        _ half: TokenFile.Half, _ layout: SequenceLayout, _ context: ExperimentContext
    ) throws -> [(mode: String, nats: [Double])] {
        let model = try prior.load(context)
        let count = min(Self.costImages, half.count)
        return ["class", "noclass"].map { mode in
            var sums = [Double](repeating: 0, count: layout.length)
            for lower in stride(from: 0, to: count, by: 250) {
                let batch = half.batch(Array(lower..<min(count, lower + 250)))
                let labels = mode == "class"
                    ? batch.labels : TokenTensor(repeating: model.unconditionalLabel, shape: batch.labels.shape)
                let nats = model.crossEntropy(ARInput(targets: layout.targets(batch.indices), labels: labels), on: nil)
                for i in 0..<nats.count { sums[i % layout.length] += Double(nats.pointer[i]) }
            }
            return (mode, sums.map { $0 / Double(count) })
        }
    }
}
