/// Weights of the terms of step A.
public struct TokenizerLossSettings: SettingsSection {
    public var l1 = 1.0
    public var l2 = 1.0
    public var quantizer = 1.0
    public var prologueQuantizer = 1.0
    public var visualEntropy = 0.0
    public var prologueEntropy = 0.0
    public var cePrologue = 0.25
    public var ceVisual = 0.25
    public var ceCoupled = 0.03

    public init() {}

    public static let help = "Weights of the terms of step A."
    public static let fields: [Field<Self>] = [
        .value("l1", \.l1, "Mean absolute error.", .atLeast(0)),
        .value("l2", \.l2, "Mean squared error.", .atLeast(0)),
        .value("quantizer", \.quantizer, "Visual quantizer loss.", .atLeast(0)),
        .value(
            "prologue_quantizer", \.prologueQuantizer, "Loss of a prologue quantizer that has one (`vq`, `lfq`).",
            .atLeast(0), isLater: true),
        .value(
            "visual_entropy", \.visualEntropy,
            "Sample minus batch entropy of visual codes: decided tokens, codes used evenly.", .atLeast(0), isLater: true),
        .value("prologue_entropy", \.prologueEntropy, "The same of prologue codes.", .atLeast(0), isLater: true),
        .value("ce_prologue", \.cePrologue, "Cross-entropy of the prologue tokens and EOS.", .atLeast(0)),
        .value("ce_visual", \.ceVisual, "Cross-entropy of the visual tokens that follow a prologue.", .atLeast(0)),
        .value(
            "ce_coupled", \.ceCoupled, "Cross-entropy of visual tokens that it reaches directly (`coupled-*`).",
            .atLeast(0)),
    ]
}

/// The discriminator of a tokenizer's reconstructions (method §4.4).
public struct AdversarySettings: SettingsSection {
    public enum Loss: String, ChoiceSetting {
        /// Discriminator ½(mean softplus(−D) + mean softplus(D̂)), generator −mean D̂, as in VQGAN; D real, D̂ rebuilt.
        case vanilla
        /// Discriminator ½(mean max(0, 1−D) + mean max(0, 1+D̂)), generator −mean D̂ (Lim and Ye 2017).
        case hinge
        /// The discriminator of `vanilla`, generator mean softplus(−D̂) (Goodfellow et al. 2014).
        case nonSaturating = "non-saturating"
    }

    public var weight = 0.0
    public var loss = Loss.vanilla
    public var startStep = 0
    public var lecam = 0.001
    public var r1 = 0.0
    public var r1Every = 25
    public var width = 32
    public var layers = 2
    public var learningRate: Double?
    public var weightDecay = 0.0

    public init() {}

    public static let help = "A PatchGAN discriminator of reconstructions, trained in step B; its generator loss is a term of step A."
    public static let fields: [Field<Self>] = [
        .value(
            "weight", \.weight, "Weight of the generator's loss in step A; 0: no discriminator. The paper's is 0.1.",
            .atLeast(0)),
        .value(
            "loss", \.loss,
            "Loss of the logits D: cross-entropy with generator −D (vanilla) or −log σ(D) (non-saturating), or "
                + "the hinge with −D."),
        .value(
            "start_step", \.startStep, "First step with a generator loss and a discriminator that learns.",
            .atLeast(0), unit: "steps"),
        .value("lecam", \.lecam, "Weight of the LeCam regularisation of the discriminator; 0: none.", .atLeast(0)),
        .value(
            "r1", \.r1,
            "Weight of the penalty R1: half the squared norm of the gradient of a real image's logits, mean over the batch; 0: none. "
                + "The paper's is 0.01.", .atLeast(0), isLater: true),
        .value("r1_every", \.r1Every, "R1 is a term of every so many steps.", .atLeast(1), unit: "steps", isLater: true),
        .value("width", \.width, "Channels of its first convolution; the paper's are 64.", .atLeast(1), unit: "channels"),
        .value("layers", \.layers, "Its convolutions of stride 2; the paper's are 3.", .between(1, 8)),
        .value("learning_rate", \.learningRate, "Peak learning rate, on the tokenizer's schedule; null: the tokenizer's own.", .positive),
        .value(
            "weight_decay", \.weightDecay, "Decoupled decay of its convolutions; the paper's is 1e-4.", .atLeast(0), isLater: true),
    ]
}

