import Files
import Foundation
import Settings
import Yams

/// Reads YAML text into values with places. Plain scalars follow YAML 1.2's core schema (`YAMLScalar`); merge keys (`<<`) are
/// taken in, and a file that unfolds to more than anybody writes is refused.
struct YAMLReader {
    /// Where a text comes from, as errors name it.
    enum Source {
        case file(String)
        /// An option of the command line; its lines are not counted.
        case argument(String)

        func place(_ mark: Mark?) -> Place { place(line: mark?.line) }

        func place(line: Int?) -> Place {
            switch self {
            case .file(let name): Place(file: name, line: line)
            case .argument(let name): Place(file: name, line: nil)
            }
        }
    }

    /// Far more than a sweep of the most cells needs; aliases unfold beyond any bound.
    private static let mostBytes = 4_000_000
    private static let mostValues = 300_000
    private static let longestText = 10_000

    private let source: Source
    private var values = 0

    static func read(_ url: URL) throws -> SourceValue {
        let file = shownPath(url)
        let data: Data
        do {
            // The parser gives no document for an empty file.
            data = try FileHandle(forReadingFrom: url).read(upToCount: mostBytes + 1) ?? Data()
        } catch {
            throw InputError(file: file, "cannot be read: no such file, or no permission")
        }
        guard data.count <= mostBytes else { throw InputError(file: file, "is larger than \(mostBytes) bytes") }
        guard let text = String(data: data, encoding: .utf8) else {
            throw InputError(file: file, "is not UTF-8 text")
        }
        return try parse(text, source: .file(file))
    }

    /// An empty text is null.
    static func parse(_ text: String, source: Source) throws -> SourceValue {
        // UTF-8 needs no byte order mark; one is skipped.
        let text = text.hasPrefix("\u{FEFF}") ? String(text.dropFirst()) : text
        try refuseAliasKeys(text, source)
        do {
            // The parser would use YAML 1.1's types; `YAMLScalar` decides instead.
            guard let root = try Yams.compose(yaml: text, .basic) else { return .plain(.null, at: source.place(nil)) }
            var reader = YAMLReader(source: source)
            return try reader.convert(root)
        } catch let error as YamlError {
            throw inputError(error, source)
        }
    }

    /// The path as seen from the working folder, for messages.
    static func shownPath(_ url: URL) -> String {
        let path = url.standardizedFileURL.path
        let folder = FileManager.default.currentDirectoryPath + "/"
        return path.hasPrefix(folder) ? String(path.dropFirst(folder.count)) : path
    }

    private init(source: Source) { self.source = source }

    private mutating func convert(_ node: Node) throws -> SourceValue {
        let place = source.place(node.mark)
        values += 1
        guard values <= Self.mostValues else {
            throw place.error("unfolds to more than \(Self.mostValues) values, aliases counted as often as they are used")
        }
        switch node {
        case .scalar(let scalar): return try convert(scalar, at: place)
        case .sequence(let items):
            try requireTag(items.tag, "seq", at: place)
            return SourceValue(content: .list(try items.map { try convert($0) }), place: place)
        case .mapping(let mapping):
            try requireTag(mapping.tag, "map", at: place)
            return .map(try entries(of: mapping), at: place)
        case .alias:
            throw place.error("an alias that stands for nothing")
        }
    }

    private func convert(_ scalar: Node.Scalar, at place: Place) throws -> SourceValue {
        let text = scalar.string
        guard text.utf8.count <= Self.longestText else {
            throw place.error("a text of \(text.count) characters; at most \(Self.longestText) are read")
        }
        let tag = scalar.tag.description
        if scalar.style != .plain || tag == Self.core + "str" { return .plain(.string(text), at: place) }
        let value = YAMLScalar.value(of: text)
        switch tag.hasPrefix(Self.core) ? String(tag.dropFirst(Self.core.count)) : tag {
        case "", "!": break
        case "int" where value.intValue != nil, "float" where value.doubleValue != nil, "bool" where value.boolValue != nil,
            "null" where value == .null:
            break
        default: throw place.error("the tag \(shown(tag)) means nothing for '\(text)' here; write the value without it")
        }
        return SourceValue(content: .plain(value), place: place, written: text)
    }

    /// The entries in order, with those of merge keys (`<<: *base`) in their places: what the map says itself comes first, then
    /// earlier merged maps.
    private mutating func entries(of mapping: Node.Mapping) throws -> [SourceEntry] {
        var own: [SourceEntry] = []
        var merged: [SourceEntry] = []
        for (key, value) in mapping {
            let keyPlace = source.place(key.mark)
            guard let scalar = key.scalar else { throw keyPlace.error("a key must be plain text") }
            guard scalar.string.utf8.count <= Self.longestText else {
                throw keyPlace.error("a key of \(scalar.string.count) characters; at most \(Self.longestText) are read")
            }
            let converted = try convert(value)
            guard scalar.string == "<<", scalar.style == .plain else {
                own.append(SourceEntry(key: scalar.string, place: keyPlace, value: converted))
                continue
            }
            for map in converted.items ?? [converted] {
                guard let entries = map.entries else {
                    throw keyPlace.error("<< takes in the keys of a map, or of a list of maps, not \(map.shown)")
                }
                merged += entries
            }
        }
        var seen = Set(own.map(\.key))
        return own + merged.filter { seen.insert($0.key).inserted }
    }

    private static let core = "tag:yaml.org,2002:"

    private func requireTag(_ tag: Tag, _ kind: String, at place: Place) throws {
        let name = tag.description
        guard ["", "!", Self.core + kind].contains(name) else {
            throw place.error("the tag \(shown(name)) means nothing here; write the value without it")
        }
    }

    private func shown(_ tag: String) -> String {
        tag.hasPrefix(Self.core) ? "!!" + tag.dropFirst(Self.core.count) : tag
    }

    /// Comparing keys that are whole structures unfolds their aliases before anything can be counted.
    private static func refuseAliasKeys(_ text: String, _ source: Source) throws {
        guard text.contains("*"), text.contains("&") else { return }
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
        where line.utf8.count <= longestText && (line.contains("*") || line.contains("?")) {
            let bare = line.trimmingPrefix(while: { $0 == " " || $0 == "-" })
            let isKey =
                bare.hasPrefix("? ") || bare == "?" || bare.firstMatch(of: /(^|[{,\[?] *)\*[^ ,\]}'"]+ *:( |$)/) != nil
                || bare.firstMatch(of: /\*[^'"]*[\]}] *:( |$)/) != nil
            if isKey { throw source.place(line: index + 1).error("a key must be plain text, not an alias or a structure") }
        }
    }

    private static func inputError(_ error: YamlError, _ source: Source) -> InputError {
        switch error {
        case .scanner(let context, let problem, let mark, let yaml),
            .parser(let context, let problem, let mark, let yaml),
            .composer(let context, let problem, let mark, let yaml):
            let story = context.map { "\($0.text) (line \($0.mark.line)), " } ?? ""
            return source.place(mark).error("not valid YAML: \(story)\(problem)\n\(mark.snippet(from: yaml))")
        case .duplicatedKeysInMapping(let keys, let context):
            let names = keys.map { "'\($0)'" }.joined(separator: ", ")
            return source.place(context.mark).error("key \(names) is given twice in the map that begins here")
        case .reader(let problem, let offset, _, let yaml):
            // The offset is in bytes.
            let line = offset.map { yaml.utf8.prefix($0).count { $0 == UInt8(ascii: "\n") } + 1 }
            return source.place(line: line).error("not valid YAML: \(problem)")
        default:
            return source.place(nil).error("not valid YAML: \(error)")
        }
    }
}
