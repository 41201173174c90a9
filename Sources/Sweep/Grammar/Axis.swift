import Files
import Settings

/// One value of an axis: what it is called and what it sets.
struct AxisValue {
    /// Axis and value, more than one where axes go in step.
    var choices: [Choice]
    /// Checked settings.
    var patch: SourceValue
    let place: Place

    /// Such as `prologue,prior.dim=256`.
    static func label(_ choices: [Choice]) -> String { choices.map(\.label).joined(separator: ",") }
}

/// Something that varies over the cells.
struct Axis {
    let name: String
    let values: [AxisValue]

    /// The name of the axis that `arms` makes.
    static let arms = "arm"

    /// `tokenizer.dim: [64, 96]`: one setting, or one section, with its values.
    init(path: String, written: SourceValue, keyPlace: Place) throws {
        try Self.requireVariable(path, at: keyPlace)
        name = path
        let short = Schema.shortName(of: path)
        var seen: [JSONValue: Int] = [:]
        values = try NumberRange.values(of: written, path: path).enumerated().mapAll { index, value in
            let patch = try Checker.check(Checker.nest(path, value), against: SweepDocument.sections)
            let json = patch.json[path: path] ?? .null
            if let first = seen.updateValue(index + 1, forKey: json) {
                throw value.place.error(
                    "\(path) has the value \(value.shown) twice, as number \(first) and \(index + 1)")
            }
            return AxisValue(
                choices: [Choice(axis: path, value: json, label: "\(short)=\(json.stringValue ?? json.canonical)")],
                patch: patch, place: value.place)
        }
    }

    /// `arms: {baseline: {…}, prologue: {…}}`: names that set several keys each.
    init(named name: String, written: SourceValue) throws {
        guard let entries = written.entries, !entries.isEmpty else {
            throw written.place.error("\(name) has no values, so there is nothing to run")
        }
        self.name = name
        values = try entries.mapAll { entry in
            guard Schema.isName(entry.key) else {
                throw entry.place.error("'\(entry.key)' is not a name; names have letters, digits, - and _")
            }
            let label = name == Self.arms ? entry.key : "\(name)=\(entry.key)"
            return AxisValue(
                choices: [Choice(axis: name, value: .string(entry.key), label: label)],
                patch: try Checker.check(entry.value, against: SweepDocument.sections), place: entry.place)
        }
    }

    /// `{a: [1, 2], b: [3, 4]}`: settings that change in step.
    init(inStep written: SourceValue) throws {
        guard let entries = written.entries, !entries.isEmpty else {
            throw written.place.error("an entry of zip must be a map from settings to lists, not \(written.shown)")
        }
        let axes = try entries.map { entry in
            try (values: NumberRange.values(of: entry.value, path: entry.key), entry: entry)
        }
        guard let count = axes.first?.values.count, axes.allSatisfy({ $0.values.count == count }) else {
            let lengths = axes.map { "\($0.entry.key) has \($0.values.count)" }.joined(separator: ", ")
            throw written.place.error("lists in one entry of zip must be equally long: \(lengths)")
        }
        name = entries.map(\.key).joined(separator: ",")
        values = try (0..<count).map { index in
            let parts = try axes.map { axis in
                let single = SourceValue(content: .list([axis.values[index]]), place: axis.values[index].place)
                return try Axis(path: axis.entry.key, written: single, keyPlace: axis.entry.place).values[0]
            }
            return AxisValue(
                choices: parts.flatMap(\.choices),
                patch: parts.reduce(.map([], at: written.place)) { $1.patch.merged(over: $0) }, place: parts[0].place)
        }
    }

    /// The axes of `arms`, `axes` and `zip`, in that order.
    static func all(of document: SweepDocument) throws -> [Axis] {
        var result: [Axis] = []
        var errors = AllErrors()
        if let arms = document["arms"] {
            guard arms.entries != nil else { throw arms.place.error("arms must be a map from names to settings") }
            result += [try errors.attempt { try Axis(named: Self.arms, written: arms) }].compactMap { $0 }
        }
        result += try document.entries("axes").compactMap { entry in try errors.attempt { try axis(entry) } }
        result += try document.items("zip").compactMap { item in try errors.attempt { try Axis(inStep: item) } }
        try errors.throwAny()
        try requireApart(result)
        return result
    }

    private static func axis(_ entry: SourceEntry) throws -> Axis {
        let isNamed =
            Schema.node(at: entry.key) == nil && !NumberRange.isRange(entry.value)
            && entry.value.entries?.allSatisfy { $0.value.entries != nil || $0.value.isNull } == true
        guard isNamed else { return try Axis(path: entry.key, written: entry.value, keyPlace: entry.place) }
        try requireFreeName(entry)
        return try Axis(named: entry.key, written: entry.value)
    }

    /// Two axes must not set the same thing: which one wins would be hidden.
    private static func requireApart(_ axes: [Axis]) throws {
        var owners: [String: String] = [:]
        for axis in axes {
            var own: [String: String] = [:]
            for leaf in axis.values.flatMap({ Checker.leafPaths(of: $0.patch) }) {
                guard own.updateValue(axis.name, forKey: leaf.path) == nil else { continue }
                if let other = owners.first(where: { Checker.overlap($0.key, leaf.path) })?.value {
                    throw leaf.place.error(
                        "\(leaf.path) is varied by \(other) and by \(axis.name); let one of them do it")
                }
            }
            owners.merge(own) { first, _ in first }
        }
    }

    private static func requireFreeName(_ entry: SourceEntry) throws {
        let taken = SweepDocument.grammarKeys.keys + Schema.root.members.map(\.key) + [arms, "label"]
        guard Schema.isName(entry.key), !taken.contains(entry.key) else {
            throw entry.place.error(
                "'\(entry.key)' cannot name an axis: it must be letters, digits, - and _, and not a key")
        }
    }

    private static func requireVariable(_ path: String, at place: Place) throws {
        let first = path.split(separator: ".").first.map(String.init) ?? ""
        if let reason = Derived.reason(for: path) ?? Derived.reason(for: first) {
            throw place.error("\(path) cannot be an axis: \(reason)")
        }
        guard Schema.node(at: path) == nil else { return }
        throw place.error("unknown key \(path)\(Schema.hint(Schema.suggestion(for: path, others: [])))")
    }
}
