import Evaluation
import Experiment
import Foundation
import Metrics
import RunStore

/// The figures of the semantic studies: curves over the number of tokens, bars, maps and pictures.
struct SemanticsFigures {
    private let results: SweepResults
    private let store: Store
    private let names: Set<String>
    private let scores: [MetricName]

    init(_ results: SweepResults, _ store: Store) {
        (self.results, self.store, names) = (results, store, Set(results.metricNames))
        scores = results.scores
    }

    private static let overSeeds = "bands: 95 % intervals over seeds, or over held-out images where there is one seed"

    // MARK: Curves over the number of tokens

    var probes: [ReportDocument.Block] {
        tokenCurves("probe", title: "Probe", yLabel: "top-1 accuracy", .probeTop1)
    }

    var readouts: [ReportDocument.Block] {
        let curves = tokenCurves("thumbnail", title: "8×8 thumbnail", yLabel: "R²", .readoutThumbnail)
        let maps = results.arms.compactMap(factorReadout)
        return curves + (maps.isEmpty ? [] : [.figures(maps)])
    }

    /// One plot of every arm's prologue against the baseline's visual tokens, and a plot for each arm.
    private func tokenCurves(_ name: String, title: String, yLabel: String, _ measure: Measure) -> [ReportDocument.Block] {
        let kinds = ["prologue", "first", "random", "pooled"]
        func series(_ arm: SweepResults.Arm, _ kind: String, as label: String, colour: Int, isDashed: Bool) -> LinePlot.Series? {
            let points = lengths(kind, measure).compactMap { k in
                point(arm, measure.name([.tokens: "\(kind)-\(k)"]), x: Double(k))
            }
            return points.isEmpty ? nil : LinePlot.Series(label, points: points, isDashed: isDashed, colour: colour)
        }
        func plot(_ title: String, _ series: [LinePlot.Series]) -> LinePlot {
            var plot = LinePlot(title: title, xLabel: "tokens", yLabel: yLabel, series: series)
            plot.xScale = .suiting(series.flatMap { $0.points.map(\.x) })
            plot.possible = measure.possible
            return plot
        }
        var plots: [(String, LinePlot)] = []
        let baseline = results.arms.first(where: \.isBaseline) ?? results.arms.first
        let prologues = results.arms.enumerated().compactMap { place, arm in
            series(arm, "prologue", as: "\(arm.label): prologue", colour: place, isDashed: false)
        }
        if let baseline, !prologues.isEmpty {
            let controls = kinds.dropFirst().enumerated().compactMap { place, kind in
                series(baseline, kind, as: "\(baseline.label): \(kind)", colour: place + 3, isDashed: true)
            }
            plots.append(("\(name)-prologues", plot("\(title): prologue against the baseline's tokens", prologues + controls)))
        }
        for arm in results.arms {
            let own = kinds.enumerated().compactMap { place, kind in
                series(arm, kind, as: kind, colour: place, isDashed: kind != "prologue")
            }
            if !own.isEmpty { plots.append(("\(name)-\(arm.label)", plot("\(title): \(arm.label)", own))) }
        }
        let shown = range(plots.map(\.1))
        let figures = plots.map { name, plot -> ReportDocument.Figure in
            var plot = plot
            plot.yRange = shown
            return figure(name, Self.overSeeds, plot.svg())
        }
        return figures.isEmpty ? [] : [.figures(figures)]
    }

    /// Numbers of tokens that a kind of set was read with.
    private func lengths(_ kind: String, _ measure: Measure) -> [Int] {
        Set(scores.filter { $0.measure == measure && $0.tokens?.kind.rawValue == kind }.compactMap(\.tokens?.count)).sorted()
    }

    /// What all plots show, so that they can be compared by eye.
    private func range(_ plots: [LinePlot]) -> ClosedRange<Double>? {
        let points = plots.flatMap { $0.series.flatMap(\.points) }
        let ends = points.flatMap { [$0.y, $0.band?.lowerBound, $0.band?.upperBound].compactMap { $0 } }.filter(\.isFinite)
        guard let low = ends.min(), let high = ends.max(), low < high else { return nil }
        // R² far below zero says no more than "worse than the mean".
        return max(-0.1, (low * 10).rounded(.down) / 10)...min(1, (high * 10).rounded(.up) / 10)
    }

