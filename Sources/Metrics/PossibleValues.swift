extension Measure {
    /// What its values can be at all. Intervals over few seeds reach further than that, and plots cut them off there.
    public var possible: ClosedRange<Double> {
        switch self {
        case .precision, .recall, .classAgreement, .classifierAccuracy, .probeTop1, .probeTop5, .probeChance, .probeMajority,
            .completionAgreement, .completionVarianceWithin,
            .attentionPrologueShare, .attentionPrologueShareEven, .attentionBOSShare, .attentionVisualShare:
            0...1
        case .ssim, .completionLikeness, .completionLikenessAcross, .completionLayout, .completionLayoutAcross,
            .completionSourceLikeness:
            -1...1
        // R²: the share of the variance that is explained, negative for what is worse than the mean.
        case .readoutThumbnail, .readoutFactor: -Double.infinity...1
        // Distances, errors, decibels, scores of what is generated, nats.
        default: 0...Double.infinity
        }
    }
}
