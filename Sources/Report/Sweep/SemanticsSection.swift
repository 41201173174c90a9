import Evaluation
import Experiment
import Foundation

/// What the semantic studies of a sweep found: a table a question, arms as columns, and curves over the number of tokens.
public struct SemanticsSection {
    public let blocks: [ReportDocument.Block]
    /// The tables with their headings, for the terminal and for files.
    public let tables: [(heading: String, table: Table)]

    private let results: SweepResults
    private let names: [String]

    /// Nil where no study has been made.
    public init?(_ results: SweepResults) {
        self.results = results
        names = results.metricNames
        guard names.contains(where: { $0.hasPrefix("completion_") || $0.hasPrefix("info.") || $0.hasPrefix("attention.") })
        else { return nil }
        let space = names.first { $0.hasPrefix("completion_agreement@") }?
            .split(separator: "@").last?.split(separator: ".").first.map(String.init) ?? ""
        let sections: [(String, String, Table?)] = [
            (
                "What a linear classifier reads off the tokens", "Top-1 accuracy on held-out images.",
                Self.probes(results, names)
            ),
            (
                "Completions without the class",
                "Some tokens of a held-out image are given, all others drawn by the prior, which is not told the class. "
                    + "agreement: completions that the classifier takes for the image's class. likeness: mean cosine of features "
                    + "among completions of the same tokens, across: of different images' tokens. layout: correlation of 8×8 "
                    + "thumbnails. source likeness: cosine with the image itself. variance within: share of the features' variance "
                    + "that the given tokens leave open.", Self.completions(results, names, space, mode: "noclass")
            ),
            (
                "Completions with the class", "The same, the prior being told the class: what the label alone makes alike is in "
                    + "the row first-0.", Self.completions(results, names, space, mode: "class")
            ),
            (
                "Information in tokens", "Nats, corrected for bias (Miller–Madow), means over a segment's positions; first: the "
                    + "first visual tokens, as many as the prologue has.", Self.plain("info.", results, names, omitting: "info.cost.")
            ),
            (
                "What an image costs",
                "The parts of −ELBO side by side: mean absolute error of reconstructions (levels of 0…255), and nats that the "
                    + "prior pays for the prologue with EOS and for the visual tokens given it.", Self.costs(results, names)
            ),
            (
                "Where the prior looks",
                "Shares of attention while visual tokens are predicted, mean over layers and heads; distance in patches between "
                    + "the predicted place and the visual tokens attended to.",
                Self.plain("attention.", results, names.filter { !$0.contains(".layer") })
            ),
        ]
        tables = sections.compactMap { heading, _, table in table.map { (heading, $0) } }
        blocks = [.heading("What the tokens know")]
            + sections.flatMap { heading, text, table -> [ReportDocument.Block] in
                guard let table else { return [] }
                return [.subheading(heading), .paragraph(text), .table(table)]
                    + (heading == "Completions without the class" ? [.figures(Self.curves(results, names, space))] : [])
            }
    }

    // MARK: Tables

    private static func cell(_ arm: SweepResults.Arm, _ name: String) -> Table.Cell {
        let values = arm.values(name).map(\.value)
        return values.count > 1 ? .estimate(Estimate(of: values)) : .number(values.first)
    }

    private static func armColumns(_ results: SweepResults, decimals: Int) -> [Table.Column] {
        results.arms.map { .number($0.label, decimals: decimals) }
    }

    /// A row for each name with `prefix`, which is taken off.
    private static func plain(
        _ prefix: String, _ results: SweepResults, _ names: [String], omitting other: String? = nil, decimals: Int = 3
    ) -> Table? {
        let found = names.filter { $0.hasPrefix(prefix) && !(other.map($0.hasPrefix) ?? false) }
        guard !found.isEmpty else { return nil }
        var table = Table(columns: [.text("measure")] + armColumns(results, decimals: decimals))
        for name in found {
            let title = name.dropFirst(prefix.count).replacing("_", with: " ").replacing(".", with: " ")
            table.add([.text(title)] + results.arms.map { cell($0, name) })
        }
        return table
    }

    private static func probes(_ results: SweepResults, _ names: [String]) -> Table? {
        let found = names.filter { $0.hasPrefix("probe.") && ($0.hasSuffix(".top1") || $0.hasSuffix("chance")) && $0 != "probe.top1" }
        guard !found.isEmpty else { return nil }
        var table = Table(columns: [.text("tokens")] + armColumns(results, decimals: 3))
        for name in found {
            let title = name.dropFirst("probe.".count).replacing(".top1", with: "").replacing(".", with: ", ")
            table.add([.text(title)] + results.arms.map { cell($0, name) })
        }
        return table
    }

