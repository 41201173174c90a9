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
    /// The largest with larger parts, since its layers are computed again.
    case priorXLAgain = "prior-xl-again"
    /// The smallest with the paper's dropout.
    case priorBDropout = "prior-b-dropout"
    /// A prior's step on two devices, half of the batch each.
    case priorBTwice = "prior-b-two-devices"
    /// Steps A and B of the Base tokenizer with LPIPS and a discriminator.
    case tokenizerB = "tokenizer-b"
    /// The same without the losses of whole images.
    case tokenizerBPlain = "tokenizer-b-plain"
    /// Drawing tokens with the Base prior, with guidance.
    case samplingB = "sampling-b"

    /// Sequences or images that it handles at once, on all devices together.
    func batch(_ scale: Scale = .paper) -> Int {
        if scale == .toy { return 4 }
        return switch self {
        case .priorB, .priorBDropout, .tokenizerB, .tokenizerBPlain: 64
        case .priorBTwice: 128
        case .priorL, .priorXL, .priorXLAgain, .samplingB: 256
        }
    }

    /// Sequences that are computed at a time, where a batch is computed in parts.
    func microBatch(_ scale: Scale = .paper) -> Int? {
        let rows: Int? =
            switch self {
            case .priorL, .priorXLAgain: 64
            case .priorXL: 32
            default: nil
            }
        return scale == .toy ? rows.map { _ in 2 } : rows
    }

    /// What a reader is told of it.
    var title: String {
        let (batch, parts) = (batch(), microBatch().map { " in parts of \($0)" } ?? "")
        return switch self {
        case .priorB: "AR-Base, step of \(batch)"
        case .priorL: "AR-L, step of \(batch)\(parts)"
        case .priorXL: "AR-XL, step of \(batch)\(parts)"
        case .priorXLAgain: "AR-XL, step of \(batch)\(parts), layers computed again"
        case .priorBDropout: "AR-Base, step of \(batch), dropout 0.1"
        case .priorBTwice: "AR-Base, step of \(batch) on 2 devices"
        case .tokenizerB: "tokenizer B, steps A and B of \(batch), LPIPS and discriminator"
        case .tokenizerBPlain: "tokenizer B, steps A and B of \(batch)"
        case .samplingB: "AR-Base, sampling \(batch) with guidance"
        }
    }

    /// How large the networks are.
    enum Scale {
        case paper
        /// So small that a processor runs the programs in no time, to try what runs them.
        case toy
    }

    /// Devices that run it at once.
    var replicas: Int { self == .priorBTwice ? 2 : 1 }

    private static func tokenizer(_ scale: Scale) -> TokenizerConfig {
        let (width, layers, heads, isToy) = (scale == .toy ? (128, 2, 2, true) : (768, 12, 12, false))
        let network = TokenizerConfig.Network(width: width, layers: layers, heads: heads, axes: ReleasedName.ropeAxes.tokenizer)
        var config = TokenizerConfig(
            visual: .grid, prologue: .shared, imageSize: isToy ? 32 : 256, channels: 3, patch: 16, encoder: network, decoder: network,
            codeWidth: 14, codebook: isToy ? 256 : 16384, prologueTokens: isToy ? 4 : 16, prologueCodebook: isToy ? 64 : 1024,
            labels: isToy ? 11 : 1001)
        config.precision = .bfloat16
        return config
    }

    private func network(_ scale: Scale) -> TokenizerConfig.Network {
        let axes = ReleasedName.ropeAxes.prior
        if scale == .toy { return .init(width: 128, layers: 2, heads: 2, axes: axes) }
        return switch self {
        case .priorL: .init(width: 1024, layers: 24, heads: 16, axes: axes)
        case .priorXL, .priorXLAgain: .init(width: 1280, layers: 32, heads: 20, axes: axes)
        default: .init(width: 768, layers: 12, heads: 12, axes: axes)
        }
    }

    private func prior(_ scale: Scale) -> ARConfig {
        let tokenizer = Self.tokenizer(scale)
        var config = ARConfig(layout: tokenizer.layout, network: network(scale), labels: tokenizer.labels)
        config.precision = .bfloat16
        config.recomputes = self == .priorXLAgain
        return config
    }

    /// FLOPs of matrix products in a training step of a prior; nil of other programs.
    func flops(_ scale: Scale) -> Double? {
        switch self {
        case .priorB, .priorBDropout, .priorL, .priorXL, .priorXLAgain, .priorBTwice:
            prior(scale).trainingCost.flops * Double(batch(scale))
        case .tokenizerB, .tokenizerBPlain, .samplingB: nil
        }
    }

    /// Ids that an input may hold: 0 ..< that.
    func idLimit(_ input: String, _ scale: Scale) -> Int {
        let tokenizer = Self.tokenizer(scale)
        return switch input {
        case "labels": tokenizer.labels - 1
        case "visual_dropped": 2
        default: tokenizer.codebook
        }
    }

    func traced(_ scale: Scale = .paper) -> TracedProgram {
        switch self {
        case .priorB, .priorBDropout, .priorL, .priorXL, .priorXLAgain, .priorBTwice: priorStep(scale)
        case .tokenizerB, .tokenizerBPlain: tokenizerUpdate(scale)
        case .samplingB: sampling(scale)
        }
    }

    private func priorStep(_ scale: Scale) -> TracedProgram {
        let dropout: Float = self == .priorBDropout ? 0.1 : 0
        return PriorProgram.step(
            prior(scale), OptimizerSettings(beta1: 0.9, beta2: 0.96, weightDecay: 0.03, clip: 1), averageHalfLife: 2500,
            batch: batch(scale), microBatch: microBatch(scale), dropout: (dropout, attention: dropout),
            replicas: Replicas(replicas))
    }

    private func tokenizerUpdate(_ scale: Scale) -> TracedProgram {
        let config = Self.tokenizer(scale)
        let small: TokenizerConfig.Network =
            scale == .toy ? network(scale) : .init(width: 512, layers: 7, heads: 8, axes: ReleasedName.ropeAxes.prior)
        var joint = ARConfig(layout: config.layout, network: small, labels: config.labels)
        joint.precision = .bfloat16
        let (tokenizer, model) = (Tokenizer(config, parameters: .meta), ARModel(joint, parameters: .meta))
        let autoencoder = AdamW(tokenizer.parameters, .init(beta1: 0, beta2: 0.99), averageHalfLife: 1000)
        let optimizer = AdamW(model.parameters, .init(beta1: 0.9, beta2: 0.99, weightDecay: 0.03), averageHalfLife: 2500)
        var weights = TokenizerLossSettings()
        (weights.cePrologue, weights.ceVisual) = (3, 3)
        let update = TokenizerUpdate(
            tokenizer, weights: weights, autoencoder: autoencoder, joint: (model, optimizer),
            imageLosses: self == .tokenizerB
                ? ImageLosses(adversary: Self.adversary, perceptual: (PerceptualLoss(LPIPS.meta), weight: 1)) : nil)
        var given = TokenizerUpdate.TracedInputs()
        (given.labels, given.visualDropped, given.prologueNoise) = (true, true, true)
        // Step 1: most have no penalty R1.
        return update.traced(batch: batch(scale), given: given, step: 1)
    }

    private static var adversary: Adversary {
        var settings = AdversarySettings()
        (settings.weight, settings.r1, settings.width, settings.layers) = (0.1, 0.01, 64, 3)
        let discriminator = PatchDiscriminator(channels: 3, width: settings.width, layers: settings.layers, parameters: .meta)
        return Adversary(
            discriminator, settings, optimizer: AdamW(discriminator.parameters, .init(beta1: 0, beta2: 0.99, weightDecay: 1e-4)))
    }

    private func sampling(_ scale: Scale) -> TracedProgram {
        var settings = SamplerSettings()
        settings.precision = .bfloat16
        settings.guidance.scale = 2
        return SamplingProgram(prior(scale), settings, count: batch(scale)).traced
    }
}
