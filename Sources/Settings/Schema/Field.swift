import Files

/// One key of a section: how it is described, read, written and hashed.
public struct Field<Root: SettingsSection>: Sendable {
    let key: String
    let describe: @Sendable (Root) -> SchemaNode
    /// Takes a checked value into the section; maps change only the keys that they have.
    let read: @Sendable (inout Root, SourceValue) throws -> Void
    let write: @Sendable (Root) -> JSONValue
    /// The value as it enters a stage's hash; nil where it does not.
    let identity: @Sendable (JSONValue) -> JSONValue?
    /// Whether anything reads the key under these settings; where nothing does, no stage's hash has it.
    let isRead: @Sendable (Root) -> Bool

    /// A single value.
    ///
    /// - Parameters:
    ///   - isLater: the key came after there were results, and its default means what was done before; at its default it
    ///     enters no hash, so that what was made without it keeps its name.
    ///   - isRead: whether anything reads it under these settings.
    package static func value<Value: SettingValue>(
        _ key: String, _ path: any WritableKeyPath<Root, Value> & Sendable, _ help: String,
        _ bounds: Bounds? = nil, count: Int? = nil, unit: String? = nil, affectsResults: Bool = true,
        isLater: Bool = false, when isRead: @escaping @Sendable (Root) -> Bool = { _ in true }
    ) -> Field {
        let asBefore = isLater ? Root()[keyPath: path].json : nil
        return Field(
            key: key,
            describe: { root in
                .setting(
                    Setting(
                        kind: Value.kind, isNullable: Value.isNullable, default: root[keyPath: path].json, bounds: bounds,
                        count: count, unit: unit, help: help, affectsResults: affectsResults))
            },
            read: { root, written in
                guard let value = Value(json: written.json) else {
                    throw written.place.error("\(key) is \(written.shown), but must be of type \(Value.kind.name)")
                }
                root[keyPath: path] = value
            },
            write: { $0[keyPath: path].json }, identity: { !affectsResults || $0 == asBefore ? nil : $0 }, isRead: isRead)
    }

    /// A section inside this one.
    static func section<Value: SettingsSection>(
        _ key: String, _ path: any WritableKeyPath<Root, Value> & Sendable,
        when isRead: @escaping @Sendable (Root) -> Bool = { _ in true }
    ) -> Field {
        Field(
            key: key, describe: { .section(Value.schema(defaults: $0[keyPath: path])) },
            read: { try $0[keyPath: path].take($1) }, write: { $0[keyPath: path].json },
            identity: { Value.identity(of: $0) }, isRead: isRead)
    }

    /// Keys of another section, among those of this one.
    static func included<Part: SettingsSection>(
        _ fields: [Field<Part>], _ path: any WritableKeyPath<Root, Part> & Sendable
    ) -> [Field] {
        fields.map { field in
            Field(
                key: field.key, describe: { field.describe($0[keyPath: path]) },
                read: { try field.read(&$0[keyPath: path], $1) }, write: { field.write($0[keyPath: path]) },
                identity: field.identity, isRead: { field.isRead($0[keyPath: path]) })
        }
    }

    /// A section that is `null` unless given.
    static func section<Value: SettingsSection>(
        _ key: String, _ path: any WritableKeyPath<Root, Value?> & Sendable
    ) -> Field {
        Field(
            key: key, describe: { _ in .section(Value.schema(defaults: Value(), isNullable: true)) },
            read: { root, written in
                root[keyPath: path] = written.isNull ? nil : try Value(written)
            },
            write: { $0[keyPath: path]?.json ?? .null }, identity: { Value.identity(of: $0) }, isRead: { _ in true })
    }

    /// Sections under names of the user's choice; an entry that is `null` is none.
    static func map<Value: SettingsSection>(
        _ key: String, _ path: any WritableKeyPath<Root, [String: Value]> & Sendable
    ) -> Field {
        Field(
            key: key,
            describe: { root in
                .map(entry: Value.schema(defaults: Value()), default: .object(root[keyPath: path].mapValues(\.json)))
            },
            read: { root, written in
                let entries = (written.entries ?? []).filter { !$0.value.isNull }.map { ($0.key, $0.value) }
                root[keyPath: path] = try Dictionary(entries, uniquingKeysWith: { $1 }).mapValues(Value.init)
            },
            write: { .object($0[keyPath: path].mapValues(\.json)) },
            identity: { .object(($0.objectValue ?? [:]).mapValues(Value.identity(of:))) }, isRead: { _ in true })
    }
}
