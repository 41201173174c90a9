import NN
import TensorCore

/// Steps A and B on one batch (METHOD §4): A updates the autoencoder with the joint AR model frozen, B the joint AR
/// model on step A's indices.
public struct TokenizerUpdate {
    public let tokenizer: Tokenizer
    public let weights: Tokenizer.LossWeights
    public let autoencoder: AdamW
    /// The AR model that is trained beside the tokenizer, with its optimiser; nil for plain baselines.
    public let joint: (model: ARModel, optimizer: AdamW)?

    public init(
        _ tokenizer: Tokenizer, weights: Tokenizer.LossWeights, autoencoder: AdamW,
        joint: (model: ARModel, optimizer: AdamW)?
    ) {
        self.tokenizer = tokenizer
        self.weights = weights
        self.autoencoder = autoencoder
        self.joint = joint
    }

    public struct Report {
        public let stepA: Tokenizer.StepA
        /// Step B's loss, mean cross-entropy in nats.
        public let jointLoss: Float?
        public let gradientNorm: Double
    }

    /// The one weight that all cross-entropy terms of step A have, if they share one and it is not 0.
    ///
    /// Then step A's cross-entropy is step B's loss times that weight, at the same parameters and the same tokens, and
    /// one pass through the AR model gives the gradients of both.
    package var sharedWeight: Double? {
        let weight = weights.visualCrossEntropy
        let isShared = !tokenizer.config.layout.hasPrologue || weights.prologueCrossEntropy == weight
        return isShared && weight > 0 ? weight : nil
    }

    /// One pair of updates at learning rate `rate`; patches [B, N, p·p·C], labels [B] and dropout as the AR model's.
    public func callAsFunction(
        patches: Tensor, labels: TokenTensor?, visualDropped: [Bool], rate: Double
    ) -> Report {
        guard let joint else {
            let (a, norm) = stepA(patches, nil, labels, visualDropped, on: Tape(differentiating: autoencoder.parameters), rate)
            return Report(stepA: a, jointLoss: nil, gradientNorm: norm)
        }
        guard let weight = sharedWeight else {
            let tape = Tape(differentiating: autoencoder.parameters)
            let (a, norm) = stepA(patches, joint.model, labels, visualDropped, on: tape, rate)
            return Report(
                stepA: a, jointLoss: stepB(a.encoding.indices, joint, labels, visualDropped, rate), gradientNorm: norm)
        }
        let tape = Tape(differentiating: autoencoder.parameters + joint.model.parameters)
        let (a, norm) = stepA(patches, joint.model, labels, visualDropped, on: tape, rate)
        joint.optimizer.step(tape, rate: rate, gradientScale: 1 / weight)
        return Report(stepA: a, jointLoss: a.crossEntropy?.total.scalar, gradientNorm: norm)
    }

    private func stepA(
        _ patches: Tensor, _ ar: ARModel?, _ labels: TokenTensor?, _ visualDropped: [Bool], on tape: Tape, _ rate: Double
    ) -> (Tokenizer.StepA, Double) {
        let a = tokenizer.stepA(
            patches: tape.constant(patches), weights: weights, ar: ar, labels: labels, visualDropped: visualDropped)
        tape.backward(from: a.total)
        return (a, autoencoder.step(tape, rate: rate).gradientNorm)
    }

    private func stepB(
        _ indices: TokenTensor, _ joint: (model: ARModel, optimizer: AdamW), _ labels: TokenTensor?,
        _ visualDropped: [Bool], _ rate: Double
    ) -> Float {
        let tape = Tape(differentiating: joint.model.parameters)
        let input = ARInput(
            targets: tokenizer.config.layout.targets(indices),
            labels: labels ?? TokenTensor(repeating: joint.model.unconditionalLabel, shape: [indices.shape[0]]),
            visualDropped: visualDropped)
        let loss = joint.model.meanCrossEntropy(input, on: tape)
        tape.backward(from: loss)
        joint.optimizer.step(tape, rate: rate)
        return loss.scalar
    }
}
