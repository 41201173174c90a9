import Evaluation
import Files
import Foundation
import Metrics
import Models
import RunStore
import Settings
import TensorCore

/// What the visual tokens of held-out images cost by themselves, in bits: −log₂ Σ p(prologue, visual) over all prologues.
///
/// A code of prologue and visual tokens says more than a baseline's, which has no prologue to say: the sum over prologues is
/// what the two have in common. Without a prologue it is the prior's cost as it is.
struct MarginalStage: Stage {
    let settings: SemanticsSettings
    let prior: PriorStage

    var role: String { "marginal" }

    var identity: StageIdentity {
        StageIdentity(
            kind: "marginal",
            settings: [
                "draws": .int(settings.marginalDraws), "images": .int(settings.marginalImages), "seed": .int(settings.seed),
            ], inputs: ["prior": prior.id, "tokens": prior.tokens.id], formatVersion: 1)
    }

    static let file = "marginal.h5"

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let stored = try prior.sequences(context)
        let images = stored.test.balanced(settings.marginalImages, classes: prior.tokenizer.dataset.classes)
        let visual = VisualMarginals(
            try prior.load(context), frequencies: VisualMarginals.frequencies(stored.train.indices, prior.tokenizer.layout))
        let batch = stored.test.batch(images)
        var values: [String: Double?] = [:]
        var found: [(told: String, estimates: [MarginalLikelihood])] = []
        for told in conditions {
            var estimates: [MarginalLikelihood] = []
            for row in images.indices {
                var stream = RandomStream(seed: settings.seed, "marginal/draws", step: images[row])
                estimates.append(
                    try visual.estimate(
                        batch.indices, row: row, label: told == "class" ? batch.labels.ids[row] : nil, draws: settings.marginalDraws,
                        seed: stream.nextKey()))
                if row % 20 == 0 { context.progress.note("marginal bits, \(told): image \(row + 1) of \(images.count)") }
                try Interruption.check()
            }
            found.append((told, estimates))
            for (name, value) in Self.scores(of: estimates, told) { values[name] = value }
        }
        try HDF5File.write(atomicallyTo: work.url(Self.file)) { file in
            for (told, estimates) in found {
                try file.makeGroup(told)
                let columns: [(String, KeyPath<MarginalLikelihood, Double>)] = [
                    ("log_marginal", \.logMarginal), ("log_joint", \.logJoint), ("standard_error", \.standardError),
                    ("effective_draws", \.effectiveDraws),
                ]
                for (name, path) in columns {
                    try file.write(
                        estimates.map { $0[keyPath: path] }, to: "\(told)/\(name)", shape: [estimates.count],
                        attributes: ["axes": ["image"]].merging(name == "effective_draws" ? [:] : ["unit": "nat"]) { $1 })
                }
            }
            try file.write(images.map(Int32.init), to: "images", shape: [images.count], attributes: ["axes": ["image"]])
        }
        try work.save(
            Scores(
                protocol: [
                    "count": .int(images.count), "draws": .int(settings.marginalDraws), "unit": "bit",
                    "estimator": "importance sampling, the encoder's own prologue exact",
                ], values: values), named: "marginal")
        return ["count": .int(images.count)]
    }

    /// Whether the prior is told the class: only what it was trained on.
    private var conditions: [String] {
        switch prior.settings.labelDrop {
        case 0: ["class"]
        case 1: ["noclass"]
        default: ["class", "noclass"]
        }
    }

    /// Means over images, in bits: the interval over images; how much of it is the draws' (`error`).
    private static func scores(of estimates: [MarginalLikelihood], _ told: String) -> [(String, Double?)] {
        let count = Double(estimates.count)
        func mean(_ values: [Double]) -> Double { values.reduce(0, +) / count }
        let (bits, joint) = (estimates.map { -$0.logMarginal / log(2) }, estimates.map { -$0.logJoint / log(2) })
        let interval = bootstrapInterval(of: bits, resamples: 500)
        func name(_ measure: Measure, _ bound: String = "") -> String { measure.name([.told: told, .bound: bound]) }
        return [
            (name(.marginalBits), mean(bits)), (name(.marginalBits, "_low"), interval?.low),
            (name(.marginalBits, "_high"), interval?.high), (name(.marginalJointBits), mean(joint)),
            (
                name(.marginalError),
                estimates.reduce(0) { $0 + $1.standardError * $1.standardError }.squareRoot() / count / log(2)
            ),
            (name(.marginalEffectiveDraws), mean(estimates.map(\.effectiveDraws))),
            (name(.marginalOwnShare), mean(estimates.map(\.ownShare))),
        ]
    }
}

/// Probabilities of visual tokens whatever their prologue, under one prior.
package struct VisualMarginals {
    private let ar: TrainedPrior
    private let layout: SequenceLayout
    /// Of each code at each prologue position, [K, codes].
    private let frequencies: [[Double]]

    /// Sequences that are asked for together.
    private static let batch = 256

    package init(_ ar: TrainedPrior, frequencies: [[Double]]) {
        (self.ar, self.frequencies) = (ar, frequencies)
        layout = ar.model.config.layout
    }

    /// How often each code stands at each prologue position of [n, K + N] indices, one added to each.
    package static func frequencies(_ indices: TokenTensor, _ layout: SequenceLayout) -> [[Double]] {
        let (rows, width) = (indices.shape[0], indices.shape[1])
        return (0..<layout.prologueTokens).map { position in
            var counts = [Double](repeating: 1, count: layout.prologueCodes)
            for row in 0..<rows { counts[Int(indices.ids[row * width + position])] += 1 }
            return counts
        }
    }

    /// log p(visual tokens) of a row of [n, K + N] indices.
    ///
    /// - Parameter label: nil: the prior is not told the class.
    package func estimate(
        _ indices: TokenTensor, row: Int, label: Int32?, draws: Int, seed: UInt64
    ) throws -> MarginalLikelihood {
        let (k, width) = (layout.prologueTokens, layout.prologueTokens + layout.visualTokens)
        let own = indices.ids[row * width..<(row + 1) * width]
        let visual = Array(own.dropFirst(k))
        return try MarginalLikelihood(own: own.prefix(k).map(Int.init), frequencies: frequencies, draws: draws, seed: seed) { prologues in
            try stride(from: 0, to: prologues.count, by: Self.batch).flatMap { lower in
                let part = prologues[lower..<min(prologues.count, lower + Self.batch)]
                let rows = TokenTensor(part.flatMap { $0.map(Int32.init) + visual }, shape: [part.count, width])
                let labels = TokenTensor(repeating: label ?? ar.unconditionalLabel, shape: [part.count])
                let nats = try ar.crossEntropy(targets: layout.targets(rows), labels: labels).values
                return (0..<part.count).map { row in
                    -nats[row * layout.length..<(row + 1) * layout.length].reduce(0) { $0 + Double($1) }
                }
            }
        }
    }
}
