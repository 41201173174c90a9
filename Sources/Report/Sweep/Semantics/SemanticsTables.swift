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

    var marginals: Table? {
        table(scores.filter { Measure.marginals.contains($0.measure) && $0[.bound] == nil }, heading: "measure") { name in
            "\(name.measure.title), \(name[.told] == "class" ? "class given" : "no class")"
        }
    }

    /// A row for each arm and set of tokens.
    var rates: Table? {
        let sets = scores.filter { $0.measure == .rateBits }.compactMap { $0[.tokens] }
        let heads = scores.filter { $0.measure == .rateTop1 && $0[.bound] == nil }.compactMap { $0[.head] }.uniqued()
        guard !sets.isEmpty else { return nil }
        var table = Table(
            columns: [.text("tokens"), .text("arm"), .number("bits", decimals: 2)] + heads.map { .number($0, decimals: 3) }
                + [.number("label bits", decimals: 3), .number("modularity", decimals: 3), .number("compactness", decimals: 3)])
        for set in sets {
            for arm in results.arms {
                let names =
                    [Measure.rateBits.name([.tokens: set])]
                    + heads.map { Measure.rateTop1.name([.tokens: set, .head: $0, .bound: ""]) }
                    + [Measure.rateLabelBits, .modularity, .compactness].map { $0.name([.tokens: set]) }
                let row = names.map { cell(arm, $0) }
                if row[0] != .missing { table.add([.text(set), .text(arm.label)] + row) }
            }
        }
        return table
    }

    var matchedRates: Table? {
        table(scores.filter { $0.measure == .rateMatched }, heading: "tokens") { $0[.tokens] ?? "" }
    }

    var interventions: Table? {
        let found = scores.filter { Measure.interventions.contains($0.measure) || $0.measure == .interventionBits }
        return table(found, heading: "measure, tokens") { name in
            [name.measure.title, name[.tokens], name[.pair].map { $0 == "same" || $0 == "other" ? "\($0) class" : $0 }]
                .compactMap { $0 }.joined(separator: ", ")
        }
    }

    var attention: Table? {
        table(scores.filter { Measure.attention.contains($0.measure) && $0[.layer] == nil }, heading: "measure", title: \.measure.title)
    }

    /// Whether it is of all tokens of a set, and no end of an interval.
    private static func isOfWholeSet(_ name: MetricName) -> Bool { name.tokens != nil && name.tokens?.count == nil && name[.bound] == nil }

    /// By what the keys of CSV and JSON call them.
    static let completionMeasures: [(key: String, title: String, measure: Measure)] = [
        ("agreement", "agreement", .completionAgreement), ("likeness", "likeness", .completionLikeness),
        ("likeness_across", "across", .completionLikenessAcross), ("layout", "layout", .completionLayout),
        ("layout_across", "across", .completionLayoutAcross), ("source_likeness", "source likeness", .completionSourceLikeness),
        ("variance_within", "variance within", .completionVarianceWithin),
    ]

    /// A row for each arm and set of given tokens.
    func completions(_ mode: String) -> Table? {
        let sets = GivenSets(scores, mode: mode)
        guard !sets.names.isEmpty else { return nil }
        var table = Table(
            columns: [.text("given"), .text("arm")]
                + Self.completionMeasures.map { .number($0.title, key: $0.key, decimals: 2) })
        for set in sets.names {
            for arm in results.arms {
                let row = Self.completionMeasures.map { cell(arm, sets.metric($0.measure, of: set)) }
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
        add("reconstruction, L1 (levels of 0…255)", Measure.l1.name([.features: "pixels"]))
        add("reconstruction", Measure.reconstructionCost.name())
        for (mode, spelt) in [("class", "class given"), ("noclass", "no class")] {
            for (segment, title) in [("prologue", "prologue"), ("visual", "visual"), ("tokens", "all tokens"), ("total", "−ELBO")] {
                add("\(title), \(spelt)", Measure.cost.name([.segment: segment, .told: mode]))
            }
        }
        return table
    }

    /// What the prologue has more than the baseline's visual tokens, replicate by replicate: a row for each arm with a prologue,
    /// measure and set of visual tokens.
    var differences: Table? {
        guard let baseline = results.arms.first(where: \.isBaseline) else { return nil }
        let k = scores.filter { $0.measure == .probeTop1 && $0.tokens?.kind == .prologue }.compactMap(\.tokens?.count).max() ?? 0
        let given = GivenSets(scores, mode: "noclass")
        func probe(_ tokens: String, _ reading: String? = nil) -> String {
            Measure.probeTop1.name([.tokens: tokens, .reading: reading].compactMapValues { $0 })
        }
        func thumbnail(_ tokens: String) -> String { Measure.readoutThumbnail.name([.tokens: tokens]) }
        var pairs: [(measure: String, against: String, own: String, other: String)] = []
        for set in ["first", "random", "pooled", "all"] {
            pairs.append(("probe, codes", set, probe("prologue"), probe(set)))
        }
        for feature in ["onehot", "mean"] {
            for set in ["first", "random"] {
                pairs.append(("probe, \(feature)", set, probe("prologue", feature), probe(set, feature)))
            }
        }
        for set in ["first", "random", "pooled"] {
            pairs.append(("thumbnail, R²", set, thumbnail("prologue"), thumbnail(set)))
        }
        for (title, measure) in [
            ("agreement", Measure.completionAgreement), ("likeness", .completionLikeness), ("layout", .completionLayout),
        ] {
            for set in ["first-\(k)", "random-\(k)", "first-\(2 * k)"] {
                let own = given.metric(measure, of: "first-\(k)")
                pairs.append(("completions, \(title)", set, own, given.metric(measure, of: set)))
            }
        }
        var table = Table(columns: [
            .text("arm"), .text("measure"), .text("against"), .number("difference", decimals: 3),
            .number("lowest", decimals: 3), .number("highest", decimals: 3),
        ])
        for arm in results.arms where !arm.values(probe("prologue")).isEmpty {
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

    func metric(_ measure: Measure, of set: String) -> String {
        var fields: [MetricField: String] = [.tokens: set, .told: mode]
        if measure.varies(in: .features) { fields[.features] = given.first?[.features] ?? "none" }
        return measure.name(fields)
    }

    /// Numbers of tokens of the sets `kind-1`, `kind-2` …
    func lengths(_ kind: String) -> [Int] { given.filter { $0.tokens?.kind.rawValue == kind }.compactMap(\.tokens?.count) }
}
