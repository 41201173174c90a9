import NN
import Settings
import TensorCore

/// Steps A and B on one batch (method §4.2, §4.3): A updates the autoencoder with the joint AR model and the discriminator frozen,
/// B the joint AR model on step A's indices and the discriminator on step A's images.
public struct TokenizerUpdate {
    public let tokenizer: Tokenizer
    public let weights: TokenizerLossSettings
    public let autoencoder: AdamW
    /// The AR model that is trained beside the tokenizer, with its optimiser; nil for plain baselines.
    public let joint: (model: ARModel, optimizer: AdamW)?
    /// Losses of whole images, if there are any.
    public let imageLosses: ImageLosses?
    /// Images that are computed at a time, where those are not all of a batch: a divisor of it, or of a device's share. Statistics of a whole batch,
    /// which batch norms and entropies are, cannot be a part of the losses then.
    public let microBatch: Int?

    public init(
        _ tokenizer: Tokenizer, weights: TokenizerLossSettings, autoencoder: AdamW,
        joint: (model: ARModel, optimizer: AdamW)?, imageLosses: ImageLosses? = nil, microBatch: Int? = nil
    ) {
        require(
            microBatch == nil || imageLosses?.adversary == nil && weights.visualEntropy == 0 && weights.prologueEntropy == 0,
            "statistics of a whole batch in micro-batches")
        self.microBatch = microBatch
        self.imageLosses = imageLosses
        self.tokenizer = tokenizer
        self.weights = weights
        self.autoencoder = autoencoder
        self.joint = joint
    }

    public struct Report {
        public let stepA: Tokenizer.StepA
        /// Step B's loss, mean cross-entropy in nats.
        public let jointLoss: Float?
        /// The discriminator's step, where it has begun.
        public let adversary: Adversary.Report?
        public let gradientNorm: Double
    }

    /// As `TokenizerLossSettings.sharedCrossEntropy`.
    package var sharedWeight: Double? { weights.sharedCrossEntropy(in: tokenizer.config.layout) }

    /// One pair of updates at learning rate `rate`, the discriminator's at `adversaryRate`; patches [B, N, p·p·C], labels
    /// [B] and dropout as the AR model's; noise for Gumbel quantizers.
    public func callAsFunction(
        patches: Tensor, labels: TokenTensor?, visualDropped: TokenTensor?, noise: GumbelNoise? = nil, rate: Double,
        adversaryRate: Double = 0, step: Int = 0
    ) -> Report {
        let batch = Batch(patches: patches, labels: labels, visualDropped: visualDropped, noise: noise, step: step)
        let (a, jointLoss, norm) = autoencoderAndJoint(batch, rate, parts: parts(of: patches.shape[0]))
        var adversary: Adversary.Report?
        if let trained = imageLosses?.adversary, trained.isActive(at: step), let images = a.images {
            adversary = trained.update(real: images.real, rebuilt: images.rebuilt, rate: adversaryRate, step: step)
        }
        return Report(stepA: a, jointLoss: jointLoss, adversary: adversary, gradientNorm: norm)
    }

    /// What both steps read.
    private struct Batch {
        let patches: Tensor
        let labels: TokenTensor?
        let visualDropped: TokenTensor?
        let noise: GumbelNoise?
        let step: Int

        func part(_ number: Int, of parts: Int) -> Batch {
            let (index, rows) = (TokenTensor([Int32(number)], shape: [1]), patches.shape[0] / parts)
            return Batch(
                patches: patches.part(index, rows: rows), labels: labels?.part(index, rows: rows),
                visualDropped: visualDropped?.part(index, rows: rows), noise: noise?.part(index, of: parts), step: step)
        }
    }

    /// How many parts a batch, or a device's share of one, is computed in.
    func parts(of rows: Int) -> Int {
        guard let microBatch, microBatch < rows else { return 1 }
        require(rows % microBatch == 0, "a micro-batch of \(microBatch) is no divisor of a batch of \(rows)")
        return rows / microBatch
    }

    private func autoencoderAndJoint(
        _ batch: Batch, _ rate: Double, parts: Int
    ) -> (stepA: Tokenizer.StepA, jointLoss: Float?, gradientNorm: Double) {
        guard let joint else {
            let (a, norm) = stepA(batch, nil, on: Tape(differentiating: autoencoder.parameters), rate, parts: parts)
            return (a, nil, norm)
        }
        guard let weight = sharedWeight else {
            let (a, norm) = stepA(batch, joint.model, on: Tape(differentiating: autoencoder.parameters), rate, parts: parts)
            return (a, stepB(a.encoding.indices, joint, batch, rate, parts: parts), norm)
        }
        let tape = Tape(differentiating: autoencoder.parameters + joint.model.parameters)
        let (a, norm) = stepA(batch, joint.model, on: tape, rate, parts: parts)
        joint.optimizer.step(tape, rate: rate, gradientScale: 1 / (weight * Double(parts)))
        return (a, a.crossEntropy?.total.scalar, norm)
    }

    /// The tape has the gradient of the sum over parts.
    private func stepA(
        _ batch: Batch, _ ar: ARModel?, on tape: Tape, _ rate: Double, parts: Int
    ) -> (Tokenizer.StepA, Double) {
        func forward(_ batch: Batch) -> Tokenizer.StepA {
            tokenizer.stepA(
                patches: tape.constant(batch.patches), weights: weights, ar: ar, labels: batch.labels,
                visualDropped: batch.visualDropped, noise: batch.noise, imageLosses: imageLosses, step: batch.step,
                earlyBackward: true)
        }
        let a: Tokenizer.StepA
        if parts == 1 {
            a = forward(batch)
            tape.backward(from: a.total)
        } else {
            a = Tokenizer.StepA(
                joining: (0..<parts).map { number in
                    let start = tape.mark
                    let part = forward(batch.part(number, of: parts))
                    _ = tape.playBack(to: start, from: part.total)
                    return part
                })
        }
        return (a, autoencoder.step(tape, rate: rate, gradientScale: 1 / Double(parts)).gradientNorm)
    }

    private func stepB(
        _ indices: TokenTensor, _ joint: (model: ARModel, optimizer: AdamW), _ batch: Batch, _ rate: Double, parts: Int
    ) -> Float {
        let (tape, count) = (Tape(differentiating: joint.model.parameters), indices.shape[0])
        let loss = joint.model.backwardMeanCrossEntropy(
            targets: tokenizer.config.layout.targets(indices),
            labels: batch.labels ?? TokenTensor(repeating: joint.model.unconditionalLabel, shape: [count]),
            visualDropped: batch.visualDropped, rows: count / parts, on: tape)
        joint.optimizer.step(tape, rate: rate)
        return loss
    }
}
