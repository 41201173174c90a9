import Files

/// What kind of value a setting takes.
public enum ValueKind: Sendable, Equatable {
    case int
    case float
    case bool
    case string
    case choice([String])
    indirect case list(ValueKind)

    /// The kind in a reader's words, such as `list of int`.
    public var name: String {
        switch self {
        case .int: "int"
        case .float: "float"
        case .bool: "bool"
        case .string: "string"
        case .choice(let values): values.joined(separator: " | ")
        case .list(let element): "list of \(element.name)"
        }
    }
}

/// The numbers a setting may have; for a list, each of its entries.
public struct Bounds: Sendable, Equatable {
    public let lower: Double?
    public let upper: Double?
    /// The bound itself is excluded.
    public let lowerIsOpen: Bool
    public let upperIsOpen: Bool

    public static let positive = Bounds(lower: 0, lowerIsOpen: true)
    public static let fraction = Bounds(lower: 0, upper: 1)
    public static let fractionBelowOne = Bounds(lower: 0, upper: 1, upperIsOpen: true)

    public static func atLeast(_ lower: Double) -> Bounds { Bounds(lower: lower) }
    public static func between(_ lower: Double, _ upper: Double) -> Bounds { Bounds(lower: lower, upper: upper) }

    init(lower: Double? = nil, upper: Double? = nil, lowerIsOpen: Bool = false, upperIsOpen: Bool = false) {
        (self.lower, self.upper, self.lowerIsOpen, self.upperIsOpen) = (lower, upper, lowerIsOpen, upperIsOpen)
    }

    public func contains(_ value: Double) -> Bool {
        if let lower, lowerIsOpen ? value <= lower : value < lower { return false }
        if let upper, upperIsOpen ? value >= upper : value > upper { return false }
        return true
    }

    /// Such as `≥ 1`, `0 … 1` or `0 ≤ x < 1`.
    public var text: String {
        switch (lower.map(plain), upper.map(plain)) {
        case (nil, nil): "any"
        case (let lower?, nil): "\(lowerIsOpen ? ">" : "≥") \(lower)"
        case (nil, let upper?): "\(upperIsOpen ? "<" : "≤") \(upper)"
        case (let lower?, let upper?):
            lowerIsOpen || upperIsOpen
                ? "\(lower) \(lowerIsOpen ? "<" : "≤") x \(upperIsOpen ? "<" : "≤") \(upper)" : "\(lower) … \(upper)"
        }
    }

    private func plain(_ value: Double) -> String { JSONValue.normalized(value).canonical }
}

/// One row of the settings table.
public struct Setting: Sendable, Equatable {
    public let kind: ValueKind
    /// The value may be `null`.
    public let isNullable: Bool
    public let `default`: JSONValue
    public let bounds: Bounds?
    /// Required number of entries of a list.
    public let count: Int?
    public let unit: String?
    /// One line: what it does; for a nullable setting also what null means.
    public let help: String
    /// False for bookkeeping such as how often to log: it enters no stage's hash.
    public let affectsResults: Bool
}

/// A part of the settings tree.
public indirect enum SchemaNode: Sendable {
    case setting(Setting)
    case section(SchemaSection)
    /// Entries under names of the user's choice, each with the section's keys.
    case map(entry: SchemaSection, default: JSONValue)
}

/// Keys with their meaning, in the order they are documented.
public struct SchemaSection: Sendable {
    package init(help: String, isNullable: Bool, members: [(key: String, node: SchemaNode)]) {
        (self.help, self.isNullable, self.members) = (help, isNullable, members)
    }

    public let help: String
    /// The whole section may be `null`, which is then also its default.
    public let isNullable: Bool
    public let members: [(key: String, node: SchemaNode)]

    public subscript(key: String) -> SchemaNode? { members.first { $0.key == key }?.node }
}

extension JSONValue {
    /// The number as JSON reads it back: whole numbers are `.int`, so that a value and its reread text are equal.
    package static func normalized(_ value: Double) -> JSONValue {
        value == value.rounded() && abs(value) < 9_007_199_254_740_992 ? .int(Int(value)) : .number(value)
    }
}
