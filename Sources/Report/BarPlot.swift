import Foundation

/// Bars from zero in groups, one of each series, with bars of uncertainty, as one self-contained SVG picture.
public struct BarPlot: Sendable {
    public struct Value: Sendable, Equatable {
        public var value: Double
        /// Such as a 95 % interval.
        public var interval: ClosedRange<Double>?

        public init(_ value: Double, interval: ClosedRange<Double>? = nil) {
            self.value = value
            self.interval = interval
        }
    }

    public struct Series: Sendable, Equatable {
        public var name: String
        /// One for each group; nil leaves a gap.
        public var values: [Value?]
        /// Place in the palette, so that an arm keeps its colour over several plots; by default its place in the plot.
        public var colour: Int?

        public init(_ name: String, values: [Value?], colour: Int? = nil) {
            (self.name, self.values, self.colour) = (name, values, colour)
        }
    }

    public var title: String
    public var xLabel: String
    public var yLabel: String
    public var groups: [String]
    public var series: [Series]

    public init(title: String, xLabel: String, yLabel: String, groups: [String], series: [Series]) {
        precondition(
            series.allSatisfy { $0.values.count == groups.count },
            "\(series.map(\.values.count)) values in series for \(groups.count) groups")
        (self.title, self.xLabel, self.yLabel, self.groups, self.series) = (title, xLabel, yLabel, groups, series)
    }

    /// - Parameters:
    ///   - width, height: in pixels.
    public func svg(width: Double = 720, height: Double = 440) -> String {
        let values = series.flatMap { $0.values.compactMap { $0 } }.filter(\.value.isFinite)
        let y = Axis(
            covering: [0] + values.flatMap { [$0.value] + ($0.interval.map { [$0.lowerBound, $0.upperBound] } ?? []) },
            range: nil, scale: .linear, ticks: 5)
        let frame = PlotFrame(
            title: title, xLabel: xLabel, yLabel: yLabel, y: y,
            legend: series.enumerated().map { Legend.Entry(name: $1.name, colour: Palette.colour($1.colour ?? $0)) },
            width: width, height: height, isEmpty: values.isEmpty)
        let place = frame.height(of:)
        var svg = frame.svg
        let groupWidth = frame.width / Double(max(1, groups.count))
        let barWidth = min(56, groupWidth * 0.8 / Double(max(1, series.count)))
        for (g, group) in groups.enumerated() {
            let middle = frame.left + (Double(g) + 0.5) * groupWidth
            svg += Drawing.text(group, x: middle, y: frame.bottom + 20, anchor: "middle")
            for (s, one) in series.enumerated() {
                guard let value = one.values[g], value.value.isFinite else { continue }
                let x = middle + (Double(s) - Double(series.count) / 2) * barWidth
                let (high, low) = (place(max(0, value.value)), place(min(0, value.value)))
                svg += Drawing.rectangle(
                    x: x + 1, y: high, width: barWidth - 2, height: max(0.5, low - high), Palette.colour(one.colour ?? s),
                    opacity: 0.75)
                guard let interval = value.interval else { continue }
                let centre = x + barWidth / 2
                svg += Drawing.line(centre, place(interval.lowerBound), centre, place(interval.upperBound), .whisker, width: 1.5)
                for end in [interval.lowerBound, interval.upperBound] {
                    svg += Drawing.line(centre - 5, place(end), centre + 5, place(end), .whisker, width: 1.5)
                }
            }
        }
        svg += Drawing.line(frame.left, place(0), frame.right, place(0), .axis)
        return svg + "</svg>\n"
    }
}
