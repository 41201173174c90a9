import Models
import NN
import Settings
import TensorCore

/// Programs at the paper's sizes: 256×256 images, 16 prologue tokens, 16384 + 1024 codes, 1000 classes, bfloat16.
enum PaperProgram: String, CaseIterable {
    /// Training steps of priors of the sizes B (115 M parameters), L (305 M) and XL (685 M).
    case priorB = "prior-b"
    case priorL = "prior-l"
    case priorXL = "prior-xl"
    /// A prior's step on two devices, half of the batch each.
    case priorBTwice = "prior-b-two-devices"
    /// Steps A and B of the Base tokenizer with LPIPS and a discriminator.
    case tokenizerB = "tokenizer-b"
    /// Drawing tokens with the Base prior, with guidance.
    case samplingB = "sampling-b"

    /// Sequences or images that it handles at once, on all devices together.
    var batch: Int {
        switch self {
        case .priorB, .tokenizerB: 64
        case .priorBTwice: 128
        case .priorL, .priorXL, .samplingB: 256
        }
    }

    /// Sequences that are computed at a time, where a batch is computed in parts.
    var microBatch: Int? {
        switch self {
        case .priorL: 64
        case .priorXL: 32
        default: nil
        }
    }

    /// What a reader is told of it.
    var title: String {
        let parts = microBatch.map { " in parts of \($0)" } ?? ""
        return switch self {
        case .priorB: "AR-Base, step of \(batch)"
        case .priorL: "AR-L, step of \(batch)\(parts)"
        case .priorXL: "AR-XL, step of \(batch)\(parts)"
        case .priorBTwice: "AR-Base, step of \(batch) on 2 devices"
        case .tokenizerB: "tokenizer B, steps A and B of \(batch)"
        case .samplingB: "AR-Base, sampling \(batch) with guidance"
        }
    }

    private static let network = TokenizerConfig.Network(width: 768, layers: 12, heads: 12, axes: ReleasedName.ropeAxes.tokenizer)

    private static let tokenizer: TokenizerConfig = {
        var config = TokenizerConfig(
            visual: .grid, prologue: .shared, imageSize: 256, channels: 3, patch: 16, encoder: network, decoder: network, codeWidth: 14,
            codebook: 16384, prologueTokens: 16, prologueCodebook: 1024, labels: 1001)
        config.precision = .bfloat16
        return config
    }()

    private var prior: ARConfig {
        let axes = ReleasedName.ropeAxes.prior
        let network: TokenizerConfig.Network =
            switch self {
            case .priorL: .init(width: 1024, layers: 24, heads: 16, axes: axes)
            case .priorXL: .init(width: 1280, layers: 32, heads: 20, axes: axes)
            default: .init(width: 768, layers: 12, heads: 12, axes: axes)
            }
        var config = ARConfig(layout: Self.tokenizer.layout, network: network, labels: 1001)
        config.precision = .bfloat16
        return config
    }

    func traced() -> TracedProgram {
        switch self {
        case .priorB, .priorL, .priorXL, .priorBTwice: priorStep()
        case .tokenizerB: tokenizerUpdate()
        case .samplingB: sampling()
        }
    }

    private func priorStep() -> TracedProgram {
        PriorProgram.step(
            prior, OptimizerSettings(beta1: 0.9, beta2: 0.96, weightDecay: 0.03, clip: 1), averageHalfLife: 2500,
            batch: batch, microBatch: microBatch, dropout: (0, attention: 0),
            replicas: Replicas(self == .priorBTwice ? 2 : 1))
    }

    private func tokenizerUpdate() -> TracedProgram {
        let config = Self.tokenizer
        var joint = ARConfig(
            layout: config.layout, network: .init(width: 512, layers: 7, heads: 8, axes: ReleasedName.ropeAxes.prior), labels: 1001)
        joint.precision = .bfloat16
        let (tokenizer, model) = (Tokenizer(config, parameters: .meta), ARModel(joint, parameters: .meta))
        let autoencoder = AdamW(tokenizer.parameters, .init(beta1: 0, beta2: 0.99), averageHalfLife: 1000)
        let optimizer = AdamW(model.parameters, .init(beta1: 0.9, beta2: 0.99, weightDecay: 0.03), averageHalfLife: 2500)
        var weights = TokenizerLossSettings()
        (weights.cePrologue, weights.ceVisual) = (3, 3)
        let update = TokenizerUpdate(
            tokenizer, weights: weights, autoencoder: autoencoder, joint: (model, optimizer),
            imageLosses: ImageLosses(adversary: Self.adversary, perceptual: (PerceptualLoss(LPIPS.outline), weight: 1)))
        var given = TokenizerUpdate.TracedInputs()
        (given.labels, given.visualDropped, given.prologueNoise) = (true, true, true)
        // Step 1: most have no penalty R1.
        return update.traced(batch: batch, given: given, step: 1)
    }

    private static var adversary: Adversary {
        var settings = AdversarySettings()
        (settings.weight, settings.r1, settings.width, settings.layers) = (0.1, 0.01, 64, 3)
        let discriminator = PatchDiscriminator(channels: 3, width: settings.width, layers: settings.layers, parameters: .meta)
        return Adversary(
            discriminator, settings, optimizer: AdamW(discriminator.parameters, .init(beta1: 0, beta2: 0.99, weightDecay: 1e-4)))
    }

    private func sampling() -> TracedProgram {
        var settings = SamplerSettings()
        settings.precision = .bfloat16
        settings.guidance.scale = 2
        return SamplingProgram(prior, settings, count: batch).traced
    }
}
