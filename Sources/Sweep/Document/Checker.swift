import Files
import Settings

/// Checks what was written against the schema: every key known, every value of its type and in its range.
enum Checker {
    /// The checked form of a map of settings: dotted keys opened into nested maps, values in their one JSON form,
    /// an empty section (`tokenizer:` with nothing below) as an empty map.
    static func check(_ value: SourceValue, against section: SchemaSection, path: String = "") throws -> SourceValue {
        if value.isNull { return section.isNullable ? value : .map([], at: value.place) }
        guard let entries = value.entries else {
            throw value.place.error(
                "\(path.isEmpty ? "settings" : path) must be a map, not \(value.shown); keys: \(keys(of: section))")
        }
        var seen: [String: Place] = [:]
        var result: SourceValue = .map([], at: value.place)
        for checked in try entries.mapAll({ try self.check(opened($0), against: section, path: path) }) {
            for leaf in leaves(of: checked.value, under: checked.key) {
                if let first = seen[leaf.path] {
                    throw leaf.place.error("\(join(path, leaf.path)) is given twice, first at \(first.shown)")
                }
                seen[leaf.path] = leaf.place
            }
            result = SourceValue.map([checked], at: value.place).merged(over: result)
        }
        return result
    }

    /// What a checked map assigns, in order.
    static func leafPaths(of patch: SourceValue) -> [Leaf] { leaves(of: patch, under: "").filter { !$0.path.isEmpty } }

    /// A dotted path and what is assigned there; an empty map counts as an assignment.
    struct Leaf {
        let path: String
        let value: SourceValue
        var place: Place { value.place }
    }

    private static func leaves(of value: SourceValue, under path: String) -> [Leaf] {
        guard let entries = value.entries, !entries.isEmpty else { return [Leaf(path: path, value: value)] }
        return entries.flatMap { leaves(of: $0.value, under: join(path, $0.key)) }
    }

    /// A map that assigns `value` at a dotted path.
    static func nest(_ path: String, _ value: SourceValue) -> SourceValue {
        path.split(separator: ".", omittingEmptySubsequences: false).reversed().reduce(value) { inner, key in
            .map([SourceEntry(key: String(key), place: value.place, value: inner)], at: value.place)
        }
    }

    /// `a.b: 1` as `a: {b: 1}`.
    private static func opened(_ entry: SourceEntry) -> SourceEntry {
        let keys = entry.key.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard keys.count == 2 else { return entry }
        let inner = SourceEntry(key: keys[1], place: entry.place, value: entry.value)
        return SourceEntry(key: keys[0], place: entry.place, value: .map([inner], at: entry.place))
    }

    private static func check(
        _ entry: SourceEntry, against section: SchemaSection, path: String
    ) throws -> SourceEntry {
        let inner = join(path, entry.key)
        guard let node = section[entry.key] else { throw unknownKey(entry, in: section, path: path) }
        var result = entry
        switch node {
        case .setting(let setting): result.value = try ValueCheck(setting, path: inner).check(entry.value)
        case .section(let nested): result.value = try check(entry.value, against: nested, path: inner)
        case .map(let nested, _): result.value = try checkMap(entry.value, entries: nested, path: inner)
        }
        return result
    }

    /// Entries under free names; `name: null` removes an inherited entry.
    private static func checkMap(
        _ value: SourceValue, entries section: SchemaSection, path: String
    ) throws -> SourceValue {
        if value.isNull { return .map([], at: value.place) }
        guard let entries = value.entries else {
            throw value.place.error("\(path) must be a map from names to settings, not \(value.shown)")
        }
        let merged = try entries.map(opened).reduce(SourceValue.map([], at: value.place)) { result, entry in
            guard Schema.isName(entry.key) else {
                throw entry.place.error("\(path): '\(entry.key)' is not a name; names have letters, digits, - and _")
            }
            return SourceValue.map([entry], at: value.place).merged(over: result)
        }
        let checked = try (merged.entries ?? []).mapAll { entry in
            guard !entry.value.isNull else { return entry }
            var result = entry
            result.value = try check(entry.value, against: section, path: join(path, entry.key))
            return result
        }
        return .map(checked, at: value.place)
    }

    private static func unknownKey(_ entry: SourceEntry, in section: SchemaSection, path: String) -> InputError {
        let full = join(path, entry.key)
        if let reason = Derived.reason(for: full) {
            return entry.place.error("\(full) cannot be set: \(reason)")
        }
        if entry.key.allSatisfy(\.isNumber) {
            return entry.place.error("unknown key \(full); a name cannot contain a dot")
        }
        let siblings = section.members.map { join(path, $0.key) }
        let all = "; keys of \(path.isEmpty ? "a run" : path): \(keys(of: section))"
        let meant = Schema.suggestion(for: full, others: siblings)
        return entry.place.error("unknown key \(full)\(meant == nil ? all : Schema.hint(meant))")
    }

    /// Whether setting both paths would touch the same setting.
    static func overlap(_ first: String, _ second: String) -> Bool {
        first == second || first.hasPrefix("\(second).") || second.hasPrefix("\(first).")
    }

    static func join(_ path: String, _ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    private static func keys(of section: SchemaSection) -> String {
        section.members.map(\.key).joined(separator: ", ")
    }
}
