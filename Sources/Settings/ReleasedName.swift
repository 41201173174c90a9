/// A published model, recognised by what its folder is called.
///
/// `prologue-tokenizer-L`, `AR_post_B`, `2d` …: words are letters and digits between other characters, in any case; those that are in
/// no model's name are passed over. An AR model is one with `ar` among its words; the tokenizer comes before the size.
public struct ReleasedName: Hashable, Sendable, CustomStringConvertible {
    public enum Tokenizer: String, Sendable, CaseIterable {
        case oneD = "1d"
        case twoD = "2d"
        case b, l, post, onestage
    }

    public enum Size: String, Sendable, CaseIterable { case s, b, l, xl }

    public let tokenizer: Tokenizer
    /// Of an AR model; nil: a tokenizer.
    public let size: Size?

    /// How sweep files say it: `b`, and `b-xl` of its AR model.
    public var description: String { tokenizer.rawValue + (size.map { "-\($0.rawValue)" } ?? "") }

    /// What a folder of it may be called.
    public var folder: String { size == nil ? "tokenizer-\(description)" : "ar-\(description)" }

    private init(_ tokenizer: Tokenizer, _ size: Size?) { (self.tokenizer, self.size) = (tokenizer, size) }

    private static let others = ["base": "b", "large": "l", "1stage": "onestage", "xlarge": "xl", "prior": "ar"]

    /// Nil where the folder is called like none.
    public init?(folder name: String) {
        var words = name.lowercased().split { !$0.isLetter && !$0.isNumber }.map { Self.others[String($0)] ?? String($0) }
        if let place = words.indices.dropLast().first(where: { words[$0] == "one" && words[$0 + 1] == "stage" }) {
            words.replaceSubrange(place...place + 1, with: ["onestage"])
        }
        let isPrior = words.contains("ar")
        let known = words.filter { Tokenizer(rawValue: $0) != nil || Size(rawValue: $0) != nil }
        guard let first = known.first.flatMap(Tokenizer.init) else { return nil }
        switch (isPrior, known.count) {
        case (false, 1): self.init(first, nil)
        // Tokenizers other than B and L are of B's size, which their names may say.
        case (false, 2) where first != .b && first != .l && known[1] == "b": self.init(first, nil)
        case (true, 2): self.init(first, Size(rawValue: known[1]), isPrior: true)
        default: return nil
        }
    }

    private init?(_ tokenizer: Tokenizer, _ size: Size?, isPrior: Bool) {
        guard let size else { return nil }
        self.init(tokenizer, size)
    }

    /// What `tokenizer.from` or `prior.from` begins with where a published model is meant, instead of a folder or a stage.
    public static let scheme = "released:"

    /// The model that `source` names; nil where it names none by the scheme.
    public init?(source: String, isPrior: Bool) {
        guard source.hasPrefix(Self.scheme), let name = Self(folder: (isPrior ? "ar-" : "") + source.dropFirst(Self.scheme.count)) else {
            return nil
        }
        self = name
    }

    /// All that were published.
    public static let all: [ReleasedName] =
        Tokenizer.allCases.map { ReleasedName($0, nil) }
        + [
            (Tokenizer.oneD, Size.b), (.twoD, .b), (.b, .b), (.b, .l), (.b, .xl), (.l, .b), (.l, .l), (.l, .xl), (.post, .b),
        ].map { ReleasedName($0, $1) }

    /// Position axes of heads 64 wide, which no tensor tells: of encoders and decoders, and of AR models.
    public static let ropeAxes = (tokenizer: [20, 20, 24], prior: [24, 20, 20])
    public static let headWidth = 64
}
