/// Stage 1: encoder, quantizers, decoder and the small joint AR model (method §3, §4).
public struct TokenizerSettings: SettingsSection {
    public var from: String?
    public var variant = Variant.prologue
    public var patch = 4
    public var dim = 96
    public var layers = 3
    public var heads = 3
    public var decoderDim: Int?
    public var decoderLayers: Int?
    public var decoderHeads: Int?
    public var ropeAxes = [8, 12, 12]
    public var condDim = 32
    public var zDim = 14
    public var codebook = 512
    public var visualQuantizer = Quantizer.vq
    public var visualTemperature = 0.1
    public var visualLevels = [8, 8, 8]
    public var visualRestart: Int?
    public var prologueTokens = 8
    public var prologueCodebook = 256
    public var prologueQuantizer = Quantizer.probq
    public var prologueTemperature = 0.1
    public var prologueLevels = [8, 8, 4]
    public var prologueRestart: Int?
    public var prologueEncoder: PrologueEncoder?
    public var prologueEncoderLayers = 2
    public var prologueEncoderDim: Int?
    public var prologueEncoderHeads: Int?
    public var eos = true
    public var gumbelTemperature = 1.0
    public var entropyTemperature = 0.01
    public var couplingTemperature = 1.0
    public var commitment = 0.25
    public var visualDropout = 0.5
    public var loss = TokenizerLossSettings()
    public var gan = AdversarySettings()
    public var perceptual = PerceptualSettings()
    public var jointAr = JointARSettings()
    public var precision = Precision.float32
    public var ema = true
    public var flip = false
    public var crop = Crop.centre
    public var cropMin = 0.8
    public var training = TrainingSettings(steps: 2000)
    public var baseSteps: Int?
    public var microBatch: Int?
    public var recompute = false

    public init() {}

    /// The decoder's sizes, those of the encoder where not given apart.
    public var decoderSize: (dim: Int, layers: Int, heads: Int) {
        (decoderDim ?? dim, decoderLayers ?? layers, decoderHeads ?? heads)
    }

    /// Sizes of a prologue encoder of its own, width and heads those of the encoder where not given apart.
    public var prologueEncoderSize: (dim: Int, layers: Int, heads: Int) {
        (prologueEncoderDim ?? dim, prologueEncoderLayers, prologueEncoderHeads ?? heads)
    }

    /// Whether there are prologue tokens: none are also had with K = 0.
    public var hasPrologue: Bool { variant.hasPrologue && prologueTokens > 0 }

    /// Where prologue tokens come from in this variant.
    public var resolvedPrologueEncoder: PrologueEncoder { prologueEncoder ?? (variant.isFrozen ? .separate : .shared) }

    public static let help = "Stage 1: the image tokenizer with its joint AR model."
    public static let fields =
        networks + Field.included(TrainingSettings.course, \.training) + base + parts + images
        + Field.included(TrainingSettings.records, \.training)

