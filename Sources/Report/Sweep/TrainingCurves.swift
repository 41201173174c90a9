import Experiment
import Foundation
import RunStore

/// What the training stages of a sweep logged: a plot per column, a curve per arm, a band over its seeds.
struct TrainingCurves {
    let blocks: [ReportDocument.Block]

    /// Points a curve is drawn with at most.
    private static let resolution = 200
    /// Columns that do not show learning, such as the learning rate itself.
    private static let omitted: Set<String> = ["rate"]

    /// Nil where nothing was logged.
    init?(_ results: SweepResults, in store: Store) {
        let plots = ["tokenizer", "prior"].flatMap { role -> [ReportDocument.Block] in
            let arms = results.arms.map { arm in (arm.label, Self.tables(of: arm, role, in: store)) }
            let styles = ArmStyle.all(for: results.arms.map(\.label))
            var columns: [String] = []
            for column in arms.flatMap({ $0.1.flatMap(\.columns) }) where !columns.contains(column) { columns.append(column) }
            let figures = columns.filter { !Self.omitted.contains($0) }.compactMap { column -> ReportDocument.Figure? in
                let series = zip(arms, styles).compactMap { arm, style in Self.series(arm.0, column, arm.1, style) }
                guard !series.isEmpty else { return nil }
                var plot = LinePlot(title: "\(role): \(column)", xLabel: "step", yLabel: column, series: series)
                // Of a loss that falls by orders of magnitude, the logarithm shows the end as well as the beginning.
                plot.yScale = .suiting(series.flatMap { $0.points.map(\.y) })
                return ReportDocument.Figure(name: "\(role)-\(column)", caption: "", content: .svg(plot.svg()))
            }
            return figures.isEmpty ? [] : [.subheading(role.prefix(1).uppercased() + role.dropFirst()), .figures(figures)]
        }
        guard !plots.isEmpty else { return nil }
        let introduction: ReportDocument.Block = .paragraph(
            "What the training stages logged, as means over up to \(Self.resolution) windows of steps"
                + (results.arms.contains { $0.runs.count > 1 } ? "; bands reach from the lowest to the highest seed" : "")
                + ". Total losses of different variants have different terms and do not compare.")
        blocks = [introduction] + plots
    }

    /// The metrics files of an arm's runs; a stage that several runs share counts once; a damaged one is left out.
    private static func tables(of arm: SweepResults.Arm, _ role: String, in store: Store) -> [MetricsTable] {
        var seen: Set<String> = []
        return arm.runs.compactMap { run in
            guard let id = run.stages[role]?.record?.id, seen.insert(id).inserted else { return nil }
            return try? MetricsFile.read(store.stage(id: id).verified("metrics.h5"))
        }
    }

    /// Means over windows of steps, then over seeds.
    private static func series(
        _ label: String, _ column: String, _ tables: [MetricsTable], _ style: ArmStyle
    ) -> LinePlot.Series? {
        let last = tables.compactMap { $0.steps.last }.max() ?? 0
        let window = max(1, (Int(last) + resolution - 1) / resolution)
        var values: [Int: [Double]] = [:]
        for table in tables {
            guard let logged = table.values[column] else { continue }
            var sums: [Int: (sum: Double, count: Int)] = [:]
            for (step, value) in zip(table.steps, logged) where value.isFinite {
                let place = (Int(step) + window - 1) / window
                sums[place, default: (0, 0)].sum += Double(value)
                sums[place, default: (0, 0)].count += 1
            }
            for (place, sum) in sums { values[place, default: []].append(sum.sum / Double(sum.count)) }
        }
        let points = values.sorted { $0.key < $1.key }.map { place, seeds in
            let (low, high) = (seeds.min() ?? .nan, seeds.max() ?? .nan)
            return LinePlot.Point(
                x: Double(place * window), y: seeds.reduce(0, +) / Double(seeds.count), band: low < high ? low...high : nil)
        }
        return points.isEmpty ? nil : LinePlot.Series(label, points: points, isDashed: style.isDashed, colour: style.colour)
    }
}
