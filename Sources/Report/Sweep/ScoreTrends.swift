import Experiment
import Files
import Metrics
import Sweep

/// Scores against a numeric axis of the sweep, such as the number of prologue tokens: a plot per axis and score, a
/// curve per combination of the other axes' values, a 95 % interval over seeds around each point.
struct ScoreTrends {
    let figures: [ReportDocument.Figure]

    /// Fewer values than this make no curve.
    private static let fewest = 3

    init(_ sweep: SweepFile, _ results: SweepResults, metrics: [String]) {
        let cells = results.arms.compactMap { arm in sweep.cells.first { $0.label == arm.cell }.map { (arm, $0) } }
        let axes = sweep.cells.first?.choices.map(\.axis) ?? []
        figures = axes.flatMap { axis -> [ReportDocument.Figure] in
            let placed = cells.compactMap { arm, cell -> (arm: SweepResults.Arm, others: [Choice], x: Double)? in
                guard let x = cell.choices.first(where: { $0.axis == axis })?.value.doubleValue else { return nil }
                let others = cell.choices.filter { $0.axis != axis }
                return (arm, others, x)
            }
            guard placed.count == cells.count, Set(placed.map(\.x)).count >= Self.fewest else { return [] }
            let curves = placed.map(\.others).uniqued()
            let names = ArmLabels.short(curves.map { $0.map { .init(key: $0.axis, label: $0.label, value: $0.value) } })
            return metrics.compactMap { metric in
                let score = MetricName(metric)
                let series = zip(curves, names).compactMap { others, name -> LinePlot.Series? in
                    let points = placed.filter { $0.others == others }.sorted { $0.x < $1.x }.compactMap { Self.point($0, metric) }
                    return points.isEmpty ? nil : LinePlot.Series(name.isEmpty ? score.title : name, points: points)
                }
                guard series.contains(where: { $0.points.count >= Self.fewest }) else { return nil }
                var plot = LinePlot(title: "\(score.title) over \(axis)", xLabel: axis, yLabel: score.title, series: series)
                plot.xScale = .suiting(series.flatMap { $0.points.map(\.x) })
                plot.possible = score.measure.possible
                return ReportDocument.Figure(
                    name: "\(metric)-over-\(axis)", caption: "\(score.title) over \(axis); bands are 95 % intervals over seeds",
                    content: .svg(plot.svg()))
            }
        }
    }

    private static func point(_ placed: (arm: SweepResults.Arm, others: [Choice], x: Double), _ metric: String) -> LinePlot.Point? {
        LinePlot.Point(placed.arm.values(metric).map(\.value), x: placed.x)
    }
}
