/// Guidance that is tuned on one half of the held-out images and reported on the other, with the same grid for every arm.
public struct TuningSettings: SettingsSection {
    public var enabled = false
    public var scales = [1, 1.25, 1.5, 2, 3]
    public var temperatures = [1.0]
    public var schedule = GuidanceSchedule.constant
    public var power = 1.0
    public var count = 2000

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
    ]
}
