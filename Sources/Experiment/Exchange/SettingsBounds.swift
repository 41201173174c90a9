import Files
import Foundation
import Settings

/// Values that come from somewhere else than a sweep file, held to the bounds of the settings table.
enum SettingsBounds {
    /// Requires of the values below `path` what the table requires of such settings; keys that it does not know are passed over.
    ///
    /// - Throws: `InputError` naming the setting, its value and what is allowed.
    static func check(_ values: JSONValue, at path: String) throws {
        guard let node = Schema.node(at: path) else { preconditionFailure("there is no setting '\(path)'") }
        try check(values, node, path)
    }

    /// The same for an entry of `sampling.settings`.
    static func check(sampler values: JSONValue) throws {
        guard case .map(let entry, _)? = Schema.node(at: "sampling.settings") else {
            preconditionFailure("sampling.settings holds no samplers")
        }
        try check(values, .section(entry), "sampler")
    }

    private static func check(_ value: JSONValue, _ node: SchemaNode, _ path: String) throws {
        switch node {
        case .setting(let setting): try check(value, setting, path)
        case .section(let section):
            guard let members = value.objectValue else {
                throw InputError("\(path) is \(value.canonical), but must be a group of settings")
            }
            for (key, node) in section.members {
                if let value = members[key] { try check(value, node, "\(path).\(key)") }
            }
        case .map(let entry, _):
            for (name, value) in value.objectValue ?? [:] { try check(value, .section(entry), "\(path).\(name)") }
        }
    }

    private static func check(_ value: JSONValue, _ setting: Setting, _ path: String) throws {
        if value == .null {
            guard setting.isNullable else { throw InputError("\(path) is null, but must be of type \(setting.kind.name)") }
            return
        }
        if case .list(let element) = setting.kind {
            guard let items = value.arrayValue, setting.count == nil || setting.count == items.count else {
                let count = setting.count.map { " of \($0) entries" } ?? ""
                throw InputError("\(path) is \(value.canonical), but must be a \(setting.kind.name)\(count)")
            }
            for item in items { try check(item, element, setting.bounds, path) }
        } else {
            try check(value, setting.kind, setting.bounds, path)
        }
    }

    private static func check(_ value: JSONValue, _ kind: ValueKind, _ bounds: Bounds?, _ path: String) throws {
        func mistake(_ expected: String) -> InputError {
            let shown = value.doubleValue.map { $0.isFinite ? value.canonical : "\($0)" } ?? value.canonical
            return InputError("\(path) is \(shown), but must be \(expected)")
        }
        switch kind {
        case .int, .float:
            guard let number = value.doubleValue, kind == .float || value.intValue != nil else {
                throw mistake(kind == .int ? "a whole number" : "a number")
            }
            guard number.isFinite, bounds?.contains(number) ?? true else { throw mistake(bounds?.text ?? "finite") }
        case .bool: guard case .bool = value else { throw mistake("true or false") }
        case .string: guard value.stringValue != nil else { throw mistake("text") }
        case .choice(let names):
            guard let text = value.stringValue, names.contains(text) else {
                let hint = value.stringValue.flatMap { nearest(to: $0, among: names) }.map { "; did you mean '\($0)'?" } ?? ""
                throw mistake("one of \(names.joined(separator: ", "))\(hint)")
            }
        case .list: throw mistake("no list of lists")
        }
    }
}

extension SamplerSettings {
    /// Requires what a sweep file would be required of.
    /// - Throws: `InputError` naming the setting and what is allowed.
    public func requireAllowed() throws {
        func number(_ value: Double) -> JSONValue { .number(value) }
        try SettingsBounds.check(sampler: [
            "temperature": number(temperature), "prologue_temperature": prologueTemperature.map(number) ?? .null,
            "top_k": .int(topK), "top_p": number(topP),
            "guidance": ["scale": number(guidance.scale), "power": number(guidance.power)],
        ])
    }
}
