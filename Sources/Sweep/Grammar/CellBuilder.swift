import Files
import Settings

/// Turns a document into cells: product of the axes, less what is excluded, and what is included, for each seed.
struct CellBuilder {
    let document: SweepDocument
    let name: String
    let axes: [Axis]
    /// Paths given by `--set`, which no axis may set again.
    let overridden: Set<String>

    private static let most = 100_000

    /// The cells in the order of the file: the first axis changes slowest, seeds fastest.
    func build() throws -> [Cell] {
        let seeds = try SeedChoice.read(document["seeds"])
        let included = try includedValues()
        try requireOverridesHold(axes.flatMap(\.values) + included)

        let product = axes.reduce(1.0) { $0 * Double($1.values.count) }
        let count = (product + Double(included.count)) * Double(seeds.count)
        guard count <= Double(Self.most) else {
            throw InputError(
                file: document.file, "asks for \(JSONValue.normalized(count).canonical) cells; at most \(Self.most) are planned")
        }
        // With nothing but `include`, the bare settings are not a cell of their own.
        let values = axes.isEmpty && !included.isEmpty ? [] : self.product()
        let arms = try arms(values + included)
        let (regular, extra) = (arms.prefix(values.count), arms.dropFirst(values.count))
        try requireDistinct(arms)
        let excluded = try exclusions()
        let cells =
            regular.flatMap { arm in seeds.map(arm.cell) }.filter { cell in
                !excluded.contains { $0.matches(cell) }
            } + extra.flatMap { arm in seeds.map(arm.cell) }
        guard !cells.isEmpty else {
            throw InputError(file: document.file, "exclude leaves no cell, so there is nothing to run")
        }
        return cells
    }

    /// A cell before its seed.
    private struct Arm {
        let value: AxisValue
        let label: String
        let resolved: JSONValue
        let settings: RunSettings

        func cell(seed: SeedChoice) -> Cell {
            var settings = settings
            settings.seed = seed.seed
            settings.seeds = seed.seeds
            var members = resolved.objectValue ?? [:]
            members["seed"] = .int(seed.seed)
            members["seeds"] = [
                "tokenizer": .int(seed.seeds.tokenizer), "prior": .int(seed.seeds.prior),
                "sampler": .int(seed.seeds.sampler),
            ]
            let overrides = Checker.leafPaths(of: value.patch).map { ($0.path, $0.value.json) }
            return Cell(
                label: label, choices: value.choices, overrides: Dictionary(uniqueKeysWithValues: overrides),
                seed: seed.seed, settings: settings, resolved: .object(members))
        }
    }

    private func product() -> [AxisValue] {
        let start = AxisValue(choices: [], patch: .map([], at: document.settings.place), place: document.settings.place)
        return axes.reduce([start]) { partial, axis in
            partial.flatMap { left in
                axis.values.map { right in
                    AxisValue(
                        choices: left.choices + right.choices, patch: right.patch.merged(over: left.patch),
                        place: right.place)
                }
            }
        }
    }

    /// The cells of `values`; all rules that they break at once, each with the first cell that breaks it.
    private func arms(_ values: [AxisValue]) throws -> [Arm] {
        var errors = AllErrors()
        var seen: Set<String> = []
        let arms = try values.map { value in
            let written = value.patch.merged(over: document.settings)
            let settings = try RunSettings(written)
            let label = value.choices.isEmpty ? name : AxisValue.label(value.choices)
            for conflict in settings.conflicts() where seen.insert(conflict.message).inserted {
                let whose = value.choices.isEmpty ? "" : " (in \(label))"
                let place = conflict.paths.lazy.compactMap { written.value(at: $0)?.place }.first
                errors.add((place ?? value.place).error(conflict.message + whose))
            }
            return Arm(value: value, label: label, resolved: settings.json, settings: settings)
        }
        try errors.throwAny()
        return arms
    }

    /// `include`: cells of their own, made of settings and values of named axes.
    private func includedValues() throws -> [AxisValue] {
        try document.items("include").mapAll { item in
            guard let entries = item.entries, !entries.isEmpty else {
                throw item.place.error("an entry of include must be a map of settings, not \(item.shown)")
            }
            var result = AxisValue(choices: [], patch: .map([], at: item.place), place: item.place)
            var written: [SourceEntry] = []
            for entry in entries {
                guard let axis = axes.first(where: { $0.name == entry.key && Schema.node(at: $0.name) == nil }) else {
                    written.append(entry)
                    continue
                }
                let names = axis.values.compactMap { $0.choices[0].value.stringValue }
                guard let index = names.firstIndex(of: entry.value.name ?? "") else {
                    throw entry.value.place.error(
                        "\(entry.key) is \(entry.value.shown), but must be one of \(names.joined(separator: ", "))"
                            + Schema.hint(for: entry.value.name ?? "", among: names))
                }
                result.choices += axis.values[index].choices
                result.patch = axis.values[index].patch.merged(over: result.patch)
            }
            let patch = try Checker.check(.map(written, at: item.place), against: SweepDocument.sections)
            for leaf in Checker.leafPaths(of: patch) {
                let value = leaf.value.json
                result.choices.append(
                    Choice(
                        axis: leaf.path, value: value,
                        label: "\(Schema.shortName(of: leaf.path))=\(value.stringValue ?? value.canonical)"))
            }
            result.patch = patch.merged(over: result.patch)
            return result
        }
    }

    private func exclusions() throws -> [Condition] {
        try document.texts("exclude").map { item in
            try Condition(item.text ?? "", called: "exclude", at: item.place, axes: axes)
        }
    }

    private func requireOverridesHold(_ values: [AxisValue]) throws {
        for value in values {
            for leaf in Checker.leafPaths(of: value.patch) {
                if let path = overridden.first(where: { Checker.overlap($0, leaf.path) }) {
                    throw InputError(
                        file: "--set",
                        "\(path) would have no effect where \(leaf.place.shown) sets \(leaf.path) for some cells; "
                            + "choose among those with --only, or change the file")
                }
            }
        }
    }

    private func requireDistinct(_ arms: [Arm]) throws {
        var seen: [JSONValue: String] = [:]
        for arm in arms {
            if let first = seen.updateValue(arm.label, forKey: RunSettings.identity(of: arm.resolved)) {
                throw arm.value.place.error(
                    first == arm.label
                        ? "the cell \(first) is there twice"
                        : "the cells \(first) and \(arm.label) are the same run; keep one of them")
            }
        }
    }
}
