/// Every measure there is. To add one: a line here, and the stage that measures it.
extension Measure {
    // MARK: Samples

    public static let gfid = ofSamples("gfid", "gFID", .lower)
    public static let sfid = ofSamples("sfid", "sFID", .lower)
    public static let priorGap = ofSamples("prior_gap", "prior gap", .lower)
    /// Of drawing other samples from the same models.
    public static let gfidNoise = ofSamples("gfid_noise", "gFID noise", nil)
    /// Kernel distances to held-out images and to their reconstructions.
    public static let kid = ofSamples("kid", "KID", .lower, decimals: 3, possible: .any)
    public static let kidGap = ofSamples("kid_gap", "KID gap", .lower, decimals: 3, possible: .any)
    public static let kidNoise = ofSamples("kid_noise", "KID noise", nil, decimals: 3)
    /// What a perfect sampler would have of so many samples.
    public static let gfidFloor = ofSamples("gfid_floor", "gFID floor", nil)
    public static let priorGapFloor = ofSamples("prior_gap_floor", "prior gap floor", nil)
    /// For infinitely many samples, linear in 1/n; an extrapolation may come out below 0.
    public static let gfidExtrapolated = ofSamples("gfid_inf", "gFID∞", .lower, possible: .any)
    public static let priorGapExtrapolated = ofSamples("prior_gap_inf", "prior gap∞", .lower, possible: .any)
    /// On the half of the held-out images that guidance was chosen by.
    public static let gfidTuning = ofSamples("gfid_tuning", "gFID tuning", nil)
    public static let inceptionScore = ofSamples("is", "IS", .higher)
    /// Of the scores of its parts, as it is published behind ±: not of their mean.
    public static let inceptionScoreDeviation = ofSamples("is_deviation", "IS deviation", nil)
    public static let precision = ofSamples("precision", "precision", .higher, decimals: 3, possible: .share)
    public static let recall = ofSamples("recall", "recall", .higher, decimals: 3, possible: .share)
    public static let classAgreement = ofSamples("class_agreement", "class agreement", .higher, decimals: 3, possible: .share)
    public static let tunedScale = Measure("tuned.scale", "tuned scale", nil, ["tuned.scale"])
    public static let tunedTemperature = Measure("tuned.temperature", "tuned temperature", nil, ["tuned.temperature"])

    public static let plainTemperature = Measure("tuned.plain_temperature", "best temperature", nil, ["tuned.plain_temperature"])

    // MARK: Reconstructions, and the feature space itself

    public static let rfid = ofImages("rfid", "rFID", .lower)
    public static let rkid = ofImages("rkid", "rKID", .lower, decimals: 3, possible: .any)
    public static let rsfid = ofImages("rsfid", "rsFID", .lower)
    public static let l1 = ofImages("l1", "L1", .lower)
    public static let psnr = ofImages("psnr", "PSNR", .higher, unit: "dB")
    public static let ssim = ofImages("ssim", "SSIM", .higher, decimals: 3, possible: .correlation)
    public static let fidFloor = ofImages("fid_floor", "FID floor", nil)
    public static let isReal = ofImages("is_real", "IS real", nil)
    public static let classifierAccuracy = Measure(
        "classifier.accuracy", "classifier accuracy", .higher, decimals: 3, possible: .share, ["classifier.accuracy"])

    /// Of a feature network that was trained on recorded factors.
    public static let factorsExplained = Measure(
        "classifier.factors", "R² of factors", .higher, decimals: 3, possible: .upToOne, ["classifier.factors"])

    // MARK: Priors

    public static let bits = Measure("bits", "bits", .lower, unit: "bit", ["bits.{condition}.{segment}"])

    // MARK: Probe and readout

