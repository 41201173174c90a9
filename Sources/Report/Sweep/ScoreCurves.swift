import Evaluation
import Experiment
import Metrics

/// Scores that one stage measured along an axis of its own, such as gFID after so many steps of the prior: a plot per
/// score, a curve per arm, a 95 % interval over seeds around each point.
struct ScoreCurves {
    let figures: [ReportDocument.Figure]

    private static let axes: [MetricField: String] = [.step: "training steps of the prior", .guidance: "guidance scale"]

    /// A score along an axis: its values' names by place.
    private struct Curve {
        let score: String
        let axis: (key: String, title: String)
        var names: [(x: Double, name: String)] = []
    }

    init(_ results: SweepResults) {
        var curves: [Curve] = []
        for name in results.scores {
            guard let (axis, x) = name.place, let title = Self.axes[axis] else { continue }
            let score = name.curve
            let place = curves.firstIndex { $0.score == score && $0.axis.key == axis.rawValue } ?? curves.endIndex
            if place == curves.endIndex { curves.append(Curve(score: score, axis: (axis.rawValue, title))) }
            curves[place].names.append((x, name.text))
        }
        figures = curves.compactMap { Self.figure($0, results) }
    }

    private static func figure(_ curve: Curve, _ results: SweepResults) -> ReportDocument.Figure? {
        let names = curve.names.sorted { $0.x < $1.x }
        let styles = ArmStyle.all(for: results.arms.map(\.label))
        let series = zip(results.arms, styles).compactMap { arm, style -> LinePlot.Series? in
            let points = names.compactMap { x, name -> LinePlot.Point? in
                guard let estimate = Estimate(of: arm.values(name).map(\.value)) else { return nil }
                return LinePlot.Point(x: x, y: estimate.mean, band: estimate.interval.map { $0.low...$0.high })
            }
            guard points.count > 1 else { return nil }
            return LinePlot.Series(arm.label, points: points, isDashed: style.isDashed, colour: style.colour)
        }
        guard !series.isEmpty else { return nil }
        var plot = LinePlot(
            title: "\(curve.score) over \(curve.axis.title)", xLabel: curve.axis.title, yLabel: curve.score, series: series)
        // Distances fall by orders of magnitude, and are never negative: where a band of few seeds reaches far below the
        // curves, it is cut off.
        let points = series.flatMap(\.points)
        if let least = points.map(\.y).min(), least > 0 {
            let most = points.map { $0.band?.upperBound ?? $0.y }.max() ?? least
            let floor = max(least / 2, points.map { $0.band?.lowerBound ?? $0.y }.min() ?? 0)
            plot.yScale = .logarithmic
            plot.yRange = floor...max(most, floor)
            for i in plot.series.indices {
                for j in plot.series[i].points.indices {
                    guard let band = plot.series[i].points[j].band else { continue }
                    plot.series[i].points[j].band = max(floor, band.lowerBound)...max(floor, band.upperBound)
                }
            }
        }
        return ReportDocument.Figure(
            name: "\(curve.score)-over-\(curve.axis.key)",
            caption: "\(curve.score) over \(curve.axis.title); bands are 95 % intervals over seeds", content: .svg(plot.svg()))
    }
}
