/// A part of a score's name that varies within its measure.
public enum MetricField: String, Sendable, CaseIterable {
    /// The feature space: `fashion-cnn`, or `pixels`.
    case features
    /// The way of sampling, as the sweep file calls it; `tuned` for guidance that was tuned.
    case sampler
    /// Training steps of the prior after which samples were drawn.
    case step
    /// Scale of guidance, and temperature, of a candidate that tuning tried.
    case guidance, temperature
    /// A set of tokens, such as `prologue` or `first-4`.
    case tokens
    /// What is read of a token instead of its code vector.
    case reading
    /// What an accuracy is set against.
    case control
    /// A recorded factor of drawn images.
    case factor
    /// A stretch of the token sequence.
    case segment
    /// Whether the prior is told the class: `class`, `noclass`.
    case told
    /// The same of bits: `conditional`, `unconditional`.
    case condition
    case layer
    /// A classifier of sets of tokens.
    case head
    /// Whose tokens stand in for an image's own: those of another of its class, of another class.
    case pair
    /// An end of an interval within one run: `_low` or `_high`; empty for the value itself.
    case bound

    /// What the features of the Inception network are called that published scores are measured in.
    public static let inceptionSpace = "inception-2015"

    func accepts(_ text: Substring) -> Bool {
        switch self {
        case .features, .sampler, .factor:
            !text.isEmpty
                && text.utf8.allSatisfy { Self.isLetter($0) || Self.isDigit($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
        case .step, .layer: !text.isEmpty && text.utf8.allSatisfy(Self.isDigit)
        case .guidance, .temperature:
            text.utf8.allSatisfy { Self.isDigit($0) || $0 == UInt8(ascii: ".") } && Double(text) != nil
        case .tokens: TokenSetName(text) != nil
        case .reading: ["mean", "onehot", "points", "embeddings"].contains(text)
        case .control: ["shuffled", "untrained"].contains(text)
        case .segment: ["prologue", "first", "visual", "tokens", "total"].contains(text)
        case .told: ["class", "noclass"].contains(text)
        case .condition: ["conditional", "unconditional"].contains(text)
        case .head: ["linear", "knn", "mlp", "attentive"].contains(text)
        case .pair: ["own", "same", "other", "shuffled"].contains(text)
        case .bound: ["", "_low", "_high"].contains(text)
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    private static func isLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) }
}

/// A set of tokens by its kind, and how many they are where the set is one of several lengths.
public struct TokenSetName: Hashable, Sendable {
    public enum Kind: String, Sendable, CaseIterable {
        case prologue, first, random, pooled, all
        /// The first visual tokens, given instead of a prologue.
        case visualFirst = "visual-first"
        /// The visual tokens that tell most of the class together.
        case best
        /// No tokens of the tokenizer: an image is the nearest of many.
        case pixels
        /// A prologue whose tokens are from different images.
        case shuffled
        /// Nothing.
        case none
    }

    public let kind: Kind
    public let count: Int?

    init?(_ text: some StringProtocol) {
        if let kind = Kind(rawValue: String(text)) {
            (self.kind, count) = (kind, nil)
            return
        }
        guard let hyphen = text.lastIndex(of: "-"), let kind = Kind(rawValue: String(text[..<hyphen])),
            case let digits = text[text.index(after: hyphen)...], digits.allSatisfy(\.isNumber), let count = Int(digits)
        else { return nil }
        (self.kind, self.count) = (kind, count)
    }
}
