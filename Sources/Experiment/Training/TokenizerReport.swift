import Models
import NN
import TensorCore

/// What a pair of steps on one batch reads.
struct TokenizerBatch {
    let patches: Tensor
    /// Of the joint AR model, where there is one.
    let labels: TokenTensor?
    let visualDropped: TokenTensor?
    /// Streams of Gumbel noise; the visual tokens of a frozen tokenizer have none.
    let noise: (visual: RandomStream?, prologue: RandomStream)
    let rate: Double
    let adversaryRate: Double
    let step: Int
}

/// What a pair of steps gave, wherever it ran.
struct TokenizerReport {
    /// The codes that a batch used.
    struct Codes {
        /// Column names begin with it: `visual` or `prologue`.
        let name: String
        let indices: TokenTensor
        /// The encoder outputs among the codes, [B, L, z].
        let points: () throws -> Tensor

        /// Share of the codebook that this batch used.
        func usage(_ config: TokenizerConfig) -> Float {
            Float(Set(indices.ids).count) / Float(name == "visual" ? config.codebook : config.prologueCodebook)
        }
    }

    /// What must be finite, by the network that it trains.
    let losses: [(network: String, loss: Float)]
    let codes: [Codes]
    /// By the columns of the metrics.
    let values: () throws -> [String: Float]
}

extension TokenizerReport {
    /// Of steps on this program's own kernels.
    init(_ report: TokenizerUpdate.Report) {
        let a = report.stepA
        losses = [("tokenizer", a.total.scalar)] + (report.adversary.map { [("discriminator", $0.loss)] } ?? [])
        let quantized = [("visual", a.encoding.visual)] + (a.encoding.prologue.map { [("prologue", $0)] } ?? [])
        codes = quantized.map { name, quantized in Codes(name: name, indices: quantized.indices, points: { quantized.points }) }
        values = {
            var values: [String: Float] = [
                "loss": a.total.scalar, "l1": a.l1.scalar, "l2": a.l2.scalar, "quantizer": a.quantizer.scalar,
                "gradient_norm": Float(report.gradientNorm),
            ]
            for (name, quantized) in quantized {
                guard let similarities = quantized.similarities else { continue }
                let entropy = AssignmentEntropy(similarities, scale: AssignmentEntropy.reportedScale)
                values["\(name)_entropy"] = Float(entropy.sample)
                values["\(name)_batch_entropy"] = Float(entropy.batch)
            }
            if let parts = a.crossEntropy, let jointLoss = report.jointLoss {
                values["ce_visual"] = parts.visual.scalar
                values["ce_joint"] = jointLoss
                if a.encoding.prologue != nil {
                    values["ce_prologue"] = parts.prologue.scalar
                    values["ce_eos"] = parts.eos.scalar
                }
            }
            values["perceptual"] = a.images?.perceptual?.scalar
            if let generator = a.images?.generator, let discriminator = report.adversary {
                values["gan_generator"] = generator.scalar
                values["gan_discriminator"] = discriminator.loss
                values["gan_real"] = discriminator.real
                values["gan_rebuilt"] = discriminator.rebuilt
            }
            return values
        }
    }
}
