import Experiment
import Metrics

/// Scores that one stage measured along an axis of its own, such as gFID after so many steps of the prior: a plot per
/// score, a curve per arm, a 95 % interval over seeds around each point.
public struct ScoreCurves {
    public let figures: [ReportDocument.Figure]

    private static let axes: [MetricField: String] = [.step: "training steps of the prior", .guidance: "guidance scale"]

    /// A score along an axis: its values' names by place.
    private struct Curve {
        let score: String
        /// One of its values.
        let example: MetricName
        let axis: (key: String, title: String)
        var names: [(x: Double, name: String)] = []
    }

    public init(_ results: SweepResults) {
        var curves: [Curve] = []
        for name in results.scores {
            guard let (axis, x) = name.place, let title = Self.axes[axis] else { continue }
            let score = name.curve
            let place = curves.firstIndex { $0.score == score && $0.axis.key == axis.rawValue } ?? curves.endIndex
            if place == curves.endIndex { curves.append(Curve(score: score, example: name, axis: (axis.rawValue, title))) }
            curves[place].names.append((x, name.text))
        }
        figures = curves.compactMap { Self.figure($0, results) }
    }

    private static func figure(_ curve: Curve, _ results: SweepResults) -> ReportDocument.Figure? {
        let names = curve.names.sorted { $0.x < $1.x }
        let styles = ArmStyle.all(for: results.arms.map(\.label))
        let series = zip(results.arms, styles).compactMap { arm, style -> LinePlot.Series? in
            let points = names.compactMap { x, name in LinePlot.Point(arm.values(name).map(\.value), x: x) }
            guard points.count > 1 else { return nil }
            return LinePlot.Series(arm.label, points: points, isDashed: style.isDashed, colour: style.colour)
        }
        guard !series.isEmpty else { return nil }
        let (score, measured) = (curve.example.curveTitle, curve.example.measure)
        let title = "\(score) over \(curve.axis.title)"
        var plot = LinePlot(title: title, xLabel: curve.axis.title, yLabel: score, series: series)
        plot.possible = measured.possible
        let points = series.flatMap(\.points)
        if plot.possible.upperBound > 1 { plot.yScale = .suiting(points.map(\.y)) }
        if plot.yScale == .logarithmic, let least = points.map(\.y).min() {
            // A band of few seeds may reach down to zero, which such an axis does not have.
            plot.possible = max(least / 2, points.compactMap { $0.band?.lowerBound }.min() ?? 0)...plot.possible.upperBound
        }
        return ReportDocument.Figure(
            name: "\(curve.score)-over-\(curve.axis.key)",
            caption: "\(title); bands are 95 % intervals over seeds", content: .svg(plot.svg()))
    }
}
