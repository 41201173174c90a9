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

    public init(
        _ tokenizer: Tokenizer, weights: TokenizerLossSettings, autoencoder: AdamW,
        joint: (model: ARModel, optimizer: AdamW)?, imageLosses: ImageLosses? = nil
    ) {
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
        let (a, jointLoss, norm) = autoencoderAndJoint(batch, rate)
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
    }

    private func autoencoderAndJoint(
        _ batch: Batch, _ rate: Double
    ) -> (stepA: Tokenizer.StepA, jointLoss: Float?, gradientNorm: Double) {
        guard let joint else {
            let (a, norm) = stepA(batch, nil, on: Tape(differentiating: autoencoder.parameters), rate)
            return (a, nil, norm)
        }
        guard let weight = sharedWeight else {
            let (a, norm) = stepA(batch, joint.model, on: Tape(differentiating: autoencoder.parameters), rate)
            return (a, stepB(a.encoding.indices, joint, batch, rate), norm)
        }
        let tape = Tape(differentiating: autoencoder.parameters + joint.model.parameters)
        let (a, norm) = stepA(batch, joint.model, on: tape, rate)
        joint.optimizer.step(tape, rate: rate, gradientScale: 1 / weight)
        return (a, a.crossEntropy?.total.scalar, norm)
    }

    private func stepA(_ batch: Batch, _ ar: ARModel?, on tape: Tape, _ rate: Double) -> (Tokenizer.StepA, Double) {
        let a = tokenizer.stepA(
            patches: tape.constant(batch.patches), weights: weights, ar: ar, labels: batch.labels,
            visualDropped: batch.visualDropped, noise: batch.noise, imageLosses: imageLosses, step: batch.step,
            earlyBackward: true)
        tape.backward(from: a.total)
        return (a, autoencoder.step(tape, rate: rate).gradientNorm)
    }

    private func stepB(
        _ indices: TokenTensor, _ joint: (model: ARModel, optimizer: AdamW), _ batch: Batch, _ rate: Double
    ) -> Float {
        let tape = Tape(differentiating: joint.model.parameters)
        let input = ARInput(
            targets: tokenizer.config.layout.targets(indices),
            labels: batch.labels ?? TokenTensor(repeating: joint.model.unconditionalLabel, shape: [indices.shape[0]]),
            visualDropped: batch.visualDropped)
        let loss = joint.model.meanCrossEntropy(input, on: tape)
        tape.backward(from: loss)
        joint.optimizer.step(tape, rate: rate)
        return loss.scalar
    }
}
