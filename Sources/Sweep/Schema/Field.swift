import Files

/// One key of a section: how it is described, read, written and hashed.
public struct Field<Root: SettingsSection>: Sendable {
    let key: String
    let describe: @Sendable (Root) -> SchemaNode
    let read: @Sendable (inout Root, KeyedDecodingContainer<SettingKey>) throws -> Void
    let write: @Sendable (Root, inout KeyedEncodingContainer<SettingKey>) throws -> Void
    /// The value as it enters a stage's hash; nil where it does not.
    let identity: @Sendable (JSONValue) -> JSONValue?

    /// A single value. `isLater`: the key came after there were results, and its default means what was done before;
    /// at its default it enters no hash, so that what was made without it keeps its name.
    static func value<Value: SettingValue>(
        _ key: String, _ path: any WritableKeyPath<Root, Value> & Sendable, _ help: String,
        _ bounds: Bounds? = nil, count: Int? = nil, unit: String? = nil, affectsResults: Bool = true,
        isLater: Bool = false
    ) -> Field {
        let asBefore = isLater ? json(Root()[keyPath: path]) : nil
        return Field(key, path, identity: { !affectsResults || $0 == asBefore ? nil : $0 }) { root in
            .setting(Setting(
                kind: Value.kind, isNullable: Value.isNullable, default: json(root[keyPath: path]), bounds: bounds,
                count: count, unit: unit, help: help, affectsResults: affectsResults))
        }
    }

    /// A section inside this one.
    static func section<Value: SettingsSection>(
        _ key: String, _ path: any WritableKeyPath<Root, Value> & Sendable
    ) -> Field {
        Field(key, path, identity: { Value.identity(of: $0) }) { root in
            .section(Value.schema(defaults: root[keyPath: path]))
        }
    }

    /// A section that is `null` unless given.
    static func section<Value: SettingsSection>(
        _ key: String, _ path: any WritableKeyPath<Root, Value?> & Sendable
    ) -> Field {
        Field(key, path, identity: { Value.identity(of: $0) }) { _ in
            .section(Value.schema(defaults: Value(), isNullable: true))
        }
    }

    /// Sections under names of the user's choice.
    static func map<Value: SettingsSection>(
        _ key: String, _ path: any WritableKeyPath<Root, [String: Value]> & Sendable
    ) -> Field {
        Field(key, path, identity: { .object(($0.objectValue ?? [:]).mapValues(Value.identity(of:))) }) { root in
            .map(entry: Value.schema(defaults: Value()), default: json(root[keyPath: path]))
        }
    }

    private init<Value: Codable & Sendable>(
        _ key: String, _ path: any WritableKeyPath<Root, Value> & Sendable,
        identity: @escaping @Sendable (JSONValue) -> JSONValue?, describe: @escaping @Sendable (Root) -> SchemaNode
    ) {
        self.key = key
        self.describe = describe
        self.identity = identity
        read = { $0[keyPath: path] = try $1.decode(Value.self, forKey: SettingKey(key)) }
        write = { try $1.encode($0[keyPath: path], forKey: SettingKey(key)) }
    }
}

/// A settings value as JSON. Settings are plain finite data, for which encoding cannot fail.
func json(_ value: some Encodable) -> JSONValue {
    do {
        return try JSONValue(encoding: value)
    } catch {
        preconditionFailure("a setting has a value that JSON cannot hold: \(value) (\(error))")
    }
}
