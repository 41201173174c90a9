import Files

/// Where a value was written.
package struct Place: Sendable, Equatable {
    package let file: String
    package let line: Int?

    package init(file: String, line: Int?) { (self.file, self.line) = (file, line) }

    /// `file:line`, for messages.
    package var shown: String { line.map { "\(file):\($0)" } ?? file }

    package func error(_ message: String) -> InputError { InputError(file: file, line: line, message) }
}

/// A value of a settings file that knows where it was written.
package struct SourceValue: Sendable {
    package enum Content: Sendable {
        case plain(JSONValue)
        case list([SourceValue])
        case map([SourceEntry])
    }

    package var content: Content
    package let place: Place
    /// A plain scalar as it was written, such as `4` or `1e3`.
    package let written: String?

    package init(content: Content, place: Place, written: String? = nil) {
        (self.content, self.place, self.written) = (content, place, written)
    }

    /// A value of a record.
    init(_ json: JSONValue, at place: Place) {
        let content: Content =
            switch json {
            case .array(let items): .list(items.map { SourceValue($0, at: place) })
            case .object(let members):
                .map(members.map { SourceEntry(key: $0, place: place, value: SourceValue($1, at: place)) })
            default: .plain(json)
            }
        self.init(content: content, place: place)
    }

    package static func plain(_ value: JSONValue, at place: Place) -> SourceValue {
        SourceValue(content: .plain(value), place: place)
    }

    package static func map(_ entries: [SourceEntry], at place: Place) -> SourceValue {
        SourceValue(content: .map(entries), place: place)
    }

    package var entries: [SourceEntry]? { if case .map(let entries) = content { entries } else { nil } }
    package var items: [SourceValue]? { if case .list(let items) = content { items } else { nil } }
    package var isNull: Bool { if case .plain(.null) = content { true } else { false } }
    package var text: String? { if case .plain(.string(let text)) = content { text } else { nil } }

    /// What names an arm or the like: a text, or a number or truth value as it was written.
    package var name: String? { text ?? (isNull ? nil : written) }

    package subscript(key: String) -> SourceValue? { entries?.first { $0.key == key }?.value }

    /// The value without its places.
    package var json: JSONValue {
        switch content {
        case .plain(let value): value
        case .list(let items): .array(items.map(\.json))
        case .map(let entries):
            .object(Dictionary(entries.map { ($0.key, $0.value.json) }, uniquingKeysWith: { _, last in last }))
        }
    }

    /// In an error message: the value as it could be written on one line, cut where that is long.
    package var shown: String {
        let line = line
        return line.count > 160 ? line.prefix(150) + " …" : line
    }

    private var line: String {
        switch content {
        case .plain(let value): value.canonical
        case .list(let items): "[\(items.prefix(60).map(\.shown).joined(separator: ", "))]"
        case .map(let entries): "{\(entries.prefix(60).map { "\($0.key): \($0.value.shown)" }.joined(separator: ", "))}"
        }
    }

    /// This value over `base`: maps merge key by key down to `depth` levels, everything else replaces.
    package func merged(over base: SourceValue?, depth: Int = .max) -> SourceValue {
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
    package func value(at path: String) -> SourceValue? {
        path.split(separator: ".").reduce(Optional(self)) { value, key in value?[String(key)] }
    }
}

package struct SourceEntry: Sendable {
    package let key: String
    /// Where the key stands.
    package let place: Place
    package var value: SourceValue

    package init(key: String, place: Place, value: SourceValue) { (self.key, self.place, self.value) = (key, place, value) }
}
