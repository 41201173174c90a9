/// The classifier in whose feature space the in-domain scores are measured.
public struct FeatureSettings: SettingsSection {
    public var width = 32
    public var dim = 128
    public var steps = 1500
    public var batch = 64
    public var lr = 1e-3
    public var seed = 0

    public init() {}

    public static let help = "The small classifier whose penultimate layer is the feature space of in-domain scores."
    public static let fields: [Field<Self>] = [
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

    public init() {}

    public static let help = "Scores of samples and reconstructions."
    public static let fields: [Field<Self>] = [
        .value(
            "reference_count", \.referenceCount, "Held-out images in the reference; null: all of them.",
            .atLeast(2), unit: "images"),
        .value(
            "precision_recall", \.precisionRecall,
            "Measure precision and recall of samples, which compares every sample with every reference image."),
        .value(
            "snapshot_count", \.snapshotCount,
            "Samples that each of `prior.snapshots` is scored on, with the class and as many without it.", .atLeast(2),
            unit: "images"),
    ]
}
