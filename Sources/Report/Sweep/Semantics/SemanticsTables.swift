import Evaluation
import Experiment
import Foundation
import Metrics

/// The tables of the semantic studies; nil where nothing was measured.
struct SemanticsTables {
    private let results: SweepResults
    private let scores: [MetricName]

    init(_ results: SweepResults) {
        self.results = results
        scores = results.scores
    }

    var probes: Table? {
        let found = scores.filter { name in
            name.measure == .probeChance || name.measure == .probeMajority
                || name.measure == .probeTop1 && Self.isOfWholeSet(name)
        }
        return table(found, heading: "tokens") { name in
            guard let tokens = name[.tokens] else { return name.measure.title }
            return [tokens, name[.reading], name[.control]].compactMap { $0 }.joined(separator: ", ")
        }
    }

    var readouts: Table? {
        let found = scores.filter {
            ($0.measure == .readoutThumbnail || $0.measure == .readoutFactor) && Self.isOfWholeSet($0)
        }
        return table(found, heading: "target, tokens") { name in
            [name[.factor]?.replacing("_", with: " ") ?? "thumbnail", name[.tokens] ?? ""].joined(separator: ", ")
        }
    }

    var information: Table? {
        table(scores.filter { $0.measure.isInformation }, heading: "measure") { name in
            let words = [name[.segment], name.measure.title, name[.factor]?.replacing("_", with: " ")]
            return words.compactMap { $0 }.joined(separator: " ")
        }
    }

    var attention: Table? {
        table(scores.filter { Measure.attention.contains($0.measure) && $0[.layer] == nil }, heading: "measure", title: \.measure.title)
    }

    /// Whether it is of all tokens of a set, and no end of an interval.
    private static func isOfWholeSet(_ name: MetricName) -> Bool { name.tokens != nil && name.tokens?.count == nil && name[.bound] == nil }

    static let completionMeasures: [(name: String, title: String, ofPixels: Bool)] = [
        ("agreement", "agreement", false), ("likeness", "likeness", false), ("likeness_across", "across", false),
        ("layout", "layout", true), ("layout_across", "across", true), ("source_likeness", "source likeness", false),
        ("variance_within", "variance within", false),
    ]

    /// A row for each arm and set of given tokens.
    func completions(_ mode: String) -> Table? {
        let sets = GivenSets(scores, mode: mode)
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
        let names = Set(scores.map(\.text))
        guard scores.contains(where: { $0.measure == .cost || $0.measure == .reconstructionCost }) else { return nil }
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
        let k = scores.filter { $0.measure == .probeTop1 && $0.tokens?.kind == .prologue }.compactMap(\.tokens?.count).max() ?? 0
        let given = GivenSets(scores, mode: "noclass")
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
                pairs.append(
                    (
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

    private func table(_ found: [MetricName], heading: String, title: (MetricName) -> String) -> Table? {
        guard !found.isEmpty else { return nil }
        var table = Table(columns: [.text(heading)] + armColumns(decimals: 3))
        for name in found { table.add([.text(title(name))] + results.arms.map { cell($0, name.text) }) }
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
    var names: [String] { given.compactMap { $0[.tokens] } }
    /// The agreement of each set's completions: its name has the feature space.
    private let given: [MetricName]
    private let mode: String

    init(_ scores: [MetricName], mode: String) {
        self.mode = mode
        given = scores.filter { $0.measure == .completionAgreement && $0[.told] == mode && $0[.bound] == nil }.sorted {
            ($0.tokens?.kind.rawValue ?? "", $0.tokens?.count ?? 0) < ($1.tokens?.kind.rawValue ?? "", $1.tokens?.count ?? 0)
        }
    }

    func metric(_ measure: String, of set: String, ofPixels: Bool) -> String {
        var fields: [MetricField: String] = [.tokens: set, .told: mode]
        if !ofPixels { fields[.features] = given.first?[.features] ?? "none" }
        return Measure.completion(named: measure)?.name(fields) ?? ""
    }

    /// Numbers of tokens of the sets `kind-1`, `kind-2` …
    func lengths(_ kind: String) -> [Int] { given.filter { $0.tokens?.kind.rawValue == kind }.compactMap(\.tokens?.count) }
}