    func completions(_ mode: String) -> [ReportDocument.Block] {
        let sets = GivenSets(scores, mode: mode)
        let measures =
            SemanticsTables.completionMeasures.filter { ![.completionLikenessAcross, .completionLayoutAcross].contains($0.measure) }
            + [
                ("gfid", "gFID of completions", .completionGFID),
                ("pixel_distance", "pixel distance to the source", .completionPixelDistance),
            ]
        let told = mode == "class" ? ", class given" : ", no class given"
        let figures = measures.compactMap { key, title, measure -> ReportDocument.Figure? in
            let series = results.arms.enumerated().flatMap { place, arm in
                ["first", "random"].compactMap { kind -> LinePlot.Series? in
                    let points = sets.lengths(kind).compactMap { k in
                        point(arm, sets.metric(measure, of: "\(kind)-\(k)"), x: Double(k))
                    }
                    guard points.count > 2 else { return nil }
                    return LinePlot.Series("\(arm.label): \(kind)", points: points, isDashed: kind == "random", colour: place)
                }
            }
            guard !series.isEmpty else { return nil }
            var plot = LinePlot(title: title + told, xLabel: "tokens given", yLabel: title, series: series)
            plot.possible = measure.possible
            return figure("completions-\(mode)-\(key)", Self.overSeeds, plot.svg())
        }
        let pictures = mode == "noclass" ? firstPictures("completions", of: "completions.png") : []
        return (figures.isEmpty ? [] : [.figures(figures)]) + (pictures.isEmpty ? [] : [.figures(pictures)])
    }

    // MARK: Information

    var information: [ReportDocument.Block] {
        let arrays = results.arms.map { TokenArrays($0, store) }
        let prologues = zip(results.arms, arrays).compactMap { arm, arrays in
            arrays.map(arm.label, .prologue).map { figure("information-\(arm.label)-prologue", Self.informationCaption, $0.svg()) }
        }
        let visual = zip(results.arms, arrays).compactMap { arm, arrays in
            arrays.map(arm.label, .visual).map { figure("information-\(arm.label)-visual", Self.informationCaption, $0.svg()) }
        }
        let single = zip(results.arms, arrays).flatMap { arm, arrays in
            arrays.runs.count < 2
                ? []
                : arrays.runs.compactMap { run in
                    arrays.map("\(arm.label), seed \(run.seed)", .prologue, seed: run.seed).map {
                        figure("information-\(arm.label)-prologue-s\(run.seed)", "one tokenizer", $0.svg())
                    }
                }
        }
        let costs = positionCosts(arrays)
        return (prologues.isEmpty ? [] : [.figures(prologues)])
            + (single.isEmpty
                ? [] : [.paragraph("Which prologue token holds what differs from tokenizer to tokenizer:"), .figures(single)])
            + (costs.isEmpty ? [] : [.figures(costs)])
            + (visual.isEmpty ? [] : [.details("Visual tokens", [.figures(visual)])])
    }

    private static let informationCaption =
        "share of a factor's entropy that a token tells by itself; means over seeds, ± half the 95 % interval"

    /// What each prologue token costs the prior, against its entropy given those before it in the data.
    private func positionCosts(_ arrays: [TokenArrays]) -> [ReportDocument.Figure] {
        zip(results.arms, arrays).compactMap { arm, arrays in
            let series = [
                ("entropy by itself", "entropy", false), ("given those before it, in the data", "conditional", true),
                ("paid by the prior, no class", "prior_cost_noclass", false),
                ("paid by the prior, class given", "prior_cost_class", false),
            ].compactMap { title, name, isDashed -> LinePlot.Series? in
                let points = arrays.prologue(name).enumerated().map { place, values in
                    LinePlot.Point(values, x: Double(place + 1))
                }.compactMap { $0 }
                return points.isEmpty ? nil : LinePlot.Series(title, points: points, isDashed: isDashed)
            }
            guard !series.isEmpty else { return nil }
            var plot = LinePlot(title: "\(arm.label): prologue tokens", xLabel: "prologue token", yLabel: "nats", series: series)
            plot.possible = 0...Double.infinity
            return figure(
                "prologue-cost-\(arm.label)",
                "bands: 95 % intervals over seeds; in the data, entropies given earlier "
                    + "tokens come out too low once there are few images to a prefix", plot.svg())
        }
    }

