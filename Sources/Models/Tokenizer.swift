import NN
import Settings
import TensorCore

/// A tokenizer as it is trained: encoder, decoder and, with a prologue, the joint AR model whose cross-entropy
/// trains the prologue tokens (method §2, §4).
public struct Tokenizer {
    public let config: TokenizerConfig
    public let encoder: Encoder
    public let decoder: Decoder

    /// Encoder and decoder draw their initial values from streams of their own, so that a variant without a
    /// prologue starts from the same values whatever else is trained.
    public init(_ config: TokenizerConfig, seed: Int) {
        self.config = config
        encoder = Encoder(config, stream: RandomStream(seed: seed, "encoder/initial"))
        decoder = Decoder(config, stream: RandomStream(seed: seed, "decoder/initial"))
    }

    /// A tokenizer without values of its own: to be filled from a file, or a meta model.
    public init(_ config: TokenizerConfig, parameters source: ParameterSource) {
        self.config = config
        encoder = Encoder(config, parameters: source)
        decoder = Decoder(config, parameters: source)
    }

    /// What step A trains.
    public var parameters: [Parameter] { encoder.parameters + decoder.parameters }

    /// Step A's forward pass: every term as a scalar on the tape.
    public struct StepA {
        public let encoding: Encoding
        /// Nil where no term needs it: all reconstruction weights are 0.
        public let reconstruction: Tensor?
        public let l1, l2, quantizer: Tensor
        /// Present where losses of whole images were given and there is a reconstruction.
        public let images: ImageLosses.Terms?
        /// Present where an AR model was given.
        public let crossEntropy: SegmentedCrossEntropy?
        public let total: Tensor
    }

    /// Reconstruction, quantizer and cross-entropy terms for patches [B, N, p·p·C] on a tape that differentiates
    /// `parameters`. `ar` is frozen: its cross-entropy reaches the encoder through the prologue's inputs only.
    ///
    /// - Parameters:
    ///   - weights: of the terms that the variant has (`TokenizerSettings.activeLoss`).
    ///   - labels: [B], of the AR model, as is `visualDropped`.
    ///   - noise: of the quantizers.
    ///   - step: tells which of the `imageLosses` have begun.
    ///   - earlyBackward: takes the cross-entropy's gradient before the decoder begins, so that the AR model's activations are
    ///     not held beside the decoder's; nothing else may then be computed from it.
    public func stepA(
        patches: Tensor, weights: TokenizerLossSettings, ar: ARModel? = nil, labels: TokenTensor? = nil,
        visualDropped: TokenTensor? = nil, noise: GumbelNoise? = nil, imageLosses: ImageLosses? = nil, step: Int = 0,
        earlyBackward: Bool = false
    ) -> StepA {
        let encoding = encoder(patches, noise: noise)
        let quantizer = encoding.visual.loss ?? .zeros([1])
        var total = Float(weights.quantizer) * quantizer
        let isDecoded = weights.l1 != 0 || weights.l2 != 0 || imageLosses != nil

        var crossEntropy: (parts: SegmentedCrossEntropy, term: Tensor)?
        if let ar {
            let encoded = patches.tape?.mark
            let input = ARInput(
                targets: config.layout.targets(encoding.indices),
                labels: labels ?? TokenTensor(repeating: ar.unconditionalLabel, shape: [patches.shape[0]]),
                visualDropped: visualDropped, prologueProbabilities: encoding.prologue?.probabilities,
                visualProbabilities: encoding.visual.probabilities)
            var parts = SegmentedCrossEntropy(ar.crossEntropy(input, on: patches.tape), layout: config.layout)
            var term =
                Float(weights.cePrologue) * (parts.prologue + parts.eos)
                + Float(weights.ceVisual) * parts.visual
            if earlyBackward, isDecoded, term.isDifferentiated, let tape = patches.tape, let encoded {
                term = tape.playBack(to: encoded, from: term)
                parts = parts.detached()
            }
            crossEntropy = (parts, term)
        }

        var (l1, l2) = (Tensor.zeros([1]), Tensor.zeros([1]))
        var reconstruction: Tensor?
        var images: ImageLosses.Terms?
        if isDecoded {
            let rebuilt = decoder(encoding.visual.codes)
            let target = patches.detached()
            l1 = meanAbsoluteDifference(rebuilt, target)
            l2 = meanSquaredDifference(rebuilt, target)
            total = Float(weights.l1) * l1 + Float(weights.l2) * l2 + total
            reconstruction = rebuilt
            images = imageLosses?(real: target, rebuilt: rebuilt, config, step: step)
            if let term = images?.total { total = total + term }
        }
        // Last, because it is large: small terms are not lost beside it.
        if let crossEntropy { total = total + crossEntropy.term }
        let extra = [
            (weights.prologueQuantizer, encoding.prologue?.loss), (weights.visualEntropy, encoding.visual.entropyLoss),
            (weights.prologueEntropy, encoding.prologue?.entropyLoss),
        ]
        for case (let weight, let term?) in extra where weight != 0 { total = total + Float(weight) * term }
        return StepA(
            encoding: encoding, reconstruction: reconstruction, l1: l1, l2: l2, quantizer: quantizer, images: images,
            crossEntropy: crossEntropy?.parts, total: total)
    }
}

extension ARModel {
    /// Step B's loss, and stage 3's: mean cross-entropy of stored indices with plain lookups, on `tape`.
    public func meanCrossEntropy(_ input: ARInput, on tape: Tape?, dropout: Dropout = .none) -> Tensor {
        require(input.prologueProbabilities == nil, "step B looks its tokens up plainly")
        return mean(crossEntropy(input, on: tape, dropout: dropout))
    }
}