/// The distance of reconstructions to originals in a network's layers.
public struct PerceptualSettings: SettingsSection {
    public enum Network: String, ChoiceSetting {
        case classifier
        case lpips
        case convnext
        /// LPIPS and a tenth of ConvNeXt's.
        case both

        public var usesLPIPS: Bool { self == .lpips || self == .both }
        public var usesConvNeXt: Bool { self == .convnext || self == .both }
    }

    /// Weight of the distance of ConvNeXt's logits beside LPIPS, in `both`.
    public static let convnextShare = 0.1

    public var weight = 0.0
    public var network = Network.classifier
    public var seed = 1
    public var weights: String?
    public var convnextWeights: String?

    public init() {}

    public static let help = "Distance of reconstructions to originals in the layers of a network, a term of step A."
    public static let fields: [Field<Self>] = [
        .value("weight", \.weight, "Its weight; 0: none. The paper's is 1.", .atLeast(0)),
        .value(
            "network", \.network,
            "A classifier of the data set, trained as `features` says; LPIPS on VGG-16, as the paper's B and baselines; the mean squared "
                + "difference of ConvNeXt-S's logits, as its L; or LPIPS and 0.1 of that."),
        .value(
            "seed", \.seed, "Seed of that classifier. With `features.seed` it is the network of the scores, which then flatter.",
            .atLeast(0)),
        .value(
            "weights", \.weights,
            "Safetensors file for `lpips` and `both`: torchvision's `features.N.weight` and `.bias` of vgg16, lpips' "
                + "`lin0.model.1.weight` to `lin4.model.1.weight`."),
        .value(
            "convnext_weights", \.convnextWeights,
            "Safetensors file for `convnext` and `both`: torchvision's convnext_small (IMAGENET1K_V1) under its own names.",
            isLater: true),
    ]
}

/// The small AR model that is trained beside the tokenizer in step B; unconditional unless its label drop is lowered.
public struct JointARSettings: ARNetworkSettings {
    public var dim = 96
    public var layers = 3
    public var heads = 3
    public var ropeAxes = [12, 12, 8]
    public var tied = false
    public var positions = ARPositions.sequence
    public var labelDrop = 1.0
    public var weightDecay = 0.03
    public var beta1: Double?
    public var beta2: Double?
    public var emaHalfLife: Double?

    public init() {}

    public static let help = "The joint AR model, trained in step B beside the tokenizer."
    public static let fields: [Field<Self>] =
        sizes + tokens + [
            .value(
                "label_drop", \.labelDrop,
                "Share of its training labels replaced by the unconditional one; 1: unconditional.", .fraction, isLater: true),
            .value("weight_decay", \.weightDecay, "Decoupled decay of its matrices.", .atLeast(0)),
        ] + course

    /// How it is trained, also where it is the prior itself (`prologue-onestage`), which has the prior's sizes and decay.
    static let course: [Field<Self>] = [
        .value(
            "beta1", \.beta1, "Decay of its first moment; null: the tokenizer's. The paper's is 0.9.", .fractionBelowOne,
            isLater: true),
        .value(
            "beta2", \.beta2, "Decay of its second moment; null: the tokenizer's. The paper's is 0.99.", .fractionBelowOne,
            isLater: true),
        .value(
            "ema_half_life", \.emaHalfLife, "Half-life of its averaged weights; null: the tokenizer's. The paper's is 2500.",
            .positive, unit: "steps", isLater: true),
    ]
}
