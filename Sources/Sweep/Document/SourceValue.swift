import Files

/// Where a value was written.
struct Place: Sendable, Equatable {
    let file: String
    let line: Int?

    /// `file:line`, for messages.
    var shown: String { line.map { "\(file):\($0)" } ?? file }

    func error(_ message: String) -> InputError { InputError(file: file, line: line, message) }
}

/// A value of a settings file that knows where it was written.
struct SourceValue: Sendable {
    enum Content: Sendable {
        case plain(JSONValue)
        case list([SourceValue])
        case map([SourceEntry])
    }

    var content: Content
    let place: Place

    static func plain(_ value: JSONValue, at place: Place) -> SourceValue {
        SourceValue(content: .plain(value), place: place)
    }

    static func map(_ entries: [SourceEntry], at place: Place) -> SourceValue {
        SourceValue(content: .map(entries), place: place)
    }

    var entries: [SourceEntry]? { if case .map(let entries) = content { entries } else { nil } }
    var items: [SourceValue]? { if case .list(let items) = content { items } else { nil } }
    var isNull: Bool { if case .plain(.null) = content { true } else { false } }
    var text: String? { if case .plain(.string(let text)) = content { text } else { nil } }

    subscript(key: String) -> SourceValue? { entries?.first { $0.key == key }?.value }

    /// The value without its places.
    var json: JSONValue {
        switch content {
        case .plain(let value): value
        case .list(let items): .array(items.map(\.json))
        case .map(let entries):
            .object(Dictionary(entries.map { ($0.key, $0.value.json) }, uniquingKeysWith: { _, last in last }))
        }
    }

    /// In an error message: the value as it could be written on one line.
    var shown: String {
        switch content {
        case .plain(let value): value.canonical
        case .list(let items): "[\(items.map(\.shown).joined(separator: ", "))]"
        case .map(let entries): "{\(entries.map { "\($0.key): \($0.value.shown)" }.joined(separator: ", "))}"
        }
    }

    /// This value over `base`: maps merge key by key down to `depth` levels, everything else replaces.
    func merged(over base: SourceValue?, depth: Int = .max) -> SourceValue {
        guard depth > 0, let base, let below = base.entries, let above = entries else { return self }
        var result = below
        for entry in above {
            if let index = result.firstIndex(where: { $0.key == entry.key }) {
                result[index].value = entry.value.merged(over: result[index].value, depth: depth - 1)
            } else {
                result.append(entry)
            }
        }
        return .map(result, at: place)
    }

    /// What was written at a dotted path.
    func value(at path: String) -> SourceValue? {
        path.split(separator: ".").reduce(Optional(self)) { value, key in value?[String(key)] }
    }
}

struct SourceEntry: Sendable {
    let key: String
    /// Where the key stands.
    let place: Place
    var value: SourceValue
}
