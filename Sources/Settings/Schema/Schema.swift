import Files

/// The whole settings table, and look-up in it by dotted path.
public enum Schema {
    /// All sections, with defaults.
    public static let root = RunSettings.schema(defaults: RunSettings())

    /// The part of the settings tree at a dotted path; names of map entries are free.
    public static func node(at path: String) -> SchemaNode? {
        var node = SchemaNode.section(root)
        for key in path.split(separator: ".", omittingEmptySubsequences: false) {
            switch node {
            case .setting: return nil
            case .section(let section):
                guard let next = section[String(key)] else { return nil }
                node = next
            case .map(let entry, _):
                guard isName(String(key)) else { return nil }
                node = .section(entry)
            }
        }
        return node
    }

    /// The setting at a dotted path; nil where there is a section, or nothing.
    public static func setting(at path: String) -> Setting? {
        if case .setting(let setting) = node(at: path) { setting } else { nil }
    }

    /// Every setting with its dotted path, in the order of the documentation; `*` stands for a name of your choice.
    public static let settings: [(path: String, setting: Setting)] = flatten(root, under: "")

    /// The sections inside other ones, such as `tokenizer.optimizer`.
    private static let sections: [String] = {
        let all = settings.map { $0.path.split(separator: ".").map(String.init) }.flatMap { parts in
            (2..<max(parts.count, 2)).map { parts.prefix($0).joined(separator: ".") }
        }
        var seen: Set<String> = []
        return all.filter { !$0.hasSuffix("*") && seen.insert($0).inserted }
    }()

    /// The shortest end of `path` that no other setting shares: what a label calls it.
    /// Inside a map the entry's name comes first: `cfg.guidance.scale`.
    public static func shortName(of path: String) -> String {
        let parts = path.split(separator: ".")
        for count in parts.indices {
            if case .map = node(at: parts[...count].joined(separator: ".")), count + 1 < parts.count {
                return parts[(count + 1)...].joined(separator: ".")
            }
        }
        for count in 1..<max(parts.count, 2) {
            let suffix = parts.suffix(count).joined(separator: ".")
            let sharing = settings.count { $0.path == suffix || $0.path.hasSuffix(".\(suffix)") }
            if sharing == 1 { return suffix }
        }
        return path
    }

    /// What the writer of an unknown dotted path may have meant: settings of that name further down in the same
    /// section, else the nearest of `others`, else settings of that name anywhere, else the nearest path of all.
    package static func suggestion(for path: String, others: [String]) -> String? {
        // Nobody means anything by a word as long as that, and comparing it would take its time.
        guard path.utf8.count <= longestName else { return nil }
        let paths = settings.map(\.path) + sections
        let keys = path.split(separator: ".").map(String.init)
        let name = keys.last ?? path
        let section = keys.dropLast().map { "\($0)." }.joined()
        func named(in section: String) -> String? {
            let found = paths.filter { $0.hasPrefix(section) && $0.hasSuffix(".\(name)") }
            return found.isEmpty || found.count > 4 ? nil : found.joined(separator: " or ")
        }
        return (section.isEmpty ? nil : named(in: section)) ?? nearest(to: path, among: others) ?? named(in: "")
            ?? nearest(to: path, among: paths)
    }

    /// The end of an error message: `; did you mean …?`, or nothing.
    package static func hint(_ meant: String?) -> String { meant.map { "; did you mean \($0)?" } ?? "" }

    package static func hint(for word: String, among candidates: some Sequence<String>) -> String {
        hint(word.utf8.count <= longestName ? nearest(to: word, among: candidates) : nil)
    }

    /// Names of arms and of map entries: letters, digits, `-` and `_`.
    package static func isName(_ text: String) -> Bool {
        func isPlain(_ byte: UInt8) -> Bool {
            (48...57).contains(byte) || (65...90).contains(byte & 0xDF) && byte < 128
        }
        guard let first = text.utf8.first, isPlain(first) else { return false }
        return text.utf8.allSatisfy { isPlain($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
    }

    /// Characters of the longest name.
    package static let longestName = 200

    private static func flatten(_ section: SchemaSection, under prefix: String) -> [(path: String, setting: Setting)] {
        section.members.flatMap { key, node -> [(path: String, setting: Setting)] in
            switch node {
            case .setting(let setting): [(prefix + key, setting)]
            case .section(let inner): flatten(inner, under: "\(prefix)\(key).")
            case .map(let entry, _): flatten(entry, under: "\(prefix)\(key).*.")
            }
        }
    }
}
