import Experiment
import RunStore

/// What one stage of every arm logged while it trained, as curves over steps.
public struct ArmCurves {
    private let role: String
    private let arms: [(label: String, tables: [MetricsTable])]

    /// Points a curve is drawn with at most.
    public static let resolution = 200

    /// - Parameters:
    ///   - role: `tokenizer`, `prior` or another stage that logs.
    ///   - read: the metrics of a stage by its id; nil where there are none, or none that can be read.
    public init(_ results: SweepResults, of role: String, reading read: (_ stage: String) -> MetricsTable?) {
        self.init(of: role, arms: results.arms.map { ($0.label, $0.runs.compactMap { $0.stages[role]?.id }) }, reading: read)
    }

    /// - Parameter arms: with the ids of their stages; one that several runs share counts once.
    public init(
        of role: String, arms: [(label: String, stages: [String])], reading read: (_ stage: String) -> MetricsTable?
    ) {
        self.role = role
        self.arms = arms.map { label, stages in
            var seen: Set<String> = []
            return (label, stages.filter { !$0.isEmpty && seen.insert($0).inserted }.compactMap(read))
        }
    }

    /// Names of what was logged, in the order in which it was first.
    public var columns: [String] {
        var columns: [String] = []
        for column in arms.flatMap({ $0.tables.flatMap(\.columns) }) where !columns.contains(column) { columns.append(column) }
        return columns
    }

    /// A curve per arm, a band from the lowest to the highest seed; nil where none logged the column.
    ///
    /// - Parameters:
    ///   - smoothing: 0 for none; else each point is so many parts of those before it, as an exponential average has them.
    ///   - toCommonStep: whether curves end at the last step that all arms have reached.
    public func plot(_ column: String, smoothing: Double = 0, toCommonStep: Bool = false) -> LinePlot? {
        let styles = ArmStyle.all(for: arms.map(\.label))
        var series = zip(arms, styles).compactMap { arm, style in Self.series(arm.label, column, arm.tables, style) }
        guard !series.isEmpty else { return nil }
        if toCommonStep, let last = series.compactMap({ $0.points.last?.x }).min() {
            for i in series.indices { series[i].points.removeAll { $0.x > last } }
        }
        if smoothing > 0 { for i in series.indices { series[i].points = Self.smoothed(series[i].points, smoothing) } }
        var plot = LinePlot(title: "\(role): \(column)", xLabel: "step", yLabel: column, series: series)
        // Of a loss that falls by orders of magnitude, the logarithm shows the end as well as the beginning.
        plot.yScale = .suiting(series.flatMap { $0.points.map(\.y) })
        return plot
    }

    /// Exponential averages of the points before each, by their distance in points, each divided by the sum of its weights.
    static func smoothed(_ points: [LinePlot.Point], _ smoothing: Double) -> [LinePlot.Point] {
        var (sum, low, high, weight) = (0.0, 0.0, 0.0, 0.0)
        return points.map { point in
            guard point.y.isFinite else { return point }
            let band = point.band ?? point.y...point.y
            sum = smoothing * sum + (1 - smoothing) * point.y
            low = smoothing * low + (1 - smoothing) * band.lowerBound
            high = smoothing * high + (1 - smoothing) * band.upperBound
            weight = smoothing * weight + (1 - smoothing)
            let (from, to) = (min(low, high) / weight, max(low, high) / weight)
            return LinePlot.Point(x: point.x, y: sum / weight, band: point.band == nil ? nil : from...to)
        }
    }

    /// Means over windows of steps, then over seeds.
    private static func series(
        _ label: String, _ column: String, _ tables: [MetricsTable], _ style: ArmStyle
    ) -> LinePlot.Series? {
        let last = tables.compactMap { $0.steps.last }.max() ?? 0
        let window = max(1, (Int(last) + resolution - 1) / resolution)
        // Place p holds the steps after (p − 1)·window up to p·window; there are at most `resolution` after 0.
        var seeds = [[Double]](repeating: [], count: resolution + 1)
        for table in tables {
            guard let logged = table.values[column] else { continue }
            var sums = [Double](repeating: 0, count: resolution + 1), counts = [Int](repeating: 0, count: resolution + 1)
            for (step, value) in zip(table.steps, logged) where value.isFinite && step >= 0 {
                let place = (Int(step) + window - 1) / window
                sums[place] += Double(value)
                counts[place] += 1
            }
            for place in sums.indices where counts[place] > 0 { seeds[place].append(sums[place] / Double(counts[place])) }
        }
        let points = seeds.indices.compactMap { place -> LinePlot.Point? in
            let values = seeds[place]
            guard let low = values.min(), let high = values.max() else { return nil }
            return LinePlot.Point(
                x: Double(place * window), y: values.reduce(0, +) / Double(values.count), band: low < high ? low...high : nil)
        }
        return points.isEmpty ? nil : LinePlot.Series(label, points: points, isDashed: style.isDashed, colour: style.colour)
    }
}
