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
        .value("crops", \.crops, "Encode the middle of each training image; or ten crops of it (corners and middle of the centre "
                + "square of 1.1 times the side, plain and mirrored), each a sequence that the prior sees once an epoch."),
    ]
}
