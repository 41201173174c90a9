/// The discriminator of a tokenizer's reconstructions (method §4.4).
public struct AdversarySettings: SettingsSection {
    public enum Loss: String, ChoiceSetting {
        case vanilla
        case hinge
        case nonSaturating = "non-saturating"
    }

    public var weight = 0.0
    public var loss = Loss.vanilla
    public var startStep = 0
    public var lecam = 0.001
    public var width = 32
    public var layers = 2
    public var learningRate: Double?

    public init() {}

    public static let help = "A PatchGAN discriminator of reconstructions, trained in step B; its generator loss is a term of step A."
    public static let fields: [Field<Self>] = [
        .value("weight", \.weight, "Weight of the generator's loss in step A; 0: no discriminator. The paper's is 0.1.",
            .atLeast(0)),
        .value("loss", \.loss, "Loss of the logits D: cross-entropy with generator −D (vanilla) or −log σ(D) (non-saturating), or "
            + "the hinge with −D."),
        .value("start_step", \.startStep, "First step with a generator loss and a discriminator that learns.",
            .atLeast(0), unit: "steps"),
        .value("lecam", \.lecam, "Weight of the LeCam regularisation of the discriminator; 0: none.", .atLeast(0)),
        .value("width", \.width, "Channels of its first convolution; the paper's are 64.", .atLeast(1), unit: "channels"),
        .value("layers", \.layers, "Its convolutions of stride 2; the paper's are 3.", .between(1, 8)),
        .value("learning_rate", \.learningRate, "Peak learning rate, on the tokenizer's schedule; null: the tokenizer's own.", .positive),
    ]
}

/// The distance of reconstructions to originals in a network's layers.
public struct PerceptualSettings: SettingsSection {
    public enum Network: String, ChoiceSetting {
        case classifier
        case lpips
    }

    public var weight = 0.0
    public var network = Network.classifier
    public var seed = 1
    public var weights: String?

    public init() {}

    public static let help = "Distance of reconstructions to originals in the layers of a network, a term of step A."
    public static let fields: [Field<Self>] = [
        .value("weight", \.weight, "Its weight; 0: none. The paper's is 1, with `lpips`.", .atLeast(0)),
        .value("network", \.network, "A classifier of the data set, trained as `features` says, or LPIPS on VGG-16."),
        .value("seed", \.seed, "Seed of that classifier. With `features.seed` it is the network of the scores, which then flatter.",
            .atLeast(0)),
        .value("weights", \.weights, "Safetensors file for `lpips`: torchvision's `features.N.weight` and `.bias` of vgg16, lpips' "
            + "`lin0.model.1.weight` to `lin4.model.1.weight`."),
    ]
}