    private static let networks: [Field<Self>] = [
        .value(
            "from", \.from,
            "A tokenizer to take as it is: the id of a tokenizer stage (or its beginning), or the folder of a released "
                + "checkpoint; what describes the tokenizer is then taken from there. Null: train one.", isLater: true),
        .value("variant", \.variant, "Which tokens there are and who trains them."),
        .value("patch", \.patch, "Side of a patch; one visual token each.", .atLeast(1), unit: "pixels"),
        .value("dim", \.dim, "Width of the encoder.", .atLeast(2), unit: "channels"),
        .value("layers", \.layers, "Transformer layers of the encoder.", .atLeast(1)),
        .value("heads", \.heads, "Attention heads of the encoder.", .atLeast(1)),
        .value(
            "decoder_dim", \.decoderDim, "Width of the decoder; null: as the encoder.",
            .atLeast(2), unit: "channels"),
        .value("decoder_layers", \.decoderLayers, "Layers of the decoder; null: as the encoder.", .atLeast(1)),
        .value("decoder_heads", \.decoderHeads, "Heads of the decoder; null: as the encoder.", .atLeast(1)),
        .value(
            "rope_axes", \.ropeAxes,
            "Share of each head rotated by each of the three position axes; even, their sum is the head width.",
            .atLeast(0), count: 3, unit: "channels"),
        .value("cond_dim", \.condDim, "Width of the condition embedding.", .atLeast(1), unit: "channels"),
        .value(
            "z_dim", \.zDim, "Width of the codes.", .atLeast(1), unit: "channels",
            when: { $0.quantizers.contains(where: \.isLearned) }),
        .value("codebook", \.codebook, "Visual codes.", .atLeast(2), unit: "codes"),
        .value(
            "visual_quantizer", \.visualQuantizer, "How visual codes are chosen; `lfq` needs a power of two of them.",
            isLater: true),
        .value(
            "visual_temperature", \.visualTemperature,
            "Temperature τ of a visual quantizer that is trained through a softmax (`probq`, `gumbel`).", .positive,
            isLater: true, when: { $0.visualQuantizer == .probq || $0.visualQuantizer == .gumbel }),
        .value(
            "visual_levels", \.visualLevels,
            "Levels of each channel of a visual `fsq`; their product is the number of codes.", .atLeast(3),
            isLater: true, when: { $0.visualQuantizer == .fsq }),
        .value(
            "visual_restart", \.visualRestart,
            "A visual code unused for so many steps restarts at a token of the batch; null: never.", .atLeast(1),
            unit: "steps", isLater: true, when: { !$0.variant.isFrozen }),
        .value(
            "prologue_tokens", \.prologueTokens,
            "Prologue tokens K; with 0 every variant with a prologue is `baseline-2d`.", .atLeast(0), unit: "tokens",
            when: { $0.hasPrologue }),
        .value(
            "prologue_codebook", \.prologueCodebook, "Prologue codes.", .atLeast(2), unit: "codes",
            when: { $0.hasPrologue }),
        .value(
            "prologue_quantizer", \.prologueQuantizer,
            "How prologue codes are chosen; cross-entropy reaches them through a softmax over the codes in any case.",
            isLater: true, when: { $0.hasPrologue }),
        .value(
            "prologue_temperature", \.prologueTemperature,
            "Temperature τ of the prologue quantizer's softmax over cosines.",
            .positive, when: { $0.hasPrologue }),
        .value(
            "prologue_levels", \.prologueLevels,
            "Levels of each channel of a prologue's `fsq`; their product is the number of codes.", .atLeast(3),
            isLater: true, when: { $0.hasPrologue && $0.prologueQuantizer == .fsq }),
        .value(
            "prologue_restart", \.prologueRestart,
            "A prologue code unused for so many steps restarts at a token of the batch; null: never.", .atLeast(1),
            unit: "steps", isLater: true, when: { $0.hasPrologue }),
        .value(
            "prologue_encoder", \.prologueEncoder,
            "Prologue tokens from the visual encoder or from one of their own that reads its hidden states; null: shared, in "
                + "`prologue-post` separate.", isLater: true,
            when: { $0.hasPrologue && $0.prologueEncoder == .separate && !$0.variant.isFrozen }),
        .value(
            "prologue_encoder_layers", \.prologueEncoderLayers, "Layers of a separate prologue encoder.", .atLeast(1),
            when: { $0.hasSeparatePrologue }),
        .value(
            "prologue_encoder_dim", \.prologueEncoderDim, "Width of a separate prologue encoder; null: as the encoder.",
            .atLeast(2), unit: "channels", isLater: true, when: { $0.hasSeparatePrologue }),
        .value(
            "prologue_encoder_heads", \.prologueEncoderHeads, "Its attention heads; null: as the encoder.", .atLeast(1),
            isLater: true, when: { $0.hasSeparatePrologue }),
        .value(
            "eos", \.eos, "An EOS token between prologue and image; without one there is no visual dropout.",
            isLater: true, when: { $0.hasPrologue }),
        .value(
            "gumbel_temperature", \.gumbelTemperature,
            "Temperature τ' of the relaxation of `gumbel` quantizers, on top of τ.", .positive, isLater: true,
            when: { $0.quantizers.contains(.gumbel) }),
        .value(
            "entropy_temperature", \.entropyTemperature, "Temperature of the assignments whose entropies are a loss.",
            .positive, isLater: true, when: { $0.hasEntropyLoss }),
        .value(
            "coupling_temperature", \.couplingTemperature,
            "Temperature τ through which the cross-entropy reaches visual tokens (`coupled-*`).", .positive,
            when: { $0.variant.isCoupled }),
        .value(
            "commitment", \.commitment, "Weight β of the commitment term of `vq` and `lfq`.", .atLeast(0),
            when: { $0.quantizers.contains(where: \.hasLoss) }),
        .value(
            "visual_dropout", \.visualDropout,
            "Share of a batch whose visual inputs to the joint AR model become EOS.",
            .fraction, when: { $0.hasPrologue }),
        .section("loss", \.loss),
        .section("gan", \.gan, when: { $0.usesAdversary }),
        .section("perceptual", \.perceptual, when: { $0.usesPerceptual }),
        .section("joint_ar", \.jointAr, when: { $0.variant.joint != .none }),
        .value(
            "precision", \.precision,
            "What the products of the transformer layers of encoder, decoder and joint AR model multiply, in training and "
                + "afterwards; `bfloat16` is faster and takes less memory.", isLater: true),
    ]

    /// Read by the stage of the frozen tokenizer, as its steps.
    private static let base: [Field<Self>] = [
        .value(
            "base_steps", \.baseSteps, "Training steps of the frozen 2D tokenizer of `prologue-post`; null: as `steps`.", .atLeast(1),
            unit: "steps", isLater: true, when: { _ in false })
    ]

    private static let parts: [Field<Self>] = [
        .value(
            "micro_batch", \.microBatch,
            "Images of a step's batch that are computed at a time, a divisor of `batch`: less memory, the same step to rounding. "
                + "Neither a discriminator nor entropies can be trained so, which need the whole batch. Null: all.", .atLeast(1),
            unit: "images", affectsResults: false),
        .value(
            "recompute", \.recompute,
            "Keep only what goes into each transformer layer, and compute the layer again for the gradient: less memory, about a third "
                + "more work, the same step; on a device to rounding.", affectsResults: false),
    ]

    /// What is read of the averages, and what training sees of pictures.
    private static let images: [Field<Self>] = [
        .value(
            "ema", \.ema,
            "What follows (tokens, reconstructions, decoding, `prologue-post`) reads the averaged weights; false: the last "
                + "trained.", isLater: true, when: { _ in false }),
        .value("flip", \.flip, "Mirror half of the training images left to right."),
        .value(
            "crop", \.crop,
            "What a training step sees of a picture: its middle; or a square at random, its scale included. "
                + "Held-out images always show their middle.",
            when: { $0.crop == .random }),
        .value(
            "crop_min", \.cropMin, "Smallest share of the shorter edge that a random crop covers.",
            Bounds(lower: 0.1, upper: 1), unit: "share",
            when: { $0.crop == .random }),
    ]
}
