import Models
import NN
import Settings
import TensorCore
import Testing

/// What sets an update of a tiny tokenizer apart.
struct UpdateWay: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var visual = TokenizerConfig.Visual.grid
    var prologue = TokenizerConfig.Prologue.shared
    var hasJoint = true
    var isCoupled = false
    /// Weights of the prologue's and the visual tokens' cross-entropy: one pass for both steps where they are equal.
    var crossEntropies = (0.5, 0.03)
    var trainsPrologueOnly = false
    var quantizers = (visual: TokenizerSettings.Quantizer.vq, prologue: TokenizerSettings.Quantizer.probq)
    var entropy = 0.0
    var entropyTemperature: Double?
    var precision = Precision.float32
    /// Of a discriminator, which comes with a perceptual loss; nil: there are no losses of whole images.
    var adversary: AdversarySettings.Loss?
    /// A perceptual loss without a discriminator.
    var isPerceptual = false
    /// Whether layers are computed again for the gradient.
    var recomputes = false

    static let all = [
        UpdateWay(testDescription: "baseline-2d", prologue: .none, hasJoint: false),
        UpdateWay(testDescription: "baseline-1d", visual: .latent, prologue: .none, hasJoint: false),
        UpdateWay(testDescription: "coupled-2d", prologue: .none, isCoupled: true, crossEntropies: (0, 0.25)),
        UpdateWay(testDescription: "prologue, entropies", entropy: 0.1),
        UpdateWay(testDescription: "prologue, one pass for both steps", crossEntropies: (0.25, 0.25)),
        UpdateWay(testDescription: "prologue-post", prologue: .separate(layers: 1), crossEntropies: (0.5, 0.5), trainsPrologueOnly: true),
        UpdateWay(testDescription: "prologue, layers computed again", recomputes: true),
        UpdateWay(testDescription: "gumbel", quantizers: (.gumbel, .gumbel)),
        UpdateWay(testDescription: "fsq and lfq", quantizers: (.fsq, .lfq)),
        UpdateWay(testDescription: "prologue, losses of images", adversary: .hinge),
        UpdateWay(
            testDescription: "baseline-1d, losses of images", visual: .latent, prologue: .none, hasJoint: false, adversary: .nonSaturating),
    ]
}

/// A tiny tokenizer with its update, the same whenever it is made.
struct UpdateExample {
    let tokenizer: Tokenizer
    let ar: ARModel?
    let update: TokenizerUpdate
    let given: TokenizerUpdate.TracedInputs

    /// - Parameter settings: of all optimisers. Those that are not given have an epsilon above all gradients, which keeps an update
    ///   proportional to the gradient, rounding included.
    init(
        _ way: UpdateWay, microBatch: Int? = nil,
        _ settings: OptimizerSettings = .init(beta1: 0.5, beta2: 0.9, epsilon: 10, weightDecay: 0.01, clip: 0.5)
    ) {
        let network = TokenizerConfig.Network(width: 24, layers: 1, heads: 2, axes: [4, 4, 4])
        var config = TokenizerConfig(
            visual: way.visual, prologue: way.prologue, imageSize: 12, channels: 1, patch: 4, encoder: network, decoder: network,
            codeWidth: 5, codebook: 16, prologueTokens: 3, prologueCodebook: 8, labels: 4)
        if way.isCoupled { config.settings.variant = .coupled2D }
        config.settings.recompute = way.recomputes
        (config.settings.visualQuantizer, config.settings.prologueQuantizer) = way.quantizers
        if way.quantizers.visual == .fsq { (config.settings.visualLevels, config.settings.codebook) = ([4, 4], 16) }
        (config.settings.loss.visualEntropy, config.settings.loss.prologueEntropy) = (way.entropy, way.entropy)
        if let temperature = way.entropyTemperature { config.settings.entropyTemperature = temperature }
        tokenizer = Tokenizer(config, seed: 3)
        var joint = ARConfig(layout: config.layout, network: network, labels: 4)
        joint.recomputes = way.recomputes
        ar = way.hasJoint ? ARModel(joint, stream: RandomStream(seed: 3, "ar")) : nil
        // Away from the initial values, at which gates and affines let next to nothing through.
        var stream = RandomStream(seed: 4, "disturb")
        for parameter in tokenizer.parameters + (ar?.parameters ?? []) {
            parameter.value.overwrite(with: parameter.value.values.map { $0 + 0.1 * stream.normal() })
        }
        var weights = TokenizerLossSettings()
        (weights.cePrologue, weights.ceVisual) = way.crossEntropies
        (weights.visualEntropy, weights.prologueEntropy) = (way.entropy, way.entropy)
        if way.trainsPrologueOnly { (weights.l1, weights.l2, weights.quantizer) = (0, 0, 0) }
        let trained = way.trainsPrologueOnly ? tokenizer.encoder.prologueParameters : tokenizer.parameters
        update = TokenizerUpdate(
            tokenizer, weights: weights, autoencoder: AdamW(trained, settings, averageHalfLife: 5),
            joint: ar.map { ($0, AdamW($0.parameters, settings)) },
            imageLosses: way.adversary.flatMap { Self.imageLosses($0, settings) }
                ?? (way.isPerceptual ? ImageLosses(adversary: nil, perceptual: (Self.perceptual, 0.4)) : nil),
            microBatch: microBatch)
        var given = TokenizerUpdate.TracedInputs()
        given.labels = way.hasJoint
        given.visualDropped = config.layout.hasEOS && way.hasJoint
        given.visualNoise = way.quantizers.visual == .gumbel
        given.prologueNoise = way.quantizers.prologue == .gumbel
        self.given = given
    }

    private static var perceptual: PerceptualLoss {
        PerceptualLoss(
            ImageClassifier(
                .init(imageSize: 12, channels: 1, outputs: 3, width: 4, features: 5),
                parameters: .random(RandomStream(seed: 6, "classifier"))))
    }

    /// A discriminator that begins with step 1 and has R1 at even steps.
    private static func imageLosses(_ loss: AdversarySettings.Loss, _ settings: OptimizerSettings) -> ImageLosses? {
        let discriminator = PatchDiscriminator(channels: 1, width: 3, layers: 2, stream: RandomStream(seed: 9, "discriminator"))
        var stream = RandomStream(seed: 9, "disturb")
        for parameter in discriminator.parameters {
            parameter.value.overwrite(with: parameter.value.values.map { $0 + 0.2 * stream.normal() })
        }
        var adversary = AdversarySettings()
        (adversary.weight, adversary.loss, adversary.startStep) = (0.7, loss, 1)
        (adversary.lecam, adversary.r1, adversary.r1Every) = (0.5, 0.3, 2)
        return ImageLosses(
            adversary: Adversary(discriminator, adversary, optimizer: AdamW(discriminator.parameters, settings)),
            perceptual: (PerceptualLoss([(perceptual, 0.5)]), 0.4))
    }

    var state: [(name: String, tensor: Tensor)] { update.tracedState + update.tracedConstants }
}
