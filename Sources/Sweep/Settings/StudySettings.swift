/// What samples and reconstructions are scored against.
public struct ScoreSettings: SettingsSection {
    public var referenceCount: Int?
    public var precisionRecall = true

    public init() {}

    public static let help = "Scores of samples and reconstructions."
    public static let fields: [Field<Self>] = [
        .value("reference_count", \.referenceCount, "Held-out images in the reference; null: all of them.",
            .atLeast(2), unit: "images"),
        .value("precision_recall", \.precisionRecall,
            "Measure precision and recall of samples, which compares every sample with every reference image."),
    ]
}

/// The linear probe on token codes.
public struct ProbeSettings: SettingsSection {
    public var enabled = true
    public var trainCount = 10_000
    public var testCount: Int?
    public var l2Grid = [1e-4, 1e-3, 1e-2, 1e-1]
    public var seed = 0

    public init() {}

    public static let help = "Linear probe: multinomial logistic regression from codes to class."
    public static let fields: [Field<Self>] = [
        .value("enabled", \.enabled, "Run the probe."),
        .value("train_count", \.trainCount, "Training images the probe is fitted on.", .atLeast(2), unit: "images"),
        .value("test_count", \.testCount, "Held-out images it is tested on; null: all.", .atLeast(1), unit: "images"),
        .value("l2_grid", \.l2Grid,
            "Strengths of the L2 penalty that are tried; chosen on a part of the training images.",
            .atLeast(0)),
        .value("seed", \.seed, "Seed of the split that chooses the penalty.", .atLeast(0)),
    ]
}

/// The picture of fixed prologue tokens with resampled visual ones.
public struct ResampleSettings: SettingsSection {
    public var enabled = true
    public var rows = 6
    public var columns = 8
    public var temperature = 1.0
    public var unconditional = false

    public init() {}

    public static let help = "Fixed prologue, resampled visual tokens: the images of a row share their prologue."
    public static let fields: [Field<Self>] = [
        .value("enabled", \.enabled, "Make the picture."),
        .value("rows", \.rows, "Prologues.", .atLeast(1)),
        .value("columns", \.columns, "Images for each prologue.", .atLeast(1)),
        .value("temperature", \.temperature, "Temperature of the visual tokens.", .positive),
        .value("unconditional", \.unconditional, "Resample without giving the class."),
    ]
}
