import Foundation
import TensorCore
import NN

/// What a quantizer makes of encoder outputs.
public struct Quantized {
    /// Codes, [B, L].
    public let indices: TokenTensor
    /// Code vectors for the decoder, [B, L, z]; gradients pass straight through to the encoder.
    public let codes: Tensor
    /// Cosine similarity of every output with every code, [B·L, codes], off the tape.
    public let cosines: Tensor
    /// Codebook and commitment loss, a scalar; nil where the quantizer has none.
    public let loss: Tensor?
    /// P = softmax(cos/τ), [B, L, codes], the path of the AR model's gradient; nil where there is none.
    public let probabilities: Tensor?
}

/// A codebook on the unit sphere: z = linear(h), L2-normalised; index = argmax cosine with normalised rows.
struct SphericalCodebook {
    let projection: Linear
    let embedding: Parameter

    init(_ name: String, from width: Int, codes: Int, codeWidth: Int, in builder: ParameterBuilder) {
        projection = Linear("\(name).proj_in", from: width, to: codeWidth, in: builder)
        embedding = builder.normal(
            "\(name).embedding.weight", [codes, codeWidth], deviation: 1 / Float(codeWidth).squareRoot())
    }

    /// Unit vectors of h [B, L, D] → [B, L, z], and the unit rows of the codebook.
    func unitVectors(_ h: Tensor, on tape: Tape?) -> (z: Tensor, rows: Tensor) {
        (l2Normalize(projection(h, on: tape)), l2Normalize(embedding(on: tape)))
    }

    /// Code vectors of indices, [..., z].
    func vectors(_ indices: TokenTensor) -> Tensor {
        TensorCore.embedding(indices, table: l2Normalize(embedding.value))
    }
}

/// Vector quantizer of the visual tokens: output z + sg(e − z), loss mean((e − sg z)²) + β·mean((sg e − z)²).
public struct VectorQuantizer {
    let codebook: SphericalCodebook
    let commitment: Float
    /// τ of the probabilities; nil: none are kept.
    let couplingTemperature: Float?

    func callAsFunction(_ h: Tensor, on tape: Tape?) -> Quantized {
        let (z, rows) = codebook.unitVectors(h, on: tape)
        let isCoupled = couplingTemperature != nil
        let cosines = linear(isCoupled ? z : z.detached(), weight: isCoupled ? rows : rows.detached())
        let indices = argmax(cosines)
        let e = embedding(indices, table: rows)
        let loss =
            meanSquaredDifference(e, z.detached()) + commitment * meanSquaredDifference(e.detached(), z)
        return Quantized(
            indices: indices, codes: straightThrough(z, value: e), cosines: cosines.detached(), loss: loss,
            probabilities: couplingTemperature.map { softmax(cosines, scale: 1 / $0) })
    }
}

/// Probability quantizer of the prologue tokens: P = softmax(cos/τ), one-hot P + sg(onehot − P), no loss of its own.
/// The AR model's cross-entropy reaches the encoder through P alone (METHOD §3).
public struct ProbabilityQuantizer {
    let codebook: SphericalCodebook
    let temperature: Float

    func callAsFunction(_ h: Tensor, on tape: Tape?) -> Quantized {
        let (z, rows) = codebook.unitVectors(h, on: tape)
        let cosines = linear(z, weight: rows)
        let indices = argmax(cosines)
        return Quantized(
            indices: indices, codes: codebook.vectors(indices), cosines: cosines.detached(), loss: nil,
            probabilities: softmax(cosines, scale: 1 / temperature))
    }
}

/// Entropies of soft code assignments, in nats, with P = softmax(cos/0.01) (METHOD §3, "Monitored").
public struct AssignmentEntropy: Sendable {
    /// Mean over tokens of −ΣP log P: how undecided a token is.
    public let sample: Double
    /// −ΣP̄ log(P̄ + 1e-5), P̄ the mean over the batch's tokens: how much of the codebook is in use.
    public let batch: Double
    public var loss: Double { sample - batch }

    public init(cosines: Tensor) {
        let logits = 100 * cosines.detached()
        let (logP, p) = (logSoftmax(logits), softmax(logits))
        let (rows, codes) = (p.rows, p.width)
        var sample = 0.0
        var mean = [Double](repeating: 0, count: codes)
        for row in 0..<rows {
            for code in 0..<codes {
                let i = row * codes + code
                sample -= Double(p.pointer[i]) * Double(logP.pointer[i])
                mean[code] += Double(p.pointer[i])
            }
        }
        self.sample = sample / Double(rows)
        batch = mean.reduce(0) { $0 - $1 / Double(rows) * log($1 / Double(rows) + 1e-5) }
    }
}
