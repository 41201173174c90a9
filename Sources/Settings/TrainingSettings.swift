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

    init(beta2: Double, weightDecay: Double, clip: Double?) {
        (self.beta2, self.weightDecay, self.clip) = (beta2, weightDecay, clip)
    }

    /// The step where linear decay begins.
    public var firstDecayStep: Int { decayStart ?? warmup }

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
