import Files

/// A struct of settings that describes itself: its stored properties and one row of `fields` for each.
///
/// Everything else follows from the rows: snake_case keys in files, validation, defaults, documentation, records and hashes.
/// To add a setting, add a property with its default and a row below it, and read the property where it matters:
///
///     public struct ResampleSettings: SettingsSection {
///         public var rows = 6
///         public static let fields: [Field<Self>] = [
///             .value("rows", \.rows, "Prologues.", .atLeast(1)),
///         ]
///         …
///     }
public protocol SettingsSection: Sendable, Equatable {
    init()
    static var fields: [Field<Self>] { get }
    /// One line for the documentation.
    static var help: String { get }
}

extension SettingsSection {
    /// Settings as a record has them. Keys that are missing keep their default, so that records written before a key existed
    /// still read; keys that are not known are left out.
    ///
    ///     let settings = try RunSettings(run.config, from: "run.json")
    ///
    /// - Parameter name: what errors call the record.
    public init(_ record: JSONValue, from name: String) throws {
        try self.init(SourceValue(record, at: Place(file: name, line: nil)))
    }

    /// Checked settings over the defaults.
    package init(_ written: SourceValue) throws {
        self.init()
        try take(written)
    }

    /// Takes what is written over what is here.
    mutating func take(_ written: SourceValue) throws {
        for field in Self.fields {
            if let value = written[field.key] { try field.read(&self, value) }
        }
    }

    /// Every setting by its key, as records have them.
    public var json: JSONValue {
        .object(Dictionary(uniqueKeysWithValues: Self.fields.map { ($0.key, $0.write(self)) }))
    }

    /// The settings that affect results, with their values: what a stage's hash is taken over.
    public var identity: JSONValue { Self.identity(of: json) }

    /// The same without what nothing reads under these settings, so that runs which differ in nothing else share a stage.
    public var identityRead: JSONValue {
        .object(
            Dictionary(
                uniqueKeysWithValues: Self.fields.compactMap { field in
                    guard field.isRead(self), let value = field.identity(field.write(self)) else { return nil }
                    return (field.key, value)
                }))
    }

    /// The settings that affect results, from the section's JSON form.
    package static func identity(of resolved: JSONValue) -> JSONValue {
        guard let members = resolved.objectValue else { return resolved }
        return .object(
            Dictionary(
                uniqueKeysWithValues: fields.compactMap { field in
                    members[field.key].flatMap(field.identity).map { (field.key, $0) }
                }))
    }

    /// The schema whose defaults are the values of `defaults`.
    package static func schema(defaults: Self, isNullable: Bool = false) -> SchemaSection {
        SchemaSection(help: help, isNullable: isNullable, members: fields.map { ($0.key, $0.describe(defaults)) })
    }
}

/// A type that a single setting can have.
public protocol SettingValue: Sendable, Equatable {
    static var kind: ValueKind { get }
    static var isNullable: Bool { get }
    /// The value as records have it; nil where it is of another type.
    init?(json: JSONValue)
    var json: JSONValue { get }
}

extension SettingValue { public static var isNullable: Bool { false } }

extension Int: SettingValue {
    public static var kind: ValueKind { .int }
    public init?(json: JSONValue) {
        guard let value = json.intValue ?? json.doubleValue.flatMap(Int.init(exactly:)) else { return nil }
        self = value
    }
    public var json: JSONValue { .int(self) }
}

extension Double: SettingValue {
    public static var kind: ValueKind { .float }
    public init?(json: JSONValue) {
        guard let value = json.doubleValue else { return nil }
        self = value
    }
    public var json: JSONValue { .normalized(self) }
}

extension Bool: SettingValue {
    public static var kind: ValueKind { .bool }
    public init?(json: JSONValue) {
        guard let value = json.boolValue else { return nil }
        self = value
    }
    public var json: JSONValue { .bool(self) }
}

extension String: SettingValue {
    public static var kind: ValueKind { .string }
    public init?(json: JSONValue) {
        guard let value = json.stringValue else { return nil }
        self = value
    }
    public var json: JSONValue { .string(self) }
}

extension Array: SettingValue where Element: SettingValue {
    public static var kind: ValueKind { .list(Element.kind) }
    public init?(json: JSONValue) {
        guard let items = json.arrayValue else { return nil }
        self = items.compactMap(Element.init(json:))
        guard count == items.count else { return nil }
    }
    public var json: JSONValue { .array(map(\.json)) }
}

extension Optional: SettingValue where Wrapped: SettingValue {
    public static var kind: ValueKind { Wrapped.kind }
    public static var isNullable: Bool { true }
    public init?(json: JSONValue) {
        if json == .null {
            self = .none
        } else if let value = Wrapped(json: json) {
            self = value
        } else {
            return nil
        }
    }
    public var json: JSONValue { self?.json ?? .null }
}

/// A setting with a fixed set of names.
public protocol ChoiceSetting: SettingValue, CaseIterable, RawRepresentable where RawValue == String {}

extension ChoiceSetting {
    public static var kind: ValueKind { .choice(allCases.map(\.rawValue)) }
    public init?(json: JSONValue) {
        guard let value = json.stringValue.flatMap(Self.init(rawValue:)) else { return nil }
        self = value
    }
    public var json: JSONValue { .string(rawValue) }
}
