import Foundation
import NN
import Settings
import TensorCore

/// How tokens are chosen among codes, and how codes and encoder learn from it. With s the similarity of an encoder
/// output with a code (a cosine, except for `fsq`; see `Codebook`) and P = softmax(s/τ):
public enum QuantizerKind: Equatable, Sendable {
    /// Nearest code; output z + sg(e − z); loss mean((e − sg z)²) + β·mean((sg e − z)²) (method §3.8).
    case vq
    /// Nearest code; output y·E with the one-hot y = P + sg(onehot − P); no loss (method §3.8, `ProbQ`).
    case probq
    /// Signs instead of a codebook; output z + sg(e − z); loss β·mean((sg e − z)²).
    case lfq
    /// A grid of levels per channel instead of a codebook; output z + sg(e − z); no loss.
    case fsq(levels: [Int])
    /// As `probq`, with a code drawn from P in training (Jang et al. 2017, arXiv 1611.01144): s + τ·g in the place of s,
    /// g Gumbel noise, and P = softmax((s/τ + g)/τ') with the temperature τ' of the relaxation. Without noise elsewhere.
    case gumbel(temperature: Double)

    init(_ quantizer: TokenizerSettings.Quantizer, levels: [Int], gumbelTemperature: Double) {
        self =
            switch quantizer {
            case .vq: .vq
            case .probq: .probq
            case .lfq: .lfq
            case .fsq: .fsq(levels: levels)
            case .gumbel: .gumbel(temperature: gumbelTemperature)
            }
    }
}

/// What a quantizer makes of encoder outputs.
public struct Quantized {
    /// Codes, [B, L].
    public let indices: TokenTensor
    /// Code vectors for the decoder, [B, L, z]; gradients pass straight through to the encoder.
    public let codes: Tensor
    /// Encoder outputs among the codes, [B, L, z], off the tape.
    public let points: Tensor
    /// Similarity of every output with every code, [B·L, codes], off the tape; nil where codes are not compared one by
    /// one, as with `lfq` and `fsq` unless something asks for P.
    public let similarities: Tensor?
    /// Codebook and commitment loss, a scalar; nil where the quantizer has none.
    public let loss: Tensor?
    /// Sample minus batch entropy of the assignment, a scalar; nil unless asked for.
    public let entropyLoss: Tensor?
    /// P, [B, L, codes], the path of the AR model's gradient; nil where there is none.
    public let probabilities: Tensor?
}

