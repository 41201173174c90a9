import Files
import Foundation
import Settings
import Yams

/// Reads YAML text into values with places. Plain scalars follow YAML 1.2's core schema: only `true` and `false` are
/// booleans, and `1e-3` is a number.
enum YAMLReader {
    /// Where a text comes from, as errors name it.
    enum Source {
        case file(String)
        /// An option of the command line; its lines are not counted.
        case argument(String)

        func place(_ mark: Mark?) -> Place {
            switch self {
            case .file(let name): Place(file: name, line: mark?.line)
            case .argument(let name): Place(file: name, line: nil)
            }
        }
    }

    static func read(_ url: URL) throws -> SourceValue {
        let file = shownPath(url)
        guard let data = try? Data(contentsOf: url) else {
            throw InputError(file: file, "cannot be read: no such file, or no permission")
        }
        guard let text = String(data: data, encoding: .utf8) else {
            throw InputError(file: file, "is not UTF-8 text")
        }
        return try parse(text, source: .file(file))
    }

    /// An empty text is null.
    static func parse(_ text: String, source: Source) throws -> SourceValue {
        do {
            guard let root = try Yams.compose(yaml: text) else { return .plain(.null, at: source.place(nil)) }
            return try convert(root, source)
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

    private static func convert(_ node: Node, _ source: Source) throws -> SourceValue {
        let place = source.place(node.mark)
        switch node {
        case .scalar(let scalar):
            return .plain(scalar.style == .plain ? plainScalar(scalar.string) : .string(scalar.string), at: place)
        case .sequence(let items):
            return SourceValue(content: .list(try items.map { try convert($0, source) }), place: place)
        case .mapping(let mapping):
            return .map(try mapping.map { key, value in
                let keyPlace = source.place(key.mark)
                guard let name = key.scalar?.string else { throw keyPlace.error("a key must be plain text") }
                return SourceEntry(key: name, place: keyPlace, value: try convert(value, source))
            }, at: place)
        case .alias:
            throw place.error("an alias that stands for nothing")
        }
    }

    private static func plainScalar(_ text: String) -> JSONValue {
        switch text {
        case "", "~", "null": return .null
        case "true": return .bool(true)
        case "false": return .bool(false)
        default: break
        }
        if text.wholeMatch(of: /[-+]?[0-9]+/) != nil, let value = Int(text) { return .int(value) }
        if text.wholeMatch(of: /[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?/) != nil,
            let value = Double(text), value.isFinite
        {
            return .number(value)
        }
        return .string(text)
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
        case .reader(let problem, let offset, _, _):
            return source.place(nil).error(
                "not valid YAML\(offset.map { " at character \($0)" } ?? ""): \(problem)")
        default:
            return source.place(nil).error("not valid YAML: \(error)")
        }
    }
}
