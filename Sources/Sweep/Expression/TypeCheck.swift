import Files
import Settings

/// What a key of a condition holds, where that is known before there is a value.
public enum ValueType: Sendable, Equatable {
    case number, truth, list
    /// A text; of a fixed set where there are choices.
    case text(choices: [String])

    public init(_ kind: ValueKind) {
        switch kind {
        case .int, .float: self = .number
        case .bool: self = .truth
        case .string: self = .text(choices: [])
        case .choice(let names): self = .text(choices: names)
        case .list: self = .list
        }
    }

    init?(_ value: JSONValue) {
        switch value {
        case .null: return nil
        case .bool: self = .truth
        case .int, .number: self = .number
        case .string: self = .text(choices: [])
        case .array, .object: self = .list
        }
    }

    var name: String {
        switch self {
        case .number: "a number"
        case .truth: "true or false"
        case .list: "a list"
        case .text: "a text"
        }
    }

    func agrees(with other: ValueType) -> Bool { name == other.name }
}

extension Expression {
    /// The first key that is compared with what it can never be, and why; such a condition would silently match nothing.
    ///
    ///     let condition = try Expression(parsing: "prior.dim = '128'")
    ///     condition.mismatch { Schema.setting(at: $0).map { ValueType($0.kind) } }?.message
    ///     // "prior.dim is a number and '128' a text; write it without quotes"
    public func mismatch(_ type: (String) -> ValueType?) -> (key: Key, message: String)? {
        switch self {
        case .and(let left, let right), .or(let left, let right): left.mismatch(type) ?? right.mismatch(type)
        case .not(let inner): inner.mismatch(type)
        case .null: nil
        case .truth(let operand):
            operand.key.flatMap { key in
                guard let found = type(key.path), found != .truth else { return nil }
                return (key, "\(key.path) is \(found.name), which alone is no condition; compare it with a value")
            }
        case .like(let operand, _, _):
            operand.key.flatMap { key in
                guard let found = type(key.path), !found.agrees(with: .text(choices: [])) else { return nil }
                return (key, "\(key.path) is \(found.name), but like compares texts")
            }
        case .within(let operand, let values, _):
            values.reduce(nil) { $0 ?? Self.mismatch(operand, .literal($1), isEquality: true, type) }
        case .compare(let left, let comparator, let right):
            Self.mismatch(left, right, isEquality: comparator == .equal || comparator == .notEqual, type)
        }
    }

    private static func mismatch(
        _ left: Operand, _ right: Operand, isEquality: Bool, _ type: (String) -> ValueType?
    ) -> (key: Key, message: String)? {
        guard let key = left.key ?? right.key, let found = type(key.path) else { return nil }
        let other = left.key == nil ? left : right
        let (otherType, shown): (ValueType?, String) =
            switch other {
            case .key(let other): (type(other.path), other.path)
            case .literal(.string(let text)): (.text(choices: []), "'\(text)'")
            case .literal(let value): (ValueType(value), value.canonical)
            }
        guard let otherType else { return nil }
        guard found.agrees(with: otherType) else {
            return (key, "\(key.path) is \(found.name) and \(shown) \(otherType.name)\(hint(found, other))")
        }
        if case .text(let choices) = found, !choices.isEmpty, isEquality, case .literal(.string(let text)) = other,
            !choices.contains(text)
        {
            return (
                key,
                "\(key.path) is never '\(text)', but one of \(choices.joined(separator: ", "))"
                    + Schema.hint(for: text, among: choices)
            )
        }
        return nil
    }

    /// How to write the value as the key has it.
    private static func hint(_ wanted: ValueType, _ value: Operand) -> String {
        guard case .literal(let value) = value else { return "" }
        switch (wanted, value) {
        case (.number, .string(let text)) where Double(text) != nil, (.truth, .string(let text)) where ["true", "false"].contains(text):
            return "; write it without quotes"
        case (.text, .int), (.text, .number), (.text, .bool): return "; write '\(value.canonical)'"
        case (.truth, .int(1)): return "; write true"
        case (.truth, .int(0)): return "; write false"
        default: return ""
        }
    }
}
