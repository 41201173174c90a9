import Evaluation
import Files
import Foundation
import ImageData
import Metrics
import Models
import RunStore
import Settings
import TensorCore

/// What tokens say, in nats: how many codes each position uses, how much it tells of the class and of recorded factors,
/// and what the prior has to pay for it. Tokens are counted over training and held-out images together; what models pay is
/// measured on held-out images.
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
            inputs: ["prior": prior.id, "tokens": prior.tokens.id], formatVersion: 2)
    }

    static let file = "information.h5"
    /// Held-out images over which the parts of −ELBO are taken.
    private static let costImages = 2000

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let (dataset, layout) = (tokenizer.dataset, tokenizer.layout)
        let stored = try prior.sequences(context)
        let counts = TokenCounts(stored, dataset, layout, bins: settings.factorBins)
        context.progress.note("information: \(counts.count) images")
        var values: [String: Double?] = [:]
        for (segment, positions) in segments(layout) { counts.note(in: &values, segment, positions) }
        values.note(.classEntropy, counts.labels.entropy.plugIn)
        for factor in counts.factors { values.note(.factorEntropy, [.factor: factor.name], factor.entropy.plugIn) }
        values.note(.imagesLog, log(Double(counts.count)))
        let costs = try costs(stored.test, layout, context)
        costs.note(in: &values)
        try write(counts, costs, layout, to: work.url(Self.file))
        try work.save(
            Scores(
                protocol: [
                    "count": .int(counts.count), "cost_count": .int(min(Self.costImages, stored.test.count)),
                    "factor_bins": .int(settings.factorBins), "unit": "nat", "estimator": "Miller-Madow",
                ], values: values), named: "information")
        return ["count": .int(counts.count)]
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

    private func costs(
        _ half: TokenFile.Half, _ layout: SequenceLayout, _ context: ExperimentContext
    ) throws -> ImageCosts {
        let (ar, model) = (try prior.load(context), try tokenizer.load(context))
        let count = min(Self.costImages, half.count)
        let costs = try ImageCosts(half, count: count, ar, layout)
        let images = Array(0..<count)
        let pixels = try tokenizer.dataset.test.pixels(of: images)
        return costs.adding(
            images: pixels, reconstructions: try model.decode(layout.visualHalf(of: half.batch(images).indices)), count: count)
    }

    private func write(_ counts: TokenCounts, _ costs: ImageCosts, _ layout: SequenceLayout, to url: URL) throws {
        try HDF5File.write(atomicallyTo: url) { file in
            func write(_ numbers: [Double], _ name: String, unit: String? = "nat") throws {
                try file.write(
                    numbers, to: name, shape: [numbers.count],
                    attributes: ["axes": ["token"]].merging(unit.map { ["unit": .string($0)] } ?? [:]) { $1 })
            }
            try write(counts.entropies.map(\.plugIn), "entropy")
            try write(counts.entropies.map { Double($0.support) }, "codes_used", unit: nil)
            for variable in [counts.labels] + counts.factors {
                try write(variable.information.map(\.corrected), "\(variable.name)_information")
            }
            try write(counts.prefixes.map(\.plugIn), "prefix_entropy")
            for (mode, nats) in costs.perToken { try write(nats, "prior_cost_\(mode)") }
            try file.setAttribute("prologue_tokens", .int(layout.prologueTokens))
            try file.setAttribute("images", .int(counts.count))
            try file.setAttribute(
                "order", "prologue, then visual; prior costs have EOS between; prefix_entropy: of the first 1, 2 … tokens together")
        }
    }
}

/// Tokens of all images, counted by position.
struct TokenCounts {
    /// What tokens may tell of: the class, or a recorded factor cut into bins.
    struct Variable {
        let name: String
        let entropy: EntropyEstimate
        /// Of each position about it.
        let information: [MutualInformation]
    }

    /// Images.
    let count: Int
    /// Of each position, [K + N].
    let entropies: [EntropyEstimate]
    let labels: Variable
    let factors: [Variable]
    /// Of the first 1, 2 … tokens taken together, prologue first.
    let prefixes: [EntropyEstimate]
    /// [images, K + N].
    private let tokens: [Int32]
    private let width: Int

    /// - Parameter bins: that a continuous factor is cut into.
    init(_ stored: TokenFile, _ dataset: Dataset, _ layout: SequenceLayout, bins: Int) {
        let width = layout.prologueTokens + layout.visualTokens
        // With ten crops the middles of all training images come first.
        let train = min(dataset.train.count, stored.train.count)
        tokens = Array(stored.train.indices.ids[0..<train * width]) + Array(stored.test.indices.ids[0..<stored.test.count * width])
        count = train + stored.test.count
        self.width = width
        let (count, tokens) = (count, tokens)
        let columns = (0..<width).map { position in (0..<count).map { tokens[$0 * width + position] } }
        func variable(_ name: String, _ values: [Int32]) -> Variable {
            Variable(
                name: name, entropy: EntropyEstimate(of: values), information: columns.map { MutualInformation($0, values) })
        }
        entropies = columns.map { EntropyEstimate(of: $0) }
        labels = variable("class", Array(stored.train.labels[..<train]) + stored.test.labels)
        factors = zip(dataset.train.factors, dataset.test.factors).map { train, test in
            variable(train.name, quantileBins(train.values + test.values, count: bins))
        }
        prefixes = prefixEntropies(tokens, length: width)
    }

    /// Notes the measures of a segment of positions.
    func note(in values: inout [String: Double?], _ segment: String, _ positions: [Int]) {
        func mean(_ of: (Int) -> Double) -> Double { positions.reduce(0) { $0 + of($1) } / Double(positions.count) }
        // Tokens of one image together: with as many draws as images, this cannot exceed the logarithm of their number.
        let joint = prefixEntropies((0..<count).flatMap { row in positions.map { tokens[row * width + $0] } }, length: positions.count)
        let aggregated = EntropyEstimate(of: (0..<count).lazy.flatMap { row in positions.lazy.map { tokens[row * width + $0] } })
        let measured: [(Measure, Double?)] = [
            (.perplexity, mean { exp(entropies[$0].plugIn) }), (.codesUsed, mean { Double(entropies[$0].support) }),
            (.positionEntropy, mean { entropies[$0].corrected }), (.aggregatedEntropy, aggregated.corrected),
            (.jointEntropy, joint.last?.plugIn),
            (.distinctShare, joint.last.map { Double($0.support) / Double($0.count) }),
        ]
        for (measure, value) in measured { values.note(measure, [.segment: segment], value) }
        func note(_ measure: Measure, _ best: Measure, _ variable: Variable, _ fields: [MetricField: String]) {
            let information = positions.map { variable.information[$0].corrected }
            values.note(measure, fields, information.reduce(0, +) / Double(information.count))
            values.note(best, fields, information.max())
        }
        note(.classInformation, .classInformationBest, labels, [.segment: segment])
        for factor in factors {
            note(.factorInformation, .factorInformationBest, factor, [.segment: segment, .factor: factor.name])
        }
    }
}
