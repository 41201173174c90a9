import Files
import Foundation
import Settings

/// A sweep file with its bases merged in: settings checked, the sweep's own keys still as written.
struct SweepDocument {
    private(set) var file: String
    /// Checked settings, the file's over its bases'.
    var settings: SourceValue
    /// `seeds`, `axes`, `compare`, … as written.
    private(set) var grammar: [String: SourceValue]

    /// The keys of a sweep file beside the sections of settings, and how many levels deep each merges with a base's.
    static let grammarKeys: [String: Int] = [
        "name": 0, "question": 0, "base": 0, "seeds": 0, "axes": 1, "arms": 1, "zip": 0, "include": 0, "exclude": 0,
        "compare": 1, "only": 0,
    ]
    /// What a sweep says of itself is not inherited.
    private static let ownKeys: Set<String> = ["name", "question", "base"]

    /// The sections of settings a file may write; seeds have a grammar of their own.
    static let sections = SchemaSection(
        help: Schema.root.help, isNullable: false,
        members: Schema.root.members.filter { $0.key != "seed" && $0.key != "seeds" })

    subscript(key: String) -> SourceValue? {
        precondition(Self.grammarKeys[key] != nil, "'\(key)' is not a key of the sweep grammar")
        return grammar[key].flatMap { $0.isNull ? nil : $0 }
    }

    /// The entries of a map-valued key, those a file removed with `null` left out.
    func entries(_ key: String) throws -> [SourceEntry] {
        guard let value = self[key] else { return [] }
        guard let entries = value.entries else { throw value.place.error("\(key) must be a map, not \(value.shown)") }
        return entries.filter { !$0.value.isNull }
    }

    /// The items of a list-valued key.
    func items(_ key: String) throws -> [SourceValue] {
        guard let value = self[key] else { return [] }
        guard let items = value.items else { throw value.place.error("\(key) must be a list, not \(value.shown)") }
        return items
    }

    /// The text or texts of a key.
    func texts(_ key: String) throws -> [SourceValue] {
        guard let value = self[key] else { return [] }
        let items = value.items ?? [value]
        for item in items where item.text == nil {
            throw item.place.error("\(key) must be text or a list of texts, not \(item.shown)")
        }
        return items
    }

    mutating func override(_ key: String, with value: SourceValue) { grammar[key] = value }

    init(loading url: URL) throws {
        try self.init(loading: url, below: [], FileBudget())
    }

    /// A limit on bases of bases: each file is read as often as it is named, which can grow exponentially.
    private final class FileBudget {
        var left = 200
    }

    private init(loading url: URL, below: [URL], _ budget: FileBudget) throws {
        let url = url.standardizedFileURL
        budget.left -= 1
        guard budget.left >= 0 else {
            throw InputError(file: YAMLReader.shownPath(url), "more than 200 files are named by base")
        }
        let root = try YAMLReader.read(url)
        file = YAMLReader.shownPath(url)
        guard let entries = root.isNull ? [] : root.entries else {
            throw root.place.error("a sweep file is a map of keys, not \(root.shown)")
        }

        var errors = AllErrors()
        var written: [SourceEntry] = []
        var grammar: [String: SourceValue] = [:]
        for entry in entries {
            let first = entry.key.split(separator: ".").first.map(String.init) ?? ""
            if Self.grammarKeys[entry.key] != nil {
                grammar[entry.key] = entry.value
            } else if Self.sections[first] != nil {
                written.append(entry)
            } else {
                errors.add(Self.unknownKey(entry))
            }
        }
        let nothing = SourceValue.map([], at: root.place)
        settings =
            try errors.attempt {
                try Checker.check(.map(written, at: root.place), against: Self.sections)
            } ?? nothing
        self.grammar = grammar
        // What is wrong above is said together with what is wrong with the axes.
        if errors.isEmpty == false { _ = try errors.attempt { try Axis.all(of: self) } }
        try errors.throwAny()

        guard let base = self["base"] else { return }
        let inherited = try texts("base").map { item in
            try Self.load(base: item.text ?? "", at: item.place, from: url, below: below, budget)
        }
        guard !inherited.isEmpty else { throw base.place.error("base is an empty list") }
        let below = inherited.dropFirst().reduce(inherited[0]) { $1.over($0) }
        self = over(below)
    }

    private static func load(base: String, at place: Place, from url: URL, below: [URL], _ budget: FileBudget) throws
        -> SweepDocument
    {
        let target = URL(fileURLWithPath: base, relativeTo: url.deletingLastPathComponent()).standardizedFileURL
        let chain = below + [url]
        if let start = chain.firstIndex(of: target) {
            let story = (chain[start...] + [target]).map(\.lastPathComponent).joined(separator: " → ")
            throw place.error("base goes round in a circle: \(story)")
        }
        guard FileManager.default.fileExists(atPath: target.path) else {
            let siblings = try? FileManager.default.contentsOfDirectory(atPath: target.deletingLastPathComponent().path)
            throw place.error(
                "base \(base) is not there; paths are relative to the file that names them"
                    + Schema.hint(for: target.lastPathComponent, among: (siblings ?? []).sorted()))
        }
        return try SweepDocument(loading: target, below: chain, budget)
    }

    /// This document over one that it is based on.
    private func over(_ base: SweepDocument) -> SweepDocument {
        var result = self
        result.settings = settings.merged(over: base.settings)
        for (key, value) in base.grammar where !Self.ownKeys.contains(key) {
            result.grammar[key] = grammar[key]?.merged(over: value, depth: Self.grammarKeys[key] ?? 0) ?? value
        }
        return result
    }

    private static func unknownKey(_ entry: SourceEntry) -> InputError {
        let first = entry.key.split(separator: ".").first.map(String.init) ?? ""
        if let reason = Derived.reason(for: first) {
            return entry.place.error("\(entry.key) cannot be set: \(reason)")
        }
        let known = grammarKeys.keys.sorted() + sections.members.map(\.key)
        let all = "; keys of a sweep file: \(known.joined(separator: ", "))"
        let meant = Schema.suggestion(for: entry.key, others: known)
        return entry.place.error("unknown key \(entry.key)\(meant == nil ? all : Schema.hint(meant))")
    }
}
