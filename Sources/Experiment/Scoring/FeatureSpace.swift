import Settings

/// In which network's features images are compared.
enum FeatureSpace: Equatable {
    /// A classifier of the data set, from `features.seed`.
    case classifier
    /// A classifier from another seed.
    case otherSeed(Int)
    /// A network that was trained on the recorded factors of drawn images.
    case factors
    /// The Inception network of published scores, with weights that the user has.
    case inception

    /// That of all scores.
    static func main(_ settings: FeatureSettings) -> FeatureSpace { settings.network == .inception ? .inception : .classifier }

    /// Those that a run's samples are compared in, the main one first.
    static func all(_ settings: RunSettings) -> [FeatureSpace] {
        [main(settings.features)] + settings.scores.moreSeeds.map(FeatureSpace.otherSeed)
            + (settings.scores.factorNetwork ? [.factors] : [])
    }

    /// What it, and its stages' roles, are called by beside the main one: `s1`, `factors`.
    func suffix(beside main: FeatureSpace) -> String? {
        switch self {
        case main: nil
        case .classifier: "classifier"
        case .otherSeed(let seed): "s\(seed)"
        case .factors: "factors"
        case .inception: "inception"
        }
    }
}
