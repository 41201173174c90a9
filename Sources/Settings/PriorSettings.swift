import Files

/// Stage 2: the tokens that the prior is trained on.
public struct TokenSettings: SettingsSection {
    /// What is encoded of each training image.
    public enum Crops: String, ChoiceSetting {
        case centre
        case ten
    }

    public var crops = Crops.centre

    public init() {}

    public static let help = "Stage 2: the tokens that the prior is trained on."
    public static let fields: [Field<Self>] = [
        .value(
            "crops", \.crops,
            "Encode the middle of each training image; or ten crops of it (corners and middle of the centre "
                + "square of 1.1 times the side, plain and mirrored), each a sequence that the prior sees once an epoch.")
    ]
}

/// Stage 3: the class-conditional AR model over the cached tokens.
public struct PriorSettings: ARNetworkSettings {
    public var from: String?
    public var dim = 128
    public var layers = 4
    public var heads = 4
    public var ropeAxes = [12, 12, 8]
    public var condDim = 32
    public var tied = false
    public var positions = ARPositions.sequence
    public var prologueOrder = PrologueOrder.forward
    public var precision = Precision.float32
    public var dropout = 0.0
    public var attentionDropout: Double?
    public var labelDrop = 0.1
    public var unconditional = false
    public var snapshots: [Int] = []
    public var microBatch: Int?
    public var recompute = false
    public var training = TrainingSettings(
        steps: 1000, optimizer: OptimizerSettings(beta2: 0.96, weightDecay: 0.03, clip: 1))

    public init() {}

    public static let help = "Stage 3: the class-conditional AR model over the cached tokens."
    public static let fields =
        network + Field.included(TrainingSettings.course, \.training) + saved + Field.included(TrainingSettings.records, \.training)

    private static let network: [Field<Self>] =
        [
            .value(
                "from", \.from,
                "An AR model to take as it is: the id of a prior stage of this tokenizer (or its beginning), or the folder of a "
                    + "released checkpoint; its sizes are then taken from there. Null: train one.", isLater: true)
        ] + sizes + [
            .value("cond_dim", \.condDim, "Width of the condition embedding.", .atLeast(1), unit: "channels")
        ] + tokens + [
            .value("prologue_order", \.prologueOrder, PrologueOrder.help, isLater: true),
            .value(
                "precision", \.precision,
                "What the products of layers and head multiply; `bfloat16` is faster and takes less memory. Weights and their "
                    + "optimiser stay float32.", isLater: true),
            .value("dropout", \.dropout, "Dropout of embeddings, attention and feed-forward outputs.", .fractionBelowOne),
            .value(
                "attention_dropout", \.attentionDropout,
                "Dropout of attention weights, 0 in the released models; null: as `dropout`.", .fractionBelowOne, isLater: true),
            .value(
                "label_drop", \.labelDrop, "Share of training labels replaced by the unconditional one.", .fraction,
                when: { !$0.unconditional }),
            .value(
                "unconditional", \.unconditional,
                "Train without the class: every step sees the unconditional label, all that is drawn is drawn without a class, and "
                    + "there is no guidance. `label_drop` is no substitute: its unconditional branch sees only that share of the steps.",
                isLater: true),
        ]

    private static let saved: [Field<Self>] = [
        .value(
            "snapshots", \.snapshots,
            "Steps after which the averaged weights are kept apart, so that scores over training can be measured.", .atLeast(1),
            unit: "steps", isLater: true),
        .value(
            "micro_batch", \.microBatch,
            "Sequences of a step's batch that are computed at a time, a divisor of `batch`: less memory, the same step to rounding. "
                + "Null: all.", .atLeast(1), unit: "sequences", affectsResults: false),
        .value(
            "recompute", \.recompute,
            "Keep only what goes into each transformer layer, and compute the layer again for the gradient: less memory, about a third "
                + "more work, the same step; on a device to rounding.", affectsResults: false),
    ]
}

extension PriorSettings {
    /// What `prologue-onestage` reads of these settings while it trains its tokenizer.
    public var networkIdentity: JSONValue {
        let keys = ["dim", "layers", "heads", "rope_axes", "cond_dim", "tied", "positions", "label_drop"]
        return .object((identity.objectValue ?? [:]).filter { keys.contains($0.key) })
    }
}

/// In which order a prior is given the tokens of a prologue.
public enum PrologueOrder: String, ChoiceSetting {
    /// That of the encoder's queries.
    case forward
    case backward
    /// One random order, the same for every seed.
    case shuffled

    static let help =
        "Order in which the prior is trained on the prologue's tokens and draws them: the encoder's, the other way round, or one "
        + "random order that all seeds share."
}

extension PriorSettings {
    /// How samples are drawn from it under `sampler`: without the class, where it never was told one.
    public func drawn(_ sampler: SamplerSettings) -> SamplerSettings {
        var sampler = sampler
        sampler.unconditional = sampler.unconditional || unconditional
        return sampler
    }

    public func drawn(_ resample: ResampleSettings) -> ResampleSettings {
        var resample = resample
        resample.unconditional = resample.unconditional || unconditional
        return resample
    }
}
