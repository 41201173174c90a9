import Files

/// The settings of a run under dotted keys, by top-level section: runs share the sections that they share.
public struct FlatSettings: Sendable, Equatable {
    private var sections: [String: [String: JSONValue]]

    /// - Parameter sections: the settings of each, by full dotted key.
    public init(sections: [String: [String: JSONValue]]) { self.sections = sections }

    public init(_ config: JSONValue) {
        sections = (config.objectValue ?? [:]).reduce(into: [:]) { sections, member in
            sections[member.key] = Dictionary(
                member.value.flattened(under: member.key).map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
        }
    }

    public subscript(key: String) -> JSONValue? { sections[String(key.prefix { $0 != "." })]?[key] }

    public var keys: [String] { sections.values.flatMap(\.keys).sorted() }

    /// What a run was put through besides, which makes it no other run.
    static let besides = "semantics"

    /// What identifies an arm, and what tells its replicates apart: the settings without and with those in `over`.
    /// `seed` stands for the seeds of all parts.
    public func split(over: [String]) -> (arm: FlatSettings, replicate: String) {
        let prefixes = over.contains("seed") ? over + ["seeds"] : over
        var arm = self
        if !over.contains(where: { $0.hasPrefix(Self.besides) }) { arm.sections[Self.besides] = nil }
        var replicate: [String] = []
        for section in Set(prefixes.map { String($0.prefix { $0 != "." }) }) {
            for (key, value) in sections[section] ?? [:] where prefixes.contains(where: { key == $0 || key.hasPrefix("\($0).") }) {
                arm.sections[section]?[key] = nil
                replicate.append("\(key)=\(value.canonical)")
            }
            if arm.sections[section]?.isEmpty == true { arm.sections[section] = nil }
        }
        return (arm, replicate.sorted().joined(separator: ","))
    }

    /// The keys whose values are not the same in all of `settings`, sorted.
    public static func differing(_ settings: [FlatSettings]) -> [String] {
        Set(settings.flatMap(\.sections.keys)).flatMap { name -> [String] in
            let all = settings.map { $0.sections[name] ?? [:] }
            // Runs that share a section share its memory, so that most of them are compared at once.
            let others = all.filter { $0 != all[0] }
            guard !others.isEmpty else { return [] }
            return Set(all[0].keys).union(others.flatMap(\.keys)).filter { key in others.contains { $0[key] != all[0][key] } }
        }.sorted()
    }
}
