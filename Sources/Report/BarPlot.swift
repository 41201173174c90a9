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
    public var yLabel: String
    public var groups: [String]
    public var series: [Series]

    public init(title: String, yLabel: String, groups: [String], series: [Series]) {
        precondition(
            series.allSatisfy { $0.values.count == groups.count },
            "\(series.map(\.values.count)) values in series for \(groups.count) groups")
        (self.title, self.yLabel, self.groups, self.series) = (title, yLabel, groups, series)
    }

    /// - Parameters:
    ///   - width, height: in pixels.
    public func svg(width: Double = 720, height: Double = 440) -> String {
        let values = series.flatMap { $0.values.compactMap { $0 } }.filter(\.value.isFinite)
        let y = Axis(
            covering: [0] + values.flatMap { [$0.value] + ($0.interval.map { [$0.lowerBound, $0.upperBound] } ?? []) },
            range: nil, scale: .linear, ticks: 5)
        let legend = Legend(series.map { ($0.name, false) }, width: width - 40)
        let left = 48 + 7.5 * Double(y.labels.map(\.count).max() ?? 1)
        let (top, right, bottom) = (50 + legend.height, width - 24, height - 44)
        func place(_ value: Double) -> Double { bottom - (y.place(value) ?? 0) * (bottom - top) }

        var svg = Drawing.opening(title: title, width: width, height: height)
        svg += legend.svg { LinePlot.colour(series[$0].colour ?? $0) }
        for (tick, label) in zip(y.ticks, y.labels) {
            svg += Drawing.line(left, place(tick), right, place(tick), "#e6e6e6")
            svg += Drawing.text(label, x: left - 8, y: place(tick) + 4.5, anchor: "end")
        }
        let groupWidth = (right - left) / Double(max(1, groups.count))
        let barWidth = min(56, groupWidth * 0.8 / Double(max(1, series.count)))
        for (g, group) in groups.enumerated() {
            let middle = left + (Double(g) + 0.5) * groupWidth
            svg += Drawing.text(group, x: middle, y: bottom + 20, anchor: "middle")
            for (s, one) in series.enumerated() {
                guard let value = one.values[g], value.value.isFinite else { continue }
                let x = middle + (Double(s) - Double(series.count) / 2) * barWidth
                let (high, low) = (place(max(0, value.value)), place(min(0, value.value)))
                svg += Drawing.rectangle(
                    x: x + 1, y: high, width: barWidth - 2, height: max(0.5, low - high), LinePlot.colour(one.colour ?? s),
                    opacity: 0.75)
                guard let interval = value.interval else { continue }
                let centre = x + barWidth / 2
                svg += Drawing.line(centre, place(interval.lowerBound), centre, place(interval.upperBound), "#222", width: 1.5)
                for end in [interval.lowerBound, interval.upperBound] {
                    svg += Drawing.line(centre - 5, place(end), centre + 5, place(end), "#222", width: 1.5)
                }
            }
        }
        svg += Drawing.line(left, place(0), right, place(0), "#888")
        svg += "<text transform=\"translate(16 \(Drawing.number((top + bottom) / 2))) rotate(-90)\" text-anchor=\"middle\">"
            + "\(escapedForXML(yLabel))</text>\n"
        if values.isEmpty { svg += Drawing.text("no data", x: (left + right) / 2, y: (top + bottom) / 2, anchor: "middle") }
        return svg + "</svg>\n"
    }
}