    var costs: [ReportDocument.Block] {
        var figures: [ReportDocument.Figure] = []
        for (mode, spelt) in [("noclass", "no class given"), ("class", "class given")] {
            func cost(_ segment: String) -> String { Measure.cost.name([.segment: segment, .told: mode]) }
            let parts = ["prologue", "visual", "tokens"].filter { names.contains(cost($0)) }
            guard !parts.isEmpty else { continue }
            let series = results.arms.enumerated().map { place, arm in
                BarPlot.Series(arm.label, values: parts.map { bar(arm, cost($0)) }, colour: place)
            }
            figures.append(
                figure(
                    "costs-\(mode)", "bars: 95 % intervals over seeds, or over held-out images where there is one seed",
                    BarPlot(
                        title: "What the prior pays for tokens, \(spelt)", xLabel: "tokens", yLabel: "nats per image",
                        groups: parts.map { $0 == "tokens" ? "all tokens" : $0 }, series: series
                    ).svg()))
        }
        if let difference = costDifferences { figures.append(difference) }
        return figures.isEmpty ? [] : [.figures(figures)]
    }

    /// −ELBO and its parts against the baseline, replicate by replicate.
    private var costDifferences: ReportDocument.Figure? {
        guard let baseline = results.arms.first(where: \.isBaseline), results.arms.count > 1 else { return nil }
        func cost(_ segment: String) -> String { Measure.cost.name([.segment: segment, .told: "noclass"]) }
        let parts = [
            ("reconstruction", Measure.reconstructionCost.name()), ("prologue", cost("prologue")), ("visual", cost("visual")),
            ("−ELBO", cost("total")),
        ].filter { names.contains($0.1) }
        let series = results.arms.enumerated().filter { !$0.element.isBaseline }.map { place, arm in
            BarPlot.Series(
                arm.label,
                values: parts.map { _, name in
                    let other = Dictionary(baseline.values(name).map { ($0.replicate, $0.value) }, uniquingKeysWith: { $1 })
                    let differences = arm.values(name).compactMap { value in other[value.replicate].map { value.value - $0 } }
                    return Estimate(of: differences).map { estimate in
                        BarPlot.Value(estimate.mean, interval: estimate.interval.map { $0.low...$0.high })
                    }
                }, colour: place)
        }
        guard series.contains(where: { $0.values.contains { $0 != nil } }) else { return nil }
        let plot = BarPlot(
            title: "−ELBO against \(baseline.label), no class given", xLabel: "part of the cost",
            yLabel: "nats per image more than \(baseline.label)",
            groups: parts.map(\.0), series: series)
        return figure("costs-difference", "less is better; bars: 95 % intervals of paired differences over seeds", plot.svg())
    }

    // MARK: Attention

    var attention: [ReportDocument.Block] {
        let plots = [
            layerPlot("distance", .attentionDistance, .attentionDistanceEven, "Distance to visual tokens attended to", "patches"),
            layerPlot(
                "prologue_share", .attentionPrologueShare, .attentionPrologueShareEven, "Attention to the prologue", "share"),
        ].compactMap { $0 }
        let pictures = firstPictures("attention", of: "attention.png")
        return (plots.isEmpty ? [] : [.figures(plots)]) + (pictures.isEmpty ? [] : [.figures(pictures)])
    }

    /// A measure of attention over layers, and what evenly spread attention would have.
    private func layerPlot(
        _ name: String, _ measure: Measure, _ ifEven: Measure, _ title: String, _ yLabel: String
    ) -> ReportDocument.Figure? {
        let layers = Set(scores.filter { $0.measure == measure }.compactMap { $0[.layer].flatMap { Int($0) } }).sorted()
        func series(_ arm: SweepResults.Arm, _ measure: Measure, as label: String, colour: Int, isDashed: Bool) -> LinePlot.Series? {
            let points = layers.compactMap { point(arm, measure.name([.layer: "\($0)"]), x: Double($0)) }
            guard points.contains(where: { $0.y != 0 }) else { return nil }
            return LinePlot.Series(label, points: points, isDashed: isDashed, colour: colour)
        }
        let measured = results.arms.enumerated().compactMap { place, arm in
            series(arm, measure, as: arm.label, colour: place, isDashed: false)
        }
        // It depends on the number of tokens alone, which is the same in all arms that have any of the kind.
        let even = results.arms.lazy.compactMap { series($0, ifEven, as: "if even", colour: 6, isDashed: true) }.first
        guard !measured.isEmpty, layers.count > 1 else { return nil }
        var plot = LinePlot(title: title, xLabel: "layer", yLabel: yLabel, series: measured + (even.map { [$0] } ?? []))
        plot.possible = measure.possible
        return figure("attention-\(name)", "while visual tokens are predicted, mean over heads; " + Self.overSeeds, plot.svg())
    }

