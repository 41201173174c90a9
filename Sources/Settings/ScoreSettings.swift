/// The network in whose feature space scores are measured.
public struct FeatureSettings: SettingsSection {
    public enum Network: String, ChoiceSetting {
        case classifier
        case inception
    }

    public var network = Network.classifier
    public var weights: String?
    public var width = 32
    public var dim = 128
    public var steps = 1500
    public var batch = 64
    public var lr = 1e-3
    public var seed = 0

    public init() {}

    public static let help = "The network whose features scores compare."
    public static let fields: [Field<Self>] = [
        .value(
            "network", \.network,
            "Whose features: a small classifier that is trained on the data set; or the Inception network of published scores, whose "
                + "scores are called `gfid@inception-2015` and say whether they compare with published ones. The keys below are the classifier's, "
                + "which studies of tokens read beside Inception.", isLater: true),
        .value(
            "weights", \.weights,
            "Weights of Inception: a safetensors file under pytorch-fid's names (pt_inception-2015-12-05).", isLater: true,
            when: { $0.network == .inception }),
        .value("width", \.width, "Channels of its first convolution.", .atLeast(1), unit: "channels"),
        .value("dim", \.dim, "Size of its penultimate layer.", .atLeast(1), unit: "features"),
        .value("steps", \.steps, "Training steps.", .atLeast(1), unit: "steps"),
        .value("batch", \.batch, "Images in a training step.", .atLeast(1), unit: "images"),
        .value("lr", \.lr, "Peak learning rate.", .positive),
        .value("seed", \.seed, "Its seed; shared by all runs, so that one feature space measures them.", .atLeast(0)),
    ]
}

/// What samples and reconstructions are scored against.
public struct ScoreSettings: SettingsSection {
    public var referenceCount: Int?
    public var precisionRecall = true
    public var snapshotCount = 1000
    public var moreSeeds: [Int] = []
    public var factorNetwork = false
    public var reference: String?

    public init() {}

    public static let help = "Scores of samples and reconstructions."
    public static let fields: [Field<Self>] = [
        .value(
            "reference_count", \.referenceCount, "Held-out images in the reference; null: all of them.",
            .atLeast(2), unit: "images"),
        .value(
            "reference", \.reference,
            "What samples are compared with instead of held-out images: an `.npz` of ADM's form, images in `arr_0` and statistics "
                + "of Inception's features in `mu`, `sigma`, `mu_s`, `sigma_s`. Needs `features.network: inception`.", isLater: true),
        .value(
            "precision_recall", \.precisionRecall,
            "Measure precision and recall of samples, which compares every sample with every reference image."),
        .value(
            "more_seeds", \.moreSeeds,
            "Seeds of further classifiers, trained like that of `features`, in whose features everything is compared as well: "
                + "`gfid@…-s1.nocfg`. What depends on one network's seed shows there.", .atLeast(0), isLater: true),
        .value(
            "factor_network", \.factorNetwork,
            "Compare as well in the features of a network that was trained to tell recorded factors (hue, place, size …) instead of "
                + "the class: `gfid@…-factors.nocfg`. Needs a data set that has them (shapes).", isLater: true),
        .value(
            "snapshot_count", \.snapshotCount,
            "Samples that each of `prior.snapshots` is scored on, with the class and as many without it.", .atLeast(2),
            unit: "images"),
    ]
}