    public static let probeTop1 = probe("top1", "probe top-1", more: ["probe.top1"])
    public static let probeTop5 = probe("top5", "probe top-5")
    public static let probeChance = Measure(
        "probe.chance", "chance", nil, decimals: 3, possible: .share, ["probe.chance"])
    public static let probeMajority = Measure(
        "probe.majority", "majority", nil, decimals: 3, possible: .share, ["probe.majority.top1"])
    public static let readoutThumbnail = Measure(
        "readout.thumbnail", "R² thumbnail", .higher, decimals: 3, possible: .upToOne, ["readout.thumbnail.{tokens}.r2{bound}"])
    public static let readoutFactor = Measure(
        "readout.factor", "R²", .higher, decimals: 3, possible: .upToOne, ["readout.factor.{factor}.{tokens}.r2{bound}"])

    // MARK: Completions

    public static let completionAgreement = completion("agreement", .higher, possible: .share)
    public static let completionLikeness = completion("likeness", nil, possible: .correlation)
    public static let completionLikenessAcross = completion("likeness_across", nil, possible: .correlation)
    public static let completionLayout = completion("layout", nil, possible: .correlation, ofPixels: true)
    public static let completionLayoutAcross = completion("layout_across", nil, possible: .correlation, ofPixels: true)
    public static let completionSourceLikeness = completion("source_likeness", .higher, possible: .correlation)
    public static let completionVarianceWithin = completion("variance_within", nil, possible: .share)
    public static let completionPixelDistance = completion("pixel_distance", .lower, ofPixels: true)
    public static let completionGFID = completion("gfid", .lower)
    static let completions = [
        completionAgreement, completionLikeness, completionLikenessAcross, completionLayout, completionLayoutAcross,
        completionSourceLikeness, completionVarianceWithin, completionPixelDistance, completionGFID,
    ]

    // MARK: Information, costs, attention

    // Of a segment's positions; the title is what stands after the segment.
    public static let perplexity = ofSegment("perplexity")
    public static let codesUsed = ofSegment("codes_used")
    public static let positionEntropy = ofSegment("entropy")
    public static let aggregatedEntropy = ofSegment("aggregated_entropy")
    public static let jointEntropy = ofSegment("joint_entropy")
    public static let distinctShare = ofSegment("distinct_share")
    public static let classInformation = ofSegment("class_information")
    public static let classInformationBest = ofSegment("class_information_best")
    static let information = [
        perplexity, codesUsed, positionEntropy, aggregatedEntropy, jointEntropy, distinctShare, classInformation,
        classInformationBest,
    ]
    public static let factorInformation = Measure(
        "info.factor", "information", nil, decimals: 3, unit: "nat",
        ["info.{segment}.information.{factor}"])
    public static let factorInformationBest = Measure(
        "info.factor.best", "best information", nil, decimals: 3, unit: "nat", ["info.{segment}.information.{factor}.best"])
    public static let classEntropy = Measure(
        "info.class_entropy", "class entropy", nil, decimals: 3, unit: "nat", ["info.class_entropy"])
    public static let factorEntropy = Measure(
        "info.factor_entropy", "factor entropy", nil, decimals: 3, unit: "nat", ["info.factor_entropy.{factor}"])
    public static let imagesLog = Measure("info.images_log", "log of images", nil, decimals: 3, unit: "nat", ["info.images_log"])
    public static let reconstructionCost = Measure(
        "info.cost.reconstruction", "reconstruction cost", .lower, unit: "nat", ["info.cost.reconstruction{bound}"])
    public static let cost = Measure("info.cost", "cost", .lower, unit: "nat", ["info.cost.{segment}.{told}{bound}"])

    /// Of the visual tokens alone, summed over prologues.
    public static let marginalBits = marginal("bits", "marginal bits", .lower, decimals: 2, unit: "bit")
    public static let marginalJointBits = marginal("joint_bits", "joint bits", .lower, decimals: 2, unit: "bit")
    /// Of drawing other prologues.
    public static let marginalError = marginal("error", "error of marginal bits", nil, unit: "bit")
    public static let marginalEffectiveDraws = marginal("effective_draws", "effective draws", nil, decimals: 1)
    public static let marginalOwnShare = marginal("own_share", "share of the own prologue", nil)
    public static let marginals = [marginalBits, marginalJointBits, marginalError, marginalEffectiveDraws, marginalOwnShare]

