import Evaluation
import Experiment
import Foundation

/// The tables of the semantic studies; nil where nothing was measured.
struct SemanticsTables {
    private let results: SweepResults
    private let names: [String]

    init(_ results: SweepResults) {
        self.results = results
        names = results.metricNames
    }

    var probes: Table? {
        let found = names.filter { name in
            name.hasPrefix("probe.") && (name.hasSuffix(".top1") || name.hasSuffix("chance")) && name != "probe.top1"
                && name.wholeMatch(of: /probe\.\w+-\d+\.top1/) == nil
        }
        return table(found, heading: "tokens") { name in
            String(name.dropFirst("probe.".count)).replacing(".top1", with: "").replacing(".", with: ", ")
        }
    }

    var readouts: Table? {
        let found = names.filter { $0.wholeMatch(of: /readout\..+\.[a-z]+\.r2/) != nil }
        return table(found, heading: "target, tokens") { name in
            String(name.dropFirst("readout.".count).dropLast(".r2".count)).replacing("factor.", with: "")
                .replacing("_", with: " ").replacing(".", with: ", ")
        }
    }

    var information: Table? { plain("info.", omitting: "info.cost.") }

    var attention: Table? { plain("attention.", omitting: ".layer") }

    static let completionMeasures: [(name: String, title: String, ofPixels: Bool)] = [
        ("agreement", "agreement", false), ("likeness", "likeness", false), ("likeness_across", "across", false),
        ("layout", "layout", true), ("layout_across", "across", true), ("source_likeness", "source likeness", false),
        ("variance_within", "variance within", false),
    ]

    /// A row for each arm and set of given tokens.
    func completions(_ mode: String) -> Table? {
        let sets = GivenSets(names, mode: mode)
        guard !sets.names.isEmpty else { return nil }
        var table = Table(
            columns: [.text("given"), .text("arm")]
                + Self.completionMeasures.map { .number($0.title, key: $0.name, decimals: 2) })
        for set in sets.names {
            for arm in results.arms {
                let row = Self.completionMeasures.map { measure in
                    cell(arm, sets.metric(measure.name, of: set, ofPixels: measure.ofPixels))
                }
                guard row.contains(where: { $0 != .missing }) else { continue }
                table.add([.text(set), .text(arm.label)] + row)
            }
        }
        return table
    }

    var costs: Table? {
        guard names.contains(where: { $0.hasPrefix("info.cost") }) else { return nil }
        var table = Table(columns: [.text("part")] + armColumns(decimals: 2))
        func add(_ title: String, _ name: String) {
            guard names.contains(name) else { return }
            table.add([.text(title)] + results.arms.map { cell($0, name) })
        }
        add("reconstruction, L1 (levels of 0…255)", "l1@pixels")
        add("reconstruction", "info.cost.reconstruction")
        for (mode, spelt) in [("class", "class given"), ("noclass", "no class")] {
            add("prologue, \(spelt)", "info.cost.prologue.\(mode)")
            add("visual, \(spelt)", "info.cost.visual.\(mode)")
            add("all tokens, \(spelt)", "info.cost.tokens.\(mode)")
            add("−ELBO, \(spelt)", "info.cost.total.\(mode)")
        }
        return table
    }

