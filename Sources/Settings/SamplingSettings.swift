/// What is sampled from the prior, and how.
public struct SamplingSettings: SettingsSection {
    public var count = 2000
    public var batch = 250
    public var settings = ["nocfg": SamplerSettings()]

    public init() {}

    public static let help = "Samples drawn from the prior."
    public static let fields: [Field<Self>] = [
        .value("count", \.count, "Samples under each setting, balanced over the classes.", .atLeast(1), unit: "images"),
        .value("batch", \.batch, "Samples drawn at a time.", .atLeast(1), unit: "images"),
        .map("settings", \.settings),
    ]
}

/// One way of sampling (method §5).
public struct SamplerSettings: SettingsSection {
    public var temperature = 1.0
    public var prologueTemperature: Double?
    public var topK = 0
    public var topP = 1.0
    public var unconditional = false
    public var ema = true
    public var precision = Precision.float32
    public var guidance = GuidanceSettings()
    public var prologueGuidance: SplitGuidanceSettings?
    public var visualGuidance: SplitGuidanceSettings?

    public init() {}

    public static let help = "One way of sampling, under a name of your choice."
    public static let fields: [Field<Self>] = [
        .value("temperature", \.temperature, "Temperature of the logits.", .positive),
        .value(
            "prologue_temperature", \.prologueTemperature,
            "Temperature in the prologue segment; null: as `temperature`.",
            .positive),
        .value("top_k", \.topK, "Keep the k likeliest codes; 0: all.", .atLeast(0), unit: "codes"),
        .value(
            "top_p", \.topP,
            "Keep the likeliest codes up to this probability, the one that crosses it included; 1: all.",
            Bounds(lower: 0, upper: 1, lowerIsOpen: true)),
        .value("unconditional", \.unconditional, "Give the unconditional label instead of a class."),
        .value("ema", \.ema, "Draw from the prior's averaged weights; false: from the last trained.", isLater: true),
        .value(
            "precision", \.precision,
            "What the prior's products multiply while it draws, whatever it was trained with; `bfloat16` is faster.",
            isLater: true),
        .section("guidance", \.guidance),
        .section("prologue_guidance", \.prologueGuidance),
        .section("visual_guidance", \.visualGuidance),
    ]
}

/// How the guidance scale grows over the sequence.
public enum GuidanceSchedule: String, ChoiceSetting {
    case constant
    case linear
    case cosine
}

/// Classifier-free guidance over the whole sequence.
public struct GuidanceSettings: SettingsSection {
    public var scale = 0.0
    public var schedule = GuidanceSchedule.constant
    public var power = 1.0

    public init() {}

    public static let help = "Classifier-free guidance over the whole sequence."
    public static let fields: [Field<Self>] = [
        .value("scale", \.scale, "Guidance scale; 0: off (conditional logits).", .atLeast(0)),
        .value("schedule", \.schedule, "How the scale is reached over the sequence."),
        .value("power", \.power, "Exponent of the cosine schedule's time.", .positive),
    ]
}

/// Guidance of one segment, prologue or visual.
public struct SplitGuidanceSettings: SettingsSection {
    public var scale = 0.0
    public var schedule = GuidanceSchedule.constant
    public var power = 1.0
    public var start: Double?

    public init() {}

    public static let help = "Guidance of this segment apart; replaces `guidance`. Null: not guided."
    public static let fields: [Field<Self>] = [
        .value(
            "scale", \.scale, "Guidance scale at the segment's end; 1: off (conditional logits). It must be given, and not be 0.",
            .atLeast(0)),
        .value("schedule", \.schedule, "How the scale is reached over the segment; constant: the scale throughout."),
        .value("power", \.power, "Exponent of the cosine schedule's time.", .positive),
        .value(
            "start", \.start, "Scale where the segment begins; null: 0 for prologue, 1 for visual tokens.",
            .atLeast(0)),
    ]
}

/// Guidance and temperature that are tuned on one half of the held-out images; what is chosen draws afresh and is reported on the
/// other half. The grid is the same for every arm.
public struct TuningSettings: SettingsSection {
    public var enabled = false
    public var scales = [1, 1.25, 1.5, 2, 3]
    public var temperatures = [1.0]
    public var schedule = GuidanceSchedule.constant
    public var power = 1.0
    public var count = 2000
    public var reportCount: Int?
    public var precision = Precision.float32

    public init() {}

    public static let help =
        "Guidance tuned on one half of the held-out images and reported on the other: the same grid for every arm."
    public static let fields: [Field<Self>] = [
        .value("enabled", \.enabled, "Tune."),
        .value("scales", \.scales, "Guidance scales that are tried; 1 is no guidance.", .atLeast(0)),
        .value("temperatures", \.temperatures, "Temperatures that are tried with each of them.", .positive),
        .value("schedule", \.schedule, "How the scale is reached over the sequence."),
        .value("power", \.power, "Exponent of the cosine schedule's time.", .positive),
        .value("count", \.count, "Samples for each scale and temperature, balanced over the classes.", .atLeast(2), unit: "images"),
        .value(
            "report_count", \.reportCount,
            "Samples that are drawn afresh under what was chosen, and reported on; null: as many as `count`.", .atLeast(2),
            unit: "images", isLater: true),
        .value("precision", \.precision, "What the prior's products multiply while it draws for this.", isLater: true),
    ]
}

/// The picture of fixed prologue tokens with resampled visual ones.
public struct ResampleSettings: SettingsSection {
    public var enabled = true
    public var rows = 6
    public var columns = 8
    public var temperature = 1.0
    public var unconditional = false

    public init() {}

    public static let help = "Fixed prologue, resampled visual tokens: the images of a row share their prologue."
    public static let fields: [Field<Self>] = [
        .value("enabled", \.enabled, "Make the picture."),
        .value("rows", \.rows, "Prologues.", .atLeast(1)),
        .value("columns", \.columns, "Images for each prologue.", .atLeast(1)),
        .value("temperature", \.temperature, "Temperature of the visual tokens.", .positive),
        .value("unconditional", \.unconditional, "Resample without giving the class."),
    ]
}
