import Files

/// A condition on settings, scores or anything else with dotted keys.
///
///     tokenizer.variant == 'baseline-2d' and prior.dim >= 256 or not (tokenizer.decoder_dim is null)
///
/// `or` binds weakest, then `and`, then `not`. A lone key is true when its value is `true`.
///
/// **Null** is as in SQL: a missing key is null; comparing with null, `in` included, gives *unknown*; `not unknown` is
/// unknown, `unknown and false` is false, `unknown or true` is true; a condition that is unknown does not match.
/// Only `is null` and `is not null` see nulls. `like` is unknown of what is not text.
///
/// **Types**: numbers compare as numbers, texts by their Unicode scalars, `false` before `true`. Values of different
/// types are never equal, and their order is unknown.
///
/// ```swift
/// let condition = try Expression(parsing: "tokenizer.variant = 'prologue' and prior.dim >= 128")
/// let chosen = runs.filter { run in condition.matches { key in run.config[path: key] } }
/// ```
public indirect enum Expression: Sendable, Equatable {
    case compare(Operand, Comparator, Operand)
    /// Member of a list; `negated` for `not in`.
    case within(Operand, [JSONValue], negated: Bool)
    case null(Operand, negated: Bool)
    /// Text of a pattern in which `%` stands for anything and `_` for one character; ASCII letters in either case.
    case like(Operand, String, negated: Bool)
    /// A key or literal that is itself true or false.
    case truth(Operand)
    case not(Expression)
    case and(Expression, Expression)
    case or(Expression, Expression)

    public enum Operand: Sendable, Equatable {
        case key(Key)
        case literal(JSONValue)
    }

    public enum Comparator: String, Sendable {
        case equal = "="
        case notEqual = "!="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
    }

    /// A dotted key and where it stands in the text, in characters from its start.
    public struct Key: Sendable, Equatable {
        public let path: String
        public let offset: Int
    }
}

extension Expression {
    /// Parses `text`; an error shows it with a caret under the offending place.
    public init(parsing text: String) throws {
        var parser = try ExpressionParser(text)
        self = try parser.parseCondition()
        try parser.expectEnd()
    }

    /// All keys, left to right.
    public var keys: [Key] {
        switch self {
        case .compare(let left, _, let right): [left, right].compactMap(\.key)
        case .within(let operand, _, _), .null(let operand, _), .truth(let operand), .like(let operand, _, _):
            [operand].compactMap(\.key)
        case .not(let inner): inner.keys
        case .and(let left, let right), .or(let left, let right): left.keys + right.keys
        }
    }

    /// Whether the condition holds for what `lookup` gives for its keys. Unknown counts as no.
    public func matches(_ lookup: (String) -> JSONValue?) -> Bool { evaluate(lookup: lookup) == true }

    /// True, false, or nil for unknown.
    public func evaluate(lookup: (String) -> JSONValue?) -> Bool? {
        switch self {
        case .compare(let left, let comparator, let right):
            return Self.compare(left.value(lookup), comparator, right.value(lookup))
        case .within(let operand, let values, let negated):
            return Self.isMember(operand.value(lookup), of: values).map { $0 != negated }
        case .null(let operand, let negated):
            return (operand.value(lookup) == .null) != negated
        case .like(let operand, let pattern, let negated):
            return operand.value(lookup).stringValue.map { Self.matches($0, pattern) != negated }
        case .truth(let operand):
            let value = operand.value(lookup)
            return value == .null ? nil : value == .bool(true)
        case .not(let inner):
            return inner.evaluate(lookup: lookup).map { !$0 }
        case .and(let left, let right):
            let first = left.evaluate(lookup: lookup)
            if first == false { return false }
            let second = right.evaluate(lookup: lookup)
            return second == false ? false : first == nil || second == nil ? nil : true
        case .or(let left, let right):
            let first = left.evaluate(lookup: lookup)
            if first == true { return true }
            let second = right.evaluate(lookup: lookup)
            return second == true ? true : first == nil || second == nil ? nil : false
        }
    }

    /// As SQLite's `like` has it.
    private static func matches(_ text: String, _ pattern: String) -> Bool {
        func folded(_ text: String) -> [UInt32] {
            text.unicodeScalars.map { (65...90).contains($0.value) ? $0.value + 32 : $0.value }
        }
        let (text, pattern) = (folded(text), folded(pattern))
        let (any, one) = (UInt32(UInt8(ascii: "%")), UInt32(UInt8(ascii: "_")))
        // Goes on with what follows the last %, which takes one character more each time that fails.
        var (i, j) = (0, 0)
        var retry: (text: Int, pattern: Int)?
        while i < text.count {
            if j < pattern.count, pattern[j] == any {
                retry = (i, j)
                j += 1
            } else if j < pattern.count, pattern[j] == one || pattern[j] == text[i] {
                (i, j) = (i + 1, j + 1)
            } else if let last = retry {
                retry = (last.text + 1, last.pattern)
                (i, j) = (last.text + 1, last.pattern + 1)
            } else {
                return false
            }
        }
        return pattern[j...].allSatisfy { $0 == any }
    }

    private static func isMember(_ value: JSONValue, of values: [JSONValue]) -> Bool? {
        if value == .null { return nil }
        if values.contains(where: { compare(value, .equal, $0) == true }) { return true }
        return values.contains(.null) ? nil : false
    }

    private static func compare(_ left: JSONValue, _ comparator: Comparator, _ right: JSONValue) -> Bool? {
        if left == .null || right == .null { return nil }
        if let left = left.doubleValue, let right = right.doubleValue { return comparator.holds(left, right) }
        if let left = left.stringValue, let right = right.stringValue {
            return comparator.holds(Scalars(text: left), Scalars(text: right))
        }
        if let left = left.boolValue, let right = right.boolValue {
            return comparator.holds(left ? 1 : 0, right ? 1 : 0)
        }
        switch comparator {
        case .equal: return left == right
        case .notEqual: return left != right
        default: return nil
        }
    }
}

extension Expression.Operand {
    public var key: Expression.Key? { if case .key(let key) = self { key } else { nil } }

    func value(_ lookup: (String) -> JSONValue?) -> JSONValue {
        switch self {
        case .key(let key): lookup(key.path) ?? .null
        case .literal(let value): value
        }
    }
}

extension Expression.Comparator {
    func holds<Value: Comparable>(_ left: Value, _ right: Value) -> Bool {
        switch self {
        case .equal: left == right
        case .notEqual: left != right
        case .less: left < right
        case .lessOrEqual: left <= right
        case .greater: left > right
        case .greaterOrEqual: left >= right
        }
    }
}

/// Text in the order and with the equality of its Unicode scalars, which is also that of its UTF-8 bytes.
private struct Scalars: Comparable {
    let text: String

    static func == (left: Scalars, right: Scalars) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }
    static func < (left: Scalars, right: Scalars) -> Bool { left.text.utf8.lexicographicallyPrecedes(right.text.utf8) }
}