    /// What the prologue has more than the baseline's visual tokens, replicate by replicate: a row for each arm with a prologue,
    /// measure and set of visual tokens.
    var differences: Table? {
        guard let baseline = results.arms.first(where: \.isBaseline) else { return nil }
        let k = names.compactMap { $0.wholeMatch(of: /probe\.prologue-(\d+)\.top1/).flatMap { Int($0.1) } }.max() ?? 0
        let given = GivenSets(names, mode: "noclass")
        func completion(_ measure: String, _ set: String, ofPixels: Bool = false) -> String {
            given.metric(measure, of: set, ofPixels: ofPixels)
        }
        var pairs: [(measure: String, against: String, own: String, other: String)] = []
        for set in ["first", "random", "pooled", "all"] {
            pairs.append(("probe, codes", set, "probe.prologue.top1", "probe.\(set).top1"))
        }
        for feature in ["onehot", "mean"] {
            for set in ["first", "random"] {
                pairs.append(("probe, \(feature)", set, "probe.prologue.\(feature).top1", "probe.\(set).\(feature).top1"))
            }
        }
        for set in ["first", "random", "pooled"] {
            pairs.append(("thumbnail, R²", set, "readout.thumbnail.prologue.r2", "readout.thumbnail.\(set).r2"))
        }
        for (measure, ofPixels) in [("agreement", false), ("likeness", false), ("layout", true)] {
            for set in ["first-\(k)", "random-\(k)", "first-\(2 * k)"] {
                pairs.append((
                    "completions, \(measure)", set, completion(measure, "first-\(k)", ofPixels: ofPixels),
                    completion(measure, set, ofPixels: ofPixels)
                ))
            }
        }
        var table = Table(columns: [
            .text("arm"), .text("measure"), .text("against"), .number("difference", decimals: 3),
            .number("lowest", decimals: 3), .number("highest", decimals: 3),
        ])
        for arm in results.arms where !arm.values("probe.prologue.top1").isEmpty {
            for pair in pairs {
                let other = Dictionary(baseline.values(pair.other).map { ($0.replicate, $0.value) }, uniquingKeysWith: { $1 })
                let values = arm.values(pair.own).compactMap { own in other[own.replicate].map { own.value - $0 } }
                guard let low = values.min(), let high = values.max() else { continue }
                table.add([
                    .text(arm.label), .text(pair.measure), .text(pair.against),
                    values.count > 1 ? .estimate(Estimate(of: values)) : .number(values[0]), .number(low), .number(high),
                ])
            }
        }
        return table.rows.isEmpty ? nil : table
    }

    // MARK: Parts

    /// A row for each name with `prefix`, which is taken off; ends of intervals within runs are left out.
    private func plain(_ prefix: String, omitting other: String) -> Table? {
        let found = names.filter {
            $0.hasPrefix(prefix) && !$0.contains(other) && !$0.hasSuffix("_low") && !$0.hasSuffix("_high")
        }
        return table(found, heading: "measure") {
            String($0.dropFirst(prefix.count)).replacing("_", with: " ").replacing(".", with: " ")
        }
    }

    private func table(_ found: [String], heading: String, title: (String) -> String) -> Table? {
        guard !found.isEmpty else { return nil }
        var table = Table(columns: [.text(heading)] + armColumns(decimals: 3))
        for name in found { table.add([.text(title(name))] + results.arms.map { cell($0, name) }) }
        return table
    }

    private func cell(_ arm: SweepResults.Arm, _ name: String) -> Table.Cell {
        let values = arm.values(name).map(\.value)
        return values.count > 1 ? .estimate(Estimate(of: values)) : .number(values.first)
    }

    private func armColumns(decimals: Int) -> [Table.Column] { results.arms.map { .number($0.label, decimals: decimals) } }
}

/// The sets of given tokens that completions were drawn for, with the class (`class`) or without it (`noclass`).
struct GivenSets {
    /// Prefixes by length, then the controls.
    let names: [String]
    /// Feature space of the measures.
    private let space: String
    private let mode: String

    init(_ metrics: [String], mode: String) {
        let space = metrics.first { $0.hasPrefix("completion_agreement@") }?
            .split(separator: "@").last?.split(separator: ".").first.map(String.init) ?? ""
        let prefix = "completion_agreement@\(space)."
        (self.space, self.mode) = (space, mode)
        names = metrics.compactMap { name -> String? in
            guard name.hasPrefix(prefix), name.hasSuffix(".\(mode)") else { return nil }
            return String(name.dropFirst(prefix.count).dropLast(mode.count + 1))
        }.sorted { (Self.kind($0), Self.length($0) ?? 0) < (Self.kind($1), Self.length($1) ?? 0) }
    }

    func metric(_ measure: String, of set: String, ofPixels: Bool) -> String {
        "completion_\(measure)\(ofPixels ? "" : "@\(space)").\(set).\(mode)"
    }

    /// Numbers of tokens of the sets `kind-1`, `kind-2` …
    func lengths(_ kind: String) -> [Int] { names.filter { Self.kind($0) == kind }.compactMap(Self.length) }

    private static func kind(_ set: String) -> String { String(set.prefix(upTo: set.lastIndex(of: "-") ?? set.endIndex)) }
    private static func length(_ set: String) -> Int? { set.lastIndex(of: "-").flatMap { Int(set[set.index(after: $0)...]) } }
}
