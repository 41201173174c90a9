/// Stage 1: encoder, quantizers, decoder and the small joint AR model (METHOD §3, §4).
public struct TokenizerSettings: SettingsSection {
    public enum Variant: String, ChoiceSetting {
        case baseline1D = "baseline-1d"
        case baseline2D = "baseline-2d"
        case coupled1D = "coupled-1d"
        case coupled2D = "coupled-2d"
        case prologue
        case prologuePost = "prologue-post"
        case prologueOneStage = "prologue-onestage"

        /// Whether there are prologue tokens.
        public var hasPrologue: Bool { [.prologue, .prologuePost, .prologueOneStage].contains(self) }
        /// Whether the visual tokens are learned queries rather than patches.
        public var isLatent: Bool { self == .baseline1D || self == .coupled1D }
        /// Whether an AR model's cross-entropy reaches the visual tokens themselves.
        public var isCoupled: Bool { self == .coupled1D || self == .coupled2D }
        /// Whether an AR model is trained beside the tokenizer.
        public var hasJointAR: Bool { hasPrologue || isCoupled }
    }

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
    public var prologueTokens = 8
    public var prologueCodebook = 256
    public var prologueTemperature = 0.1
    public var prologueEncoderLayers = 2
    public var couplingTemperature = 1.0
    public var commitment = 0.25
    public var visualDropout = 0.5
    public var loss = TokenizerLossSettings()
    public var jointAr = JointARSettings()
    public var steps = 2000
    public var batch = 64
    public var optimizer = OptimizerSettings()
    public var emaHalfLife = 200.0
    public var flip = false
    public var checkpointEvery = 200
    public var logEvery = 20

    public init() {}

    /// The decoder's sizes, those of the encoder where not given apart.
    public var decoderSize: (dim: Int, layers: Int, heads: Int) {
        (decoderDim ?? dim, decoderLayers ?? layers, decoderHeads ?? heads)
    }

    public static let help = "Stage 1: the image tokenizer with its joint AR model."
    public static let fields: [Field<Self>] = [
        .value("from", \.from,
            "A tokenizer to take as it is: the id of a tokenizer stage (or its beginning), or the folder of a released "
                + "checkpoint; what describes the tokenizer is then taken from there. Null: train one."),
        .value("variant", \.variant, "Which tokens there are and who trains them."),
        .value("patch", \.patch, "Side of a patch; one visual token each.", .atLeast(1), unit: "pixels"),
        .value("dim", \.dim, "Width of the encoder.", .atLeast(2), unit: "channels"),
        .value("layers", \.layers, "Transformer layers of the encoder.", .atLeast(1)),
        .value("heads", \.heads, "Attention heads of the encoder.", .atLeast(1)),
        .value("decoder_dim", \.decoderDim, "Width of the decoder; null: as the encoder.",
            .atLeast(2), unit: "channels"),
        .value("decoder_layers", \.decoderLayers, "Layers of the decoder; null: as the encoder.", .atLeast(1)),
        .value("decoder_heads", \.decoderHeads, "Heads of the decoder; null: as the encoder.", .atLeast(1)),
        .value("rope_axes", \.ropeAxes,
            "Share of each head rotated by each of the three position axes; even, their sum is the head width.",
            .atLeast(0), count: 3, unit: "channels"),
        .value("cond_dim", \.condDim, "Width of the condition embedding.", .atLeast(1), unit: "channels"),
        .value("z_dim", \.zDim, "Width of the codes.", .atLeast(1), unit: "channels"),
        .value("codebook", \.codebook, "Visual codes.", .atLeast(2), unit: "codes"),
        .value("prologue_tokens", \.prologueTokens, "Prologue tokens K.", .atLeast(0), unit: "tokens"),
        .value("prologue_codebook", \.prologueCodebook, "Prologue codes.", .atLeast(2), unit: "codes"),
        .value("prologue_temperature", \.prologueTemperature,
            "Temperature τ of the prologue quantizer's softmax over cosines.",
            .positive),
        .value("prologue_encoder_layers", \.prologueEncoderLayers,
            "Layers of the prologue encoder of its own (`prologue-post`).", .atLeast(1)),
        .value("coupling_temperature", \.couplingTemperature,
            "Temperature τ through which the cross-entropy reaches visual tokens (`coupled-*`).", .positive),
        .value("commitment", \.commitment, "Weight of the visual quantizer's commitment term.", .atLeast(0)),
        .value("visual_dropout", \.visualDropout,
            "Share of a batch whose visual inputs to the joint AR model become EOS.",
            .fraction),
        .section("loss", \.loss),
        .section("joint_ar", \.jointAr),
        .value("steps", \.steps, "Training steps, a pair of steps A and B counted once.", .atLeast(1), unit: "steps"),
        .value("batch", \.batch, "Images in a training step.", .atLeast(1), unit: "images"),
        .section("optimizer", \.optimizer),
        .value("ema_half_life", \.emaHalfLife, "Half-life of the averaged weights.", .positive, unit: "steps"),
        .value("flip", \.flip, "Mirror half of the training images left to right."),
        .value("checkpoint_every", \.checkpointEvery, "Steps between checkpoints.",
            .atLeast(1), unit: "steps", affectsResults: false),
        .value("log_every", \.logEvery, "Steps between rows of the metrics file.",
            .atLeast(1), unit: "steps", affectsResults: false),
    ]
}

/// Weights of the terms of step A.
public struct TokenizerLossSettings: SettingsSection {
    public var l1 = 1.0
    public var l2 = 1.0
    public var quantizer = 1.0
    public var cePrologue = 0.25
    public var ceVisual = 0.25
    public var ceCoupled = 0.03

    public init() {}

    public static let help = "Weights of the terms of step A."
    public static let fields: [Field<Self>] = [
        .value("l1", \.l1, "Mean absolute error.", .atLeast(0)),
        .value("l2", \.l2, "Mean squared error.", .atLeast(0)),
        .value("quantizer", \.quantizer, "Visual quantizer loss.", .atLeast(0)),
        .value("ce_prologue", \.cePrologue, "Cross-entropy of the prologue tokens and EOS.", .atLeast(0)),
        .value("ce_visual", \.ceVisual, "Cross-entropy of the visual tokens that follow a prologue.", .atLeast(0)),
        .value("ce_coupled", \.ceCoupled, "Cross-entropy of visual tokens that it reaches directly (`coupled-*`).",
            .atLeast(0)),
    ]
}

/// The small unconditional AR model that is trained beside the tokenizer in step B.
public struct JointARSettings: SettingsSection {
    public var dim = 96
    public var layers = 3
    public var heads = 3
    public var ropeAxes = [12, 12, 8]
    public var tied = false
    public var weightDecay = 0.03

    public init() {}

    public static let help = "The joint AR model, trained in step B beside the tokenizer; unconditional."
    public static let fields: [Field<Self>] = [
        .value("dim", \.dim, "Width.", .atLeast(2), unit: "channels"),
        .value("layers", \.layers, "Transformer layers.", .atLeast(1)),
        .value("heads", \.heads, "Attention heads.", .atLeast(1)),
        .value("rope_axes", \.ropeAxes,
            "Share of each head rotated by each position axis; even, their sum is the head width.",
            .atLeast(0), count: 3, unit: "channels"),
        .value("tied", \.tied, "The head shares its weights with the embedding table."),
        .value("weight_decay", \.weightDecay, "Decoupled decay of its matrices.", .atLeast(0)),
    ]
}
