import Files

/// Everything that one run is made from: a sweep's cell, resolved, with every default filled in.
public struct RunSettings: SettingsSection {
    public var data = DataSettings()
    public var features = FeatureSettings()
    public var tokenizer = TokenizerSettings()
    public var tokens = TokenSettings()
    public var prior = PriorSettings()
    public var sampling = SamplingSettings()
    public var scores = ScoreSettings()
    public var tuning = TuningSettings()
    public var probe = ProbeSettings()
    public var resample = ResampleSettings()
    public var semantics = SemanticsSettings()
    public var checkpoints: String?
    /// The replicate this run is: what comparisons pair by and average over.
    public var seed = 0
    public var seeds = SeedSettings()

    public init() {}

    public static let help = "Settings of a run."
    public static let fields: [Field<Self>] = [
        .section("data", \.data),
        .section("features", \.features),
        .section("tokenizer", \.tokenizer),
        .section("tokens", \.tokens),
        .section("prior", \.prior),
        .section("sampling", \.sampling),
        .section("scores", \.scores),
        .section("tuning", \.tuning),
        .section("probe", \.probe),
        .section("resample", \.resample),
        .section("semantics", \.semantics),
        .value(
            "checkpoints", \.checkpoints,
            "Folder of published checkpoints, each in a folder known by its name (`tokenizer-b`, `ar-b-xl`); `tokenizer.from: released:b` and "
                + "`prior.from: released:b-xl` take them from there.", affectsResults: false),
        .value("seed", \.seed, "The replicate this run is; set by `seeds`.", .atLeast(0)),
        .section("seeds", \.seeds),
    ]
}

/// Which random stream each stage draws from.
public struct SeedSettings: SettingsSection {
    public var tokenizer = 0
    public var prior = 0
    public var sampler = 0

    public init() {}

    public static let help = "Seeds of the stages; all equal to the run's seed unless `seeds` names them apart."
    public static let fields: [Field<Self>] = [
        .value(
            "tokenizer", \.tokenizer, "Seed of the tokenizer's initialisation, data order and dropout.",
            .atLeast(0)),
        .value("prior", \.prior, "Seed of the prior's initialisation, data order and dropout.", .atLeast(0)),
        .value("sampler", \.sampler, "Seed of sampling.", .atLeast(0)),
    ]
}
