import Foundation

/// Curves over a common axis, with bands of uncertainty, as one self-contained SVG picture.
public struct LinePlot: Sendable {
    public enum Scale: Sendable {
        case linear, logarithmic

        /// Logarithmic where values are positive and span a decade at least: less is read off a linear axis just as well.
        public static func suiting(_ values: [Double]) -> Scale {
            let finite = values.filter(\.isFinite)
            guard let low = finite.min(), let high = finite.max(), low > 0 else { return .linear }
            return high >= 10 * low ? .logarithmic : .linear
        }
    }

    public struct Point: Sendable, Equatable {
        public var x: Double
        /// A value that is not finite leaves a gap.
        public var y: Double
        /// Ends of the band at x, such as a 95 % interval.
        public var band: ClosedRange<Double>?

        public init(x: Double, y: Double, band: ClosedRange<Double>? = nil) {
            self.x = x
            self.y = y
            self.band = band
        }
    }

    public struct Series: Sendable, Equatable {
        public var name: String
        public var points: [Point]
        public var isDashed: Bool
        /// Place in the palette, so that an arm keeps its colour over several plots; by default its place in the plot.
        public var colour: Int?

        public init(_ name: String, points: [Point], isDashed: Bool = false, colour: Int? = nil) {
            self.name = name
            self.points = points
            self.isDashed = isDashed
            self.colour = colour
        }
    }

    public var title: String
    public var xLabel: String
    public var yLabel: String
    public var series: [Series]
    public var xScale = Scale.linear
    public var yScale = Scale.linear
    /// Shown part of an axis; all of the data where nil.
    public var xRange: ClosedRange<Double>?
    public var yRange: ClosedRange<Double>?
    /// Values that y can have at all. An interval of few seeds may reach further; its band is cut off there.
    public var possible = -Double.infinity...Double.infinity

    public init(title: String, xLabel: String, yLabel: String, series: [Series]) {
        self.title = title
        self.xLabel = xLabel
        self.yLabel = yLabel
        self.series = series
    }

    /// - Parameters:
    ///   - width, height: in pixels.
    public func svg(width: Double = 720, height: Double = 440) -> String {
        var plot = self
        for i in series.indices {
            for j in series[i].points.indices {
                plot.series[i].points[j].band = series[i].points[j].band?.clamped(to: possible)
            }
        }
        return plot.drawn(width: width, height: height)
    }

    private func drawn(width: Double, height: Double) -> String {
        let points = series.flatMap(\.points)
        let x = Axis(covering: points.map(\.x), range: xRange, scale: xScale, ticks: 7)
        let y = Axis(
            covering: points.flatMap { [$0.y] + ($0.band.map { [$0.lowerBound, $0.upperBound] } ?? []) }, range: yRange,
            scale: yScale, ticks: 5)
        let frame = PlotFrame(
            title: title, xLabel: xLabel, yLabel: yLabel, y: y,
            legend: series.enumerated().map { Legend.Entry(name: $1.name, isDashed: $1.isDashed, colour: colour($0)) },
            width: width, height: height, isEmpty: !points.contains { x.place($0.x) != nil && y.place($0.y) != nil })

        var svg = frame.svg
        for (tick, label) in zip(x.ticks, x.labels) {
            guard let place = x.place(tick) else { continue }
            let left = frame.left + place * frame.width
            svg += Drawing.line(left, frame.bottom, left, frame.bottom + 5, .axis)
            svg += Drawing.text(label, x: left, y: frame.bottom + 20, anchor: "middle")
        }
        svg += Drawing.line(frame.left, frame.bottom, frame.right, frame.bottom, .axis)
        // A nested picture cuts off what lies outside the shown range; its rim has room for the markers on the edge.
        let (rim, w, h) = (4.0, frame.width, frame.height)
        svg += """
            <svg x="\(Drawing.number(frame.left - rim))" y="\(Drawing.number(frame.top - rim))" width="\(Drawing.number(w + 2 * rim))" \
            height="\(Drawing.number(h + 2 * rim))" viewBox="\([-rim, -rim, w + 2 * rim, h + 2 * rim].map(Drawing.number).joined(separator: " "))" \
            overflow="hidden" class="data" data-x="\(x.description)" data-y="\(y.description)">

            """
        for (i, one) in series.enumerated() { svg += bands(one, colour(i), x, frame) }
        for (i, one) in series.enumerated() { svg += curve(one, colour(i), x, frame) }
        return svg + "</svg>\n</svg>\n"
    }

    private func colour(_ index: Int) -> String { Palette.colour(series[index].colour ?? index) }

    private func bands(_ series: Series, _ colour: String, _ x: Axis, _ frame: PlotFrame) -> String {
        runs(series.points) { point -> (Double, Double, Double)? in
            guard let band = point.band, let left = x.place(point.x), let low = frame.y.place(band.lowerBound),
                let high = frame.y.place(band.upperBound)
            else { return nil }
            return (left * frame.width, (1 - low) * frame.height, (1 - high) * frame.height)
        }.map { run in
            let outline =
                run.map { "\(Drawing.number($0.0)),\(Drawing.number($0.2))" }
                + run.reversed().map { "\(Drawing.number($0.0)),\(Drawing.number($0.1))" }
            // A lone point has no width: its band is a bar.
            return run.count == 1
                ? Drawing.line(run[0].0, run[0].1, run[0].0, run[0].2, colour, width: 2)
                : "<polygon points=\"\(outline.joined(separator: " "))\" fill=\"\(colour)\" fill-opacity=\"0.16\"/>\n"
        }.joined()
    }

    private func curve(_ series: Series, _ colour: String, _ x: Axis, _ frame: PlotFrame) -> String {
        let runs = runs(series.points) { point -> (Double, Double)? in
            guard let left = x.place(point.x), let height = frame.y.place(point.y) else { return nil }
            return (left * frame.width, (1 - height) * frame.height)
        }
        let dash = series.isDashed ? " stroke-dasharray=\"7 4\"" : ""
        var svg = ""
        for run in runs where run.count > 1 {
            let path = run.map { "\(Drawing.number($0.0)),\(Drawing.number($0.1))" }.joined(separator: " ")
            svg +=
                "<polyline data-name=\"\(escapedForXML(series.name))\" points=\"\(path)\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"2\" "
                + "stroke-linejoin=\"round\"\(dash)/>\n"
        }
        // Markers show where values are, as long as there are few; a lone point has nothing else.
        for run in runs where run.count == 1 || series.points.count <= 30 {
            for (left, top) in run {
                svg += "<circle cx=\"\(Drawing.number(left))\" cy=\"\(Drawing.number(top))\" r=\"3.2\" fill=\"\(colour)\"/>\n"
            }
        }
        return svg
    }

    /// Positions of consecutive points that can be shown.
    private func runs<Position>(_ points: [Point], _ position: (Point) -> Position?) -> [[Position]] {
        var runs: [[Position]] = [[]]
        for point in points {
            if let place = position(point) {
                runs[runs.count - 1].append(place)
            } else if runs.last?.isEmpty == false {
                runs.append([])
            }
        }
        return runs.filter { !$0.isEmpty }
    }
}
