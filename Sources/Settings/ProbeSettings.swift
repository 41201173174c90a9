/// Which tokens a probe reads.
public enum ProbedTokens: String, ChoiceSetting {
    /// The prologue tokens, where there are any.
    case prologue
    /// The first visual tokens, as many as the prologue has: in a raster tokenizer the top of the image.
    case first
    /// As many random visual tokens.
    case random
    /// Means of visual tokens over as many cells of a coarse grid.
    case pooled
    /// All visual tokens.
    case all
    /// Curves over the number of tokens: every prefix of the prologue; 1, 2, 4 … visual tokens: first, random, pooled ones.
    case prefixes
}

/// What a probe reads of a token.
public enum ProbedFeature: String, ChoiceSetting {
    /// Code vectors, concatenated.
    case codes
    /// The mean of the code vectors.
    case mean
    /// Indices, one-hot.
    case onehot
    /// What the quantizer was given.
    case points
    /// Embeddings of the prior.
    case embeddings
}

/// What a probe's accuracy is set against.
public enum ProbeControl: String, ChoiceSetting {
    /// Always the most frequent class.
    case majority
    /// Labels of the training images, shuffled.
    case shuffled
    /// A tokenizer with its initial weights.
    case untrained
}

/// How a probe's linear classifier is fitted.
public enum ProbeClassifier: String, ChoiceSetting {
    /// Multinomial logistic regression to convergence, on standardised features, its penalty chosen on a validation split.
    case logistic
    /// The linear head of masked autoencoders: batch norm without affine weights, LARS, a cosine schedule with warm-up.
    case mae
}

/// The linear probe on tokens.
public struct ProbeSettings: SettingsSection {
    public var enabled = true
    public var tokens: [ProbedTokens] = [.prologue, .first, .random]
    public var features: [ProbedFeature] = [.codes]
    public var controls: [ProbeControl] = []
    public var classifier = ProbeClassifier.logistic
    public var trainCount = 10_000
    public var testCount: Int?
    public var l2Grid = [1e-4, 1e-3, 1e-2, 1e-1]
    public var counts: [Int] = []
    public var seed = 0

    public init() {}

    /// The same with all tokens, features and controls: what the semantic studies ask for.
    public var wide: ProbeSettings {
        var wide = self
        (wide.enabled, wide.tokens, wide.features, wide.controls) =
            (true, ProbedTokens.allCases, ProbedFeature.allCases, ProbeControl.allCases)
        return wide
    }

    public static let help = "Linear probe: a linear classifier from tokens to class."
    public static let fields: [Field<Self>] = [
        .value("enabled", \.enabled, "Run the probe."),
        .value("tokens", \.tokens, "Sets of tokens that are probed."),
        .value("features", \.features, "What is read of the tokens."),
        .value("controls", \.controls, "What accuracies are set against."),
        .value(
            "classifier", \.classifier,
            "How the linear classifier is fitted: to convergence with a chosen penalty, or as masked autoencoders are probed.",
            isLater: true),
        .value("train_count", \.trainCount, "Training images the probe is fitted on.", .atLeast(2), unit: "images"),
        .value("test_count", \.testCount, "Held-out images it is tested on; null: all.", .atLeast(1), unit: "images"),
        .value(
            "l2_grid", \.l2Grid,
            "Strengths of the L2 penalty that are tried by the logistic classifier; chosen on a part of the training images.",
            .atLeast(0)),
        .value(
            "counts", \.counts,
            "Numbers of tokens that a tokenizer without a prologue is probed with; a sweep adds those of its other cells, so that each "
                + "of them has a baseline read in as many tokens.", .atLeast(1), unit: "tokens", affectsResults: false),
        .value(
            "seed", \.seed, "Seed of the split that chooses the penalty, of random tokens and of shuffled labels.",
            .atLeast(0)),
    ]
}