    private static let completionMeasures: [(name: String, title: String, ofPixels: Bool)] = [
        ("agreement", "agreement", false), ("likeness", "likeness", false), ("likeness_across", "across", false),
        ("layout", "layout", true), ("layout_across", "across", true), ("source_likeness", "source likeness", false),
        ("variance_within", "variance within", false),
    ]

    /// A row for each arm and set of given tokens.
    private static func completions(_ results: SweepResults, _ names: [String], _ space: String, mode: String) -> Table? {
        let sets = givenSets(names, space, mode)
        guard !sets.isEmpty else { return nil }
        var table = Table(
            columns: [.text("given"), .text("arm")]
                + completionMeasures.map { .number($0.title, key: $0.name, decimals: 2) })
        for set in sets {
            for arm in results.arms {
                let row = completionMeasures.map { measure in
                    cell(arm, "completion_\(measure.name)\(measure.ofPixels ? "" : "@\(space)").\(set).\(mode)")
                }
                guard row.contains(where: { $0 != .missing }) else { continue }
                table.add([.text(set), .text(arm.label)] + row)
            }
        }
        return table
    }

    /// Sets of given tokens: prefixes by length, then the controls.
    private static func givenSets(_ names: [String], _ space: String, _ mode: String) -> [String] {
        let sets = names.compactMap { name -> String? in
            let prefix = "completion_agreement@\(space)."
            guard name.hasPrefix(prefix), name.hasSuffix(".\(mode)") else { return nil }
            return String(name.dropFirst(prefix.count).dropLast(mode.count + 1))
        }
        return sets.sorted { (length($0) ?? .max, $0) < (length($1) ?? .max, $1) }
    }

    private static func length(_ set: String) -> Int? {
        set.hasPrefix("first-") ? Int(set.dropFirst("first-".count)) : nil
    }

    private static func costs(_ results: SweepResults, _ names: [String]) -> Table? {
        guard let l1 = names.first(where: { $0.hasPrefix("l1@") }) ?? names.first(where: { $0.hasPrefix("info.cost") })
        else { return nil }
        var table = Table(columns: [.text("part")] + armColumns(results, decimals: 2))
        if l1.hasPrefix("l1") { table.add([.text("reconstruction, L1")] + results.arms.map { cell($0, l1) }) }
        for (mode, spelt) in [("class", "class given"), ("noclass", "no class")] {
            for part in ["prologue", "visual"] {
                table.add([.text("\(part), \(spelt)")] + results.arms.map { cell($0, "info.cost.\(part).\(mode)") })
            }
            table.add([.text("both, \(spelt)")] + results.arms.map { arm in
                let prologue = Dictionary(
                    arm.values("info.cost.prologue.\(mode)").map { ($0.seed, $0.value) }, uniquingKeysWith: { $1 })
                let sums = arm.values("info.cost.visual.\(mode)").map { $0.value + (prologue[$0.seed] ?? 0) }
                return sums.count > 1 ? .estimate(Estimate(of: sums)) : .number(sums.first)
            })
        }
        return table
    }

    // MARK: Curves

    /// Each measure over the number of first tokens given, without the class.
    private static func curves(_ results: SweepResults, _ names: [String], _ space: String) -> [ReportDocument.Figure] {
        let lengths = givenSets(names, space, "noclass").compactMap(length)
        guard lengths.count > 2 else { return [] }
        let measures = completionMeasures.filter { !$0.name.hasSuffix("_across") }.map { ($0.name, $0.title, $0.ofPixels) }
            + [("gfid", "gFID of completions", false), ("pixel_distance", "pixel distance to the source", true)]
        return measures.compactMap { measure, title, ofPixels in
            let series = results.arms.enumerated().map { place, arm in
                LinePlot.Series(
                    arm.label,
                    points: lengths.compactMap { k in
                        let name = "completion_\(measure)\(ofPixels ? "" : "@\(space)").first-\(k).noclass"
                        guard let estimate = Estimate(of: arm.values(name).map(\.value)) else { return nil }
                        return LinePlot.Point(
                            x: Double(k), y: estimate.mean, band: estimate.interval.map { $0.low...$0.high })
                    }, colour: place)
            }.filter { !$0.points.isEmpty }
            guard !series.isEmpty else { return nil }
            let plot = LinePlot(title: title, xLabel: "first tokens given", yLabel: title, series: series)
            return ReportDocument.Figure(
                name: "completions-\(measure)", caption: "bands: 95 % intervals over seeds", content: .svg(plot.svg()))
        }
    }
}
