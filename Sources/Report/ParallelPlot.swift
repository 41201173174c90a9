import Foundation
import Metrics

/// Lines across upright axes, one axis a setting and the last the score, as one self-contained SVG picture: which settings the good
/// scores have in common. Lines go from blue at the good end of the score to orange at the other.
public struct ParallelPlot: Sendable {
    public struct Axis: Sendable, Equatable {
        public var name: String
        /// From the bottom to the top, at equal distances.
        public var levels: [String]

        public init(name: String, levels: [String]) { (self.name, self.levels) = (name, levels) }
    }

    public struct Line: Sendable, Equatable {
        public var name: String
        /// Of each axis the place among its levels.
        public var places: [Int]
        public var score: Double

        public init(name: String, places: [Int], score: Double) { (self.name, self.places, self.score) = (name, places, score) }
    }

    public var title: String
    public var axes: [Axis]
    public var scoreName: String
    public var lines: [Line]
    /// The good end of the score; nil where neither is.
    public var better: Measure.Better?

    public init(title: String, axes: [Axis], scoreName: String, lines: [Line], better: Measure.Better?) {
        precondition(
            lines.allSatisfy { $0.places.count == axes.count && zip($0.places, axes).allSatisfy { $1.levels.indices.contains($0) } },
            "lines do not cross \(axes.count) axes at their levels")
        (self.title, self.axes, self.scoreName, self.lines, self.better) = (title, axes, scoreName, lines, better)
    }

    /// - Parameters:
    ///   - width, height: in pixels.
    public func svg(width: Double = 1100, height: Double = 460) -> String {
        let shown = lines.filter(\.score.isFinite)
        let score = Report.Axis(covering: shown.map(\.score), range: nil, scale: .linear, ticks: 6)
        let (top, bottom, right) = (84.0, height - 24, width - 40)
        let left = 24 + 3.8 * Double(min(24, axes.first?.name.count ?? 0))
        func x(_ axis: Int) -> Double { left + (right - left) * Double(axis) / Double(max(1, axes.count)) }
        func y(_ part: Double) -> Double { bottom - part * (bottom - top) }
        func place(_ level: Int, of axis: Int) -> Double {
            let count = axes[axis].levels.count
            return y(count == 1 ? 0.5 : Double(level) / Double(count - 1))
        }
        var svg = Drawing.opening(title: title, width: width, height: height)
        // The good ones last, on top.
        let goodFirst = shown.sorted { better == .higher ? $0.score > $1.score : $0.score < $1.score }
        for (rank, line) in goodFirst.enumerated().reversed() {
            let points = line.places.enumerated().map { (x($0), place($1, of: $0)) } + [(x(axes.count), y(score.place(line.score) ?? 0))]
            let path = points.map { "\(Drawing.number($0.0)),\(Drawing.number($0.1))" }.joined(separator: " ")
            let colour = Self.colour(shown.count < 2 ? 0 : Double(rank) / Double(shown.count - 1))
            svg += """
                <polyline class="line" points="\(path)" fill="none" stroke="\(colour)" stroke-width="1.8" stroke-opacity="0.75" \
                stroke-linejoin="round"><title>\(escapedForXML("\(line.name): \(NumberFormat.significant(line.score))"))</title></polyline>

                """
        }
        for (number, axis) in axes.enumerated() {
            svg += Drawing.line(x(number), top, x(number), bottom, .axis, width: 1.5)
            svg += Drawing.text(Self.short(axis.name), x: x(number), y: top - 18, anchor: "middle")
            for (level, name) in axis.levels.enumerated() {
                let height = place(level, of: number)
                svg += Drawing.line(x(number) - 4, height, x(number) + 4, height, .axis, width: 1.5)
                svg += Self.label(Self.short(name), x: x(number) + 8, y: height - 5, isBefore: false)
            }
        }
        svg += Drawing.line(right, top, right, bottom, .axis, width: 1.5)
        svg += Drawing.text(scoreName + (better.map { ", \($0.rawValue) is better" } ?? ""), x: width - 16, y: top - 18, anchor: "end")
        for (tick, label) in zip(score.ticks, score.labels) {
            guard let part = score.place(tick) else { continue }
            svg += Drawing.line(right - 4, y(part), right + 4, y(part), .axis, width: 1.5)
            svg += Self.label(label, x: right - 8, y: y(part) - 5, isBefore: true)
        }
        return svg + "</svg>\n"
    }

    /// A text on a ground of its own, so that it can be read above the lines.
    private static func label(_ text: String, x: Double, y: Double, isBefore: Bool) -> String {
        let width = 7.4 * Double(text.count) + 4
        let left = Drawing.number(isBefore ? x - width + 2 : x - 2)
        return """
            <rect x="\(left)" y="\(Drawing.number(y - 12))" width="\(Drawing.number(width))" height="16" class="ground" fill="#fff" fill-opacity="0.8"/>

            """ + Drawing.text(text, x: x, y: y, anchor: isBefore ? "end" : "start")
    }

    private static func short(_ text: String) -> String { text.count <= 24 ? text : text.prefix(12) + "…" + text.suffix(11) }

    /// From blue over grey to orange, which colour-blind readers tell apart.
    private static func colour(_ part: Double) -> String {
        let stops: [(Double, Double, Double)] = [(0, 114, 178), (150, 150, 150), (213, 94, 0)]
        let place = part * 2
        let below = min(1, Int(place))
        func mixed(_ a: Double, _ b: Double) -> Int { Int((a + (b - a) * (place - Double(below))).rounded()) }
        let (a, b) = (stops[below], stops[below + 1])
        return String(format: "#%02x%02x%02x", mixed(a.0, b.0), mixed(a.1, b.1), mixed(a.2, b.2))
    }
}