    // MARK: Rates

    public static let rateBits = rate("bits", "bits of tokens", decimals: 2, unit: "bit")
    /// Plug-in, of all tokens of a set as one variable; at most the logarithm of the number of images.
    public static let rateEntropy = rate("entropy", "plug-in entropy", decimals: 2, unit: "bit")
    public static let rateLabelBits = rate("label_bits", "label bits", .lower, unit: "bit")
    /// At the bits that are asked for.
    public static let rateMatched = rate("matched", "top-1 at equal bits", .higher)
    public static let modularity = rate("modularity", "modularity", .higher)
    public static let compactness = rate("compactness", "compactness", .higher)
    public static let rateTop1 = Measure(
        "rates.top1", "top-1", .higher, decimals: 3, ["rates.{tokens}.{head}.top1{bound}"])
    public static let rates = [rateBits, rateEntropy, rateTop1, rateLabelBits, rateMatched, modularity, compactness]

    // MARK: Interventions

    public static let interventions = [
        ("swap_class", "named like the other"), ("swap_layout", "layout towards the other"), ("swap_colour", "colour towards the other"),
        ("token_class", "class changed by one token"), ("token_layout", "layout changed by one token"),
        ("token_colour", "colour changed by one token"), ("redraw_class", "class changed by drawing again"),
        ("redraw_layout", "layout changed by drawing again"), ("redraw_colour", "colour changed by drawing again"),
        ("conflict_tokens", "named like the tokens' image"), ("conflict_label", "named like the class told"),
        ("selectivity", "selectivity of tokens"),
    ].map { name, title in
        Measure("intervene.\(name)", title, nil, decimals: 3, ["intervene.\(name).{tokens}.{pair}", "intervene.\(name).{tokens}"])
    }
    /// Of an image's visual tokens after a prologue.
    public static let interventionBits = Measure(
        "intervene.visual_bits", "bits of visual tokens", nil, decimals: 2, unit: "bit", ["intervene.visual_bits.{pair}"])

    /// The measure of interventions that their stage calls `name`.
    public static func intervention(_ name: String) -> Measure {
        guard let measure = interventions.first(where: { $0.id == "intervene.\(name)" }) else {
            preconditionFailure("no measure of interventions is called \(name)")
        }
        return measure
    }

    public static let attentionPrologueShare = ofAttention("prologue_share")
    public static let attentionBOSShare = ofAttention("bos_share")
    public static let attentionVisualShare = ofAttention("visual_share")
    public static let attentionDistance = ofAttention("distance")
    public static let attentionDistanceEven = ofAttention("distance_even")
    public static let attentionPrologueShareEven = ofAttention("prologue_share_even")
    public static let attention = [
        attentionPrologueShare, attentionBOSShare, attentionVisualShare, attentionDistance, attentionDistanceEven,
        attentionPrologueShareEven,
    ]

    /// Whether only the semantic studies measure it.
    public var isOfSemantics: Bool {
        id.hasPrefix("completion_") || id.hasPrefix("info.") || id.hasPrefix("attention.") || id.hasPrefix("marginal.")
            || id.hasPrefix("rates.") || id.hasPrefix("intervene.")
    }

    /// Whether it says in nats or numbers of codes what tokens hold, and not what they cost.
    public var isInformation: Bool { id.hasPrefix("info.") && self != .cost && self != .reconstructionCost }

    /// All of them.
    public static let all: [Measure] =
        [
            gfid, sfid, priorGap, gfidNoise, kid, kidGap, kidNoise, gfidFloor, priorGapFloor, gfidExtrapolated,
            priorGapExtrapolated, gfidTuning, inceptionScore, inceptionScoreDeviation, precision, recall, classAgreement, tunedScale,
            tunedTemperature, plainTemperature, rfid, rkid, rsfid, l1, psnr, ssim, fidFloor, isReal, classifierAccuracy, factorsExplained,
            bits, probeTop1, probeTop5,
            probeChance, probeMajority, readoutThumbnail, readoutFactor, factorInformation, factorInformationBest, classEntropy,
            factorEntropy, imagesLog, reconstructionCost, cost,
        ] + completions + information + attention + marginals + rates + interventions + [interventionBits]

