import Files

/// A struct of settings that describes itself: its stored properties and one row of `fields` for each.
///
/// Everything else follows from the rows: snake_case keys in files, validation, defaults, documentation and coding.
/// To add a setting, add a property with its default and a row below it; nothing else has to know.
public protocol SettingsSection: Codable, Sendable, Equatable {
    init()
    static var fields: [Field<Self>] { get }
    /// One line for the documentation.
    static var help: String { get }
}

extension SettingsSection {
    /// Keys that are missing keep their default, so that records written before a key existed still read.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: SettingKey.self)
        self.init()
        for field in Self.fields where container.contains(SettingKey(field.key)) { try field.read(&self, container) }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: SettingKey.self)
        for field in Self.fields { try field.write(self, &container) }
    }

    /// The settings that affect results, with their values: what a stage's hash is taken over.
    public var identity: JSONValue { Self.identity(of: json(self)) }

    /// The same from the section's JSON form.
    public static func identity(of resolved: JSONValue) -> JSONValue {
        guard let members = resolved.objectValue else { return resolved }
        return .object(Dictionary(uniqueKeysWithValues: fields.compactMap { field in
            members[field.key].flatMap(field.identity).map { (field.key, $0) }
        }))
    }

    /// The schema whose defaults are the values of `defaults`.
    static func schema(defaults: Self, isNullable: Bool = false) -> SchemaSection {
        SchemaSection(help: help, isNullable: isNullable, members: fields.map { ($0.key, $0.describe(defaults)) })
    }
}

/// A key of a settings file.
public struct SettingKey: CodingKey {
    public let stringValue: String
    public var intValue: Int? { nil }
    public init(_ name: String) { stringValue = name }
    public init?(stringValue: String) { self.init(stringValue) }
    public init?(intValue: Int) { nil }
}

/// A type that a single setting can have.
public protocol SettingValue: Codable, Sendable, Equatable {
    static var kind: ValueKind { get }
    static var isNullable: Bool { get }
}

extension SettingValue { public static var isNullable: Bool { false } }
extension Int: SettingValue { public static var kind: ValueKind { .int } }
extension Double: SettingValue { public static var kind: ValueKind { .float } }
extension Bool: SettingValue { public static var kind: ValueKind { .bool } }
extension String: SettingValue { public static var kind: ValueKind { .string } }
extension Array: SettingValue where Element: SettingValue {
    public static var kind: ValueKind { .list(Element.kind) }
}
extension Optional: SettingValue where Wrapped: SettingValue {
    public static var kind: ValueKind { Wrapped.kind }
    public static var isNullable: Bool { true }
}

/// A setting with a fixed set of names.
public protocol ChoiceSetting: SettingValue, CaseIterable, RawRepresentable where RawValue == String {}
extension ChoiceSetting { public static var kind: ValueKind { .choice(allCases.map(\.rawValue)) } }
