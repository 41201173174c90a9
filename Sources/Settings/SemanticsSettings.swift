/// The semantic studies: what prologue tokens know, against the same number of other tokens.
public struct SemanticsSettings: SettingsSection {
    public var enabled = false
    public var groups = 125
    public var draws = 4
    public var prefixes = [0, 1, 2, 4, 8, 16]
    public var temperature = 1.0
    public var factorBins = 8
    public var attentionImages = 64
    public var marginalDraws = 0
    public var marginalImages = 200
    public var interventions = 0
    public var rates = false
    public var rateBits = 9.0
    public var seed = 0

    public init() {}

    public static let help = "Semantic studies: what tokens know, cost, tell and do."
    public static let fields: [Field<Self>] = [
        .value("enabled", \.enabled, "Run the studies; `prologue study semantics` turns them on."),
        .value("groups", \.groups, "Held-out images whose tokens are given to completions.", .atLeast(2), unit: "images"),
        .value("draws", \.draws, "Completions of each image's tokens.", .atLeast(2)),
        .value(
            "prefixes", \.prefixes, "Numbers of first tokens that completions are given, in the prior's order.",
            .atLeast(0), unit: "tokens"),
        .value("temperature", \.temperature, "Temperature of completions.", .positive),
        .value("factor_bins", \.factorBins, "Equally filled bins that a continuous factor is cut into.", .atLeast(2)),
        .value(
            "attention_images", \.attentionImages, "Held-out images over which attention maps are averaged.",
            .atLeast(1), unit: "images"),
        .value(
            "marginal_draws", \.marginalDraws,
            "Prologues that are drawn for each image to sum the probability of its visual tokens over; 0: off, else 6 or more.",
            .atLeast(0), isLater: true),
        .value(
            "marginal_images", \.marginalImages, "Held-out images whose visual tokens are summed over prologues.", .atLeast(1),
            unit: "images", isLater: true),
        .value(
            "interventions", \.interventions, "Held-out images whose tokens are changed to see what they do; 0: off.", .atLeast(0),
            unit: "images", isLater: true),
        .value(
            "rates", \.rates, "Measure accuracy against bits: sets of tokens of each length, several classifiers.", isLater: true),
        .value(
            "rate_bits", \.rateBits, "Bits at which accuracies of different kinds of tokens are compared.", .positive, unit: "bits",
            isLater: true),
        .value("seed", \.seed, "Seed of the choice of random tokens and of completions.", .atLeast(0)),
    ]
}