    // MARK: Parts

    private func figure(_ name: String, _ caption: String, _ svg: String) -> ReportDocument.Figure {
        ReportDocument.Figure(name: "semantics-\(name)", caption: caption, content: .svg(svg))
    }

    /// A measure of an arm with its interval over seeds; of a single run, with the interval that the run has.
    private func point(_ arm: SweepResults.Arm, _ name: String, x: Double) -> LinePlot.Point? {
        guard let estimate = Estimate(of: arm.values(name).map(\.value)) else { return nil }
        return LinePlot.Point(x: x, y: estimate.mean, band: interval(estimate, arm, name))
    }

    private func bar(_ arm: SweepResults.Arm, _ name: String) -> BarPlot.Value? {
        Estimate(of: arm.values(name).map(\.value)).map { BarPlot.Value($0.mean, interval: interval($0, arm, name)) }
    }

    private func interval(_ estimate: Estimate, _ arm: SweepResults.Arm, _ name: String) -> ClosedRange<Double>? {
        if let interval = estimate.interval { return interval.low...interval.high }
        let score = MetricName(name)
        guard score.fields[.bound] != nil, let a = arm.values(score.with([.bound: "_low"])).first,
            let b = arm.values(score.with([.bound: "_high"])).first, a.value <= b.value
        else { return nil }
        return a.value...b.value
    }

    private static func readout(_ factor: String, _ set: String) -> String {
        Measure.readoutFactor.name([.factor: factor, .tokens: set])
    }

    /// R² of every factor from each set of tokens.
    private func factorReadout(_ arm: SweepResults.Arm) -> ReportDocument.Figure? {
        let sets = ["prologue", "first", "random", "pooled", "all"]
        let factors = Set(scores.filter { $0.measure == .readoutFactor }.compactMap { $0[.factor] }).sorted()
        let shown = sets.filter { set in factors.contains { !arm.values(Self.readout($0, set)).isEmpty } }
        guard !factors.isEmpty, !shown.isEmpty else { return nil }
        let map = HeatMap(
            title: "\(arm.label): factors that a linear map reads", xLabel: "tokens", yLabel: "factor",
            rowLabels: factors.map { $0.replacing("_", with: " ") }, columnLabels: shown,
            cells: factors.map { factor in
                shown.map { HeatMap.Cell(arm.values(Self.readout(factor, $0)).map(\.value)) }
            }, legend: "R²", range: 0...1)
        return figure("factors-\(arm.label)", "R² on held-out images; means over seeds, ± half the 95 % interval", map.svg())
    }

    /// A picture of each arm's first run.
    private func firstPictures(_ name: String, of file: String) -> [ReportDocument.Figure] {
        results.arms.compactMap { arm in
            guard let run = arm.runs.first, let picture = run.pictures.first(where: { $0.path.hasSuffix("/\(file)") }),
                let bytes = try? store.content(of: picture)
            else { return nil }
            return ReportDocument.Figure(
                name: "semantics-\(name)-\(arm.label)", caption: "\(arm.label), seed \(run.seed): \(picture.description)",
                content: .png(bytes))
        }
    }
}

extension HeatMap.Cell {
    /// The mean of values over seeds, with half of its 95 % interval in the text.
    init(_ values: [Double]) {
        guard let estimate = Estimate(of: values) else {
            self.init(nil)
            return
        }
        let margin = estimate.margin.map { " ± \(NumberFormat.fixed($0, decimals: 2))" } ?? ""
        self.init(estimate.mean, text: NumberFormat.fixed(estimate.mean, decimals: 2) + margin)
    }
}

extension LinePlot.Point {
    /// The mean of values over seeds, with its 95 % interval; nil without values.
    init?(_ values: [Double], x: Double) {
        guard let estimate = Estimate(of: values) else { return nil }
        self.init(x: x, y: estimate.mean, band: estimate.interval.map { $0.low...$0.high })
    }
}