/// A quantizer of either kind of token.
package struct Quantizer {
    /// What it is for.
    package enum Use: Equatable {
        /// A decoder reads the codes.
        case visual
        /// Nothing but an AR model's cross-entropy trains the codes, through P.
        case prologue
    }

    let kind: QuantizerKind
    let use: Use
    let codebook: any Codebook
    /// The embedding of a learned codebook.
    let embedding: Parameter?
    /// β.
    let commitment: Float
    /// τ of the choice, where that is made or trained by P.
    let temperature: Double
    /// τ of the P through which cross-entropy flows; nil: none does.
    let pathTemperature: Double?
    /// Temperature of the entropy loss; nil: there is none.
    let entropyTemperature: Double?

    package init(
        _ name: String, _ kind: QuantizerKind, for use: Use, from width: Int, codes: Int, codeWidth: Int,
        commitment: Double, temperature: Double, pathTemperature: Double?, entropyTemperature: Double?,
        in builder: ParameterBuilder
    ) {
        (self.kind, self.use, self.commitment) = (kind, use, Float(commitment))
        (self.temperature, self.pathTemperature) = (temperature, pathTemperature)
        self.entropyTemperature = entropyTemperature
        switch kind {
        case .vq, .probq, .gumbel:
            let learned = SphericalCodebook(name, from: width, codes: codes, codeWidth: codeWidth, in: builder)
            (codebook, embedding) = (learned, learned.embedding)
        case .lfq:
            (codebook, embedding) = (BinaryCodebook(name, from: width, codes: codes, in: builder), nil)
        case .fsq(let levels):
            (codebook, embedding) = (GridCodebook(name, from: width, levels: levels, in: builder), nil)
        }
        require(codebook.codes == codes, "\(kind) has \(codebook.codes) codes, not \(codes)")
    }

    /// h [B, L, D] → codes. `noise` [B·L, codes] is Gumbel noise, for `gumbel` in training.
    package func callAsFunction(_ h: Tensor, on tape: Tape?, noise: Tensor? = nil) -> Quantized {
        let points = codebook.points(h, on: tape)
        let rows = codebook.rows(on: tape)
        let isRelaxed = relaxation != nil
        // A gradient passes through the similarities where P or an entropy is trained; VQ alone only compares them.
        let isTrained = isRelaxed && use == .visual || pathTemperature != nil || entropyTemperature != nil
        var similarities: Tensor?
        if isTrained {
            similarities = codebook.similarities(points, rows: rows)
        } else if embedding != nil {
            similarities = codebook.similarities(points.detached(), rows: rows.detached())
        }
        let chosen = similarities.map { disturbed($0, by: noise) }
        let indices = choose(points, chosen)

        let codes: Tensor
        var loss: Tensor?
        switch (use, kind) {
        case (.prologue, .vq), (.visual, .vq):
            let e = TensorCore.embedding(indices, table: rows)
            loss = meanSquaredDifference(e, points.detached()) + commitment * meanSquaredDifference(e.detached(), points)
            codes = use == .visual ? straightThrough(points, value: e) : e.detached()
        case (_, .lfq), (_, .fsq):
            let e = codebook.vectors(indices)
            if kind == .lfq { loss = commitment * meanSquaredDifference(e, points) }
            codes = use == .visual ? straightThrough(points, value: e) : e
        case (.prologue, .probq), (.prologue, .gumbel):
            codes = codebook.vectors(indices)
        case (.visual, .probq), (.visual, .gumbel):
            guard let p = chosen.map({ probabilities($0, temperature) }) else { fatalError("P was not computed") }
            codes = straightThroughEmbedding(p, ids: indices, table: rows)
        }
        return Quantized(
            indices: indices, codes: codes, points: points.detached(), similarities: similarities?.detached(), loss: loss,
            entropyLoss: entropyTemperature.flatMap { t in similarities.map { assignmentEntropyLoss($0, scale: Float(1 / t)) } },
            probabilities: pathTemperature.flatMap { t in chosen.map { probabilities($0, t) } })
    }

    /// τ' where codes learn through P alone; nil where they do not.
    private var relaxation: Double? {
        switch kind {
        case .probq: 1
        case .gumbel(let temperature): temperature
        case .vq, .lfq, .fsq: nil
        }
    }

    private func disturbed(_ similarities: Tensor, by noise: Tensor?) -> Tensor {
        guard case .gumbel = kind, let noise else { return similarities }
        return similarities + Float(temperature) * noise.reshaped(similarities.shape)
    }

    private func choose(_ points: Tensor, _ similarities: Tensor?) -> TokenTensor {
        if let product = codebook as? any ProductCodebook { return product.nearest(points) }
        guard let similarities else { fatalError("learned codes were not compared") }
        return argmax(similarities)
    }

    private func probabilities(_ similarities: Tensor, _ temperature: Double) -> Tensor {
        softmax(similarities, scale: 1 / Float(temperature * (relaxation ?? 1)))
    }
}

/// Gumbel noise −log(−log u) of one training step.
public struct GumbelNoise {
    let visual, prologue: (any RandomSource)?
    /// Which of how many equal parts of a batch it is for; nil: all of it.
    private var part: (index: TokenTensor, count: Int)?

    /// A stream for each kind of token that is drawn; nil: the likeliest codes are taken.
    public init(visual: (any RandomSource)?, prologue: (any RandomSource)?) {
        self.visual = visual
        self.prologue = prologue
    }

    /// That which one of `count` equal parts of the batch has of it; `index` is a single id.
    func part(_ index: TokenTensor, of count: Int) -> GumbelNoise {
        guard count > 1 else { return self }
        var noise = self
        noise.part = (index, count)
        return noise
    }

    /// `count` numbers from one of the streams.
    func drawn(from stream: any RandomSource, _ count: Int) -> Tensor {
        guard let part else { return stream.gumbelNoise(count) }
        return stream.gumbelNoise(part.count * count).part(part.index, rows: count)
    }
}
