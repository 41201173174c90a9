import Settings

/// What a feature network was trained to tell.
enum FeatureNetwork: Equatable {
    /// The class, from `features.seed`: the network of all scores.
    case classifier
    /// The class, from another seed.
    case otherSeed(Int)
    /// The recorded factors of drawn images.
    case factors

    /// What its space and its stages are called by beside the first one's: `s1`, `factors`.
    var suffix: String? {
        switch self {
        case .classifier: nil
        case .otherSeed(let seed): "s\(seed)"
        case .factors: "factors"
        }
    }

    /// Of the roles of its stages.
    var roleSuffix: String { suffix.map { ".\($0)" } ?? "" }

    /// Those that a run's samples are compared in, the first network first.
    static func all(_ settings: ScoreSettings) -> [FeatureNetwork] {
        [.classifier] + settings.moreSeeds.map(FeatureNetwork.otherSeed) + (settings.factorNetwork ? [.factors] : [])
    }
}
