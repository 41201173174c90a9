/// The network of an AR model: the prior's, and that of the small model that is trained beside a tokenizer.
public protocol ARNetworkSettings: SettingsSection {
    var dim: Int { get set }
    var layers: Int { get set }
    var heads: Int { get set }
    var ropeAxes: [Int] { get set }
    var tied: Bool { get set }
    var positions: ARPositions { get set }
}

extension ARNetworkSettings {
    /// How wide and deep it is.
    static var sizes: [Field<Self>] {
        [
            .value("dim", \.dim, "Width.", .atLeast(2), unit: "channels"),
            .value("layers", \.layers, "Transformer layers.", .atLeast(1)),
            .value("heads", \.heads, "Attention heads.", .atLeast(1)),
            .value(
                "rope_axes", \.ropeAxes,
                "Share of each head rotated by each position axis; even, their sum is the head width.",
                .atLeast(0), count: 3, unit: "channels"),
        ]
    }

    /// How it reads and tells tokens apart.
    static var tokens: [Field<Self>] {
        [
            .value("tied", \.tied, "The head shares its weights with the embedding table."),
            .value("positions", \.positions, ARPositions.help, isLater: true),
        ]
    }
}

/// Where the tokens of an AR model stand for its rotary embedding.
public enum ARPositions: String, ChoiceSetting {
    /// All in one line, BOS at 0: (l, 0, 0).
    case sequence = "1d"
    /// Visual tokens where their patches are, (row, column, 0) with the base frequency of image positions; BOS, prologue and
    /// EOS in a line on the third axis, (0, 0, l): as patches and queries in the encoder. Needs a square grid of visual tokens.
    case hybrid

    static let help =
        "All tokens in one line, or visual tokens where their patches are and the others in a line on an axis of "
        + "their own."
}
