/// AdamW and its learning-rate schedule: linear warm-up from 0, flat, linear decay to `endLr` at the last step.
public struct OptimizerSettings: SettingsSection {
    public var lr = 1e-3
    public var endLr = 2.5e-5
    public var warmup = 200
    public var decayStart: Int?
    public var beta1 = 0.9
    public var beta2 = 0.99
    public var epsilon = 1e-8
    public var weightDecay = 0.0
    public var clip: Double?

    public init() {}

    public init(
        beta1: Double = 0.9, beta2: Double = 0.99, epsilon: Double = 1e-8, weightDecay: Double = 0, clip: Double? = nil
    ) {
        (self.beta1, self.beta2, self.epsilon) = (beta1, beta2, epsilon)
        (self.weightDecay, self.clip) = (weightDecay, clip)
    }

    /// The step where linear decay begins.
    public var firstDecayStep: Int { decayStart ?? warmup }

    /// The same with another decay, and with other moments where they are given: networks that are trained together may differ in
    /// them.
    public func with(weightDecay: Double, beta1: Double? = nil, beta2: Double? = nil) -> OptimizerSettings {
        var settings = self
        settings.weightDecay = weightDecay
        settings.beta1 = beta1 ?? self.beta1
        settings.beta2 = beta2 ?? self.beta2
        return settings
    }

    public static let help = "AdamW; its rate warms up linearly from 0, stays flat, then decays linearly."
    public static let fields: [Field<Self>] = [
        .value("lr", \.lr, "Peak learning rate.", .positive),
        .value("end_lr", \.endLr, "Learning rate at the last step.", .atLeast(0)),
        .value("warmup", \.warmup, "Length of the linear warm-up.", .atLeast(0), unit: "steps"),
        .value(
            "decay_start", \.decayStart, "Step where linear decay begins; null: at the end of the warm-up.",
            .atLeast(0), unit: "steps"),
        .value("beta1", \.beta1, "Decay of the first moment.", .fractionBelowOne),
        .value("beta2", \.beta2, "Decay of the second moment.", .fractionBelowOne),
        .value("epsilon", \.epsilon, "Added to the square root of the second moment.", .positive),
        .value(
            "weight_decay", \.weightDecay, "Decoupled decay of matrices; norms, biases and vectors are exempt.",
            .atLeast(0)),
        .value("clip", \.clip, "Largest norm of the gradient; null: no clipping.", .positive),
    ]
}

/// What every training has: how long, by what optimiser, and what is saved on the way. Tokenizer and prior have these keys among
/// their own.
public struct TrainingSettings: SettingsSection {
    public var steps = 1000
    public var batch = 64
    public var optimizer = OptimizerSettings()
    public var emaHalfLife = 200.0
    public var checkpointEvery = 200
    public var keepCheckpoints = KeptCheckpoints.none
    public var logEvery = 20

    public init() {}

    public init(steps: Int, batch: Int = 64, optimizer: OptimizerSettings = OptimizerSettings()) {
        (self.steps, self.batch, self.optimizer) = (steps, batch, optimizer)
    }

    public static let help = "Steps, optimiser, averages, checkpoints."
    public static let fields = course + records

    /// How long, and by what optimiser.
    static let course: [Field<Self>] = [
        .value("steps", \.steps, "Training steps; of a tokenizer, a pair of steps A and B is one.", .atLeast(1), unit: "steps"),
        .value("batch", \.batch, "Images in a training step.", .atLeast(1), unit: "images"),
        .section("optimizer", \.optimizer),
        .value("ema_half_life", \.emaHalfLife, "Half-life of the averaged weights.", .positive, unit: "steps"),
    ]

    /// What is saved on the way.
    static let records: [Field<Self>] = [
        .value(
            "checkpoint_every", \.checkpointEvery, "Steps between checkpoints.",
            .atLeast(1), unit: "steps", affectsResults: false),
        .value("keep_checkpoints", \.keepCheckpoints, KeptCheckpoints.help, affectsResults: false),
        .value(
            "log_every", \.logEvery, "Steps between rows of the metrics file.",
            .atLeast(1), unit: "steps", affectsResults: false),
    ]
}

/// Which checkpoints a training stage keeps. While it trains there is one, which it goes on from when it is interrupted.
public enum KeptCheckpoints: String, ChoiceSetting {
    /// It is removed once the stage is done; the weights stay.
    case none
    /// That of the last step stays, with the optimisers' moments.
    case last
    /// Each stays, as `checkpoints/step-00000200.h5`.
    case all

    static let help =
        "Checkpoints that stay once the stage is done: none; last, the one of the last step; all, each in `checkpoints/`."
}

/// What numbers the matrix products of transformer layers multiply. Sums, parameters, gradients and optimiser state are
/// float32 either way.
public enum Precision: String, ChoiceSetting {
    case float32
    /// Weights and activations rounded to 8 bits of precision where they enter a product or wait for the gradient.
    case bfloat16
}