    /// What people say, and which measure they mean.
    static let colloquial = [
        "fid": "gfid", "isc": "is", "inception": "is", "inception_score": "is", "accuracy": "probe", "gap": "prior_gap",
    ]

    // MARK: Forms

    private static func ofSamples(
        _ id: String, _ title: String, _ better: Better?, decimals: Int = 2, possible: ClosedRange<Double> = .positive
    ) -> Measure {
        Measure(
            id, title, better, decimals: decimals, possible: possible,
            [
                "\(id)@{features}.guidance-{guidance}.temperature-{temperature}", "\(id)@{features}.guidance-{guidance}",
                "\(id)@{features}.{sampler}.step-{step}", "\(id)@{features}.{sampler}",
            ], dependingOn: ["data", "features", "scores.reference_count", "sampling.count"])
    }

    private static func ofImages(
        _ id: String, _ title: String, _ better: Better?, decimals: Int = 2, unit: String? = nil,
        possible: ClosedRange<Double> = .positive
    ) -> Measure {
        Measure(
            id, title, better, decimals: decimals, unit: unit, possible: possible, ["\(id)@{features}"],
            dependingOn: ["data", "features", "scores.reference_count"])
    }

    private static func probe(_ accuracy: String, _ title: String, more: [String] = []) -> Measure {
        Measure(
            "probe.\(accuracy)", title, .higher, decimals: 3, possible: .share,
            more + [
                "probe.{tokens}.\(accuracy){bound}", "probe.{tokens}.{reading}.\(accuracy){bound}",
                "probe.{tokens}.{control}.\(accuracy){bound}",
            ], dependingOn: ["tokenizer.prologue_tokens", "probe.classifier", "probe.train_count", "probe.test_count"])
    }

    private static func completion(
        _ name: String, _ better: Better?, possible: ClosedRange<Double> = .positive, ofPixels: Bool = false
    ) -> Measure {
        Measure(
            "completion_\(name)", "completion \(name.replacing("_", with: " ").replacing("gfid", with: "gFID"))", better,
            possible: possible,
            ["completion_\(name){bound}\(ofPixels ? "" : "@{features}").{tokens}.{told}"])
    }

    private static func ofAttention(_ name: String) -> Measure {
        Measure(
            "attention.\(name)", "attention \(name.replacing("_", with: " "))", nil, decimals: 3,
            possible: name.contains("_share") ? .share : .positive, ["attention.\(name)", "attention.\(name).layer{layer}"])
    }

    private static func marginal(
        _ name: String, _ title: String, _ better: Better?, decimals: Int = 3, unit: String? = nil
    ) -> Measure {
        Measure("marginal.\(name)", title, better, decimals: decimals, unit: unit, ["marginal.\(name).{told}{bound}"])
    }

    private static func rate(
        _ name: String, _ title: String, _ better: Better? = nil, decimals: Int = 3, unit: String? = nil
    ) -> Measure {
        Measure("rates.\(name)", title, better, decimals: decimals, unit: unit, ["rates.{tokens}.\(name)"])
    }

    private static func ofSegment(_ name: String) -> Measure {
        Measure("info.\(name)", name.replacing("_", with: " "), nil, decimals: 3, ["info.{segment}.\(name)"])
    }

    /// Those whose names begin like `text`, up to the first '@' or '.'.
    static func named(like text: String) -> [Measure] { byHead[head(text)] ?? [] }

    private static let byHead = Dictionary(grouping: all) { head($0.forms[0].text([:])) }

    /// The first word of a name; a bound belongs to what varies.
    private static func head(_ text: String) -> Substring {
        let word = text.prefix { $0 != "@" && $0 != "." }
        for bound in ["_low", "_high"] where word.hasSuffix(bound) { return word.dropLast(bound.count) }
        return word
    }
}
