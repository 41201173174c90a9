import Foundation

/// A table of numbers as coloured cells, with the numbers in them where there is room, as one self-contained SVG picture.
public struct HeatMap: Sendable {
    public struct Cell: Sendable, Equatable {
        /// Nil, or not finite: nothing was measured.
        public var value: Double?
        /// Written in the cell, such as the value with its uncertainty.
        public var text: String

        public init(_ value: Double?, text: String = "") {
            self.value = value
            self.text = text
        }
    }

    public var title: String
    public var xLabel: String
    public var yLabel: String
    public var rowLabels: [String]
    public var columnLabels: [String]
    /// Row by row.
    public var cells: [[Cell]]
    /// What the lightest and the darkest colour stand for; 0 and the largest value where nil. Values outside have the
    /// nearest end's colour.
    public var range: ClosedRange<Double>?
    /// What the colours mean.
    public var legend: String

    public init(
        title: String, xLabel: String, yLabel: String, rowLabels: [String], columnLabels: [String], cells: [[Cell]],
        legend: String, range: ClosedRange<Double>? = nil
    ) {
        precondition(
            cells.count == rowLabels.count && cells.allSatisfy { $0.count == columnLabels.count },
            "\(cells.map(\.count)) cells do not fill \(rowLabels.count) rows of \(columnLabels.count)")
        (self.title, self.xLabel, self.yLabel) = (title, xLabel, yLabel)
        (self.rowLabels, self.columnLabels) = (rowLabels, columnLabels)
        (self.cells, self.legend, self.range) = (cells, legend, range)
    }

    /// - Parameter width: in pixels.
    public func svg(width: Double = 720) -> String {
        let left = 28 + 7.2 * Double((rowLabels + [yLabel]).map(\.count).max() ?? 0)
        let cellWidth = (width - left - 20) / Double(max(1, columnLabels.count))
        let longest = Double(cells.joined().map(\.text.count).max() ?? 0)
        // Texts are left out together where one of them does not fit.
        let fontSize = min(13, (cellWidth - 4) / max(1, 0.58 * longest))
        let showsTexts = longest > 0 && fontSize >= 8
        let cellHeight = max(16, min(30, cellWidth))
        let top = 52.0
        let bottom = top + cellHeight * Double(rowLabels.count)
        let height = bottom + 84
        let range = shown

        var svg = Drawing.opening(title: title, width: width, height: height)
        for (r, row) in cells.enumerated() {
            let y = top + Double(r) * cellHeight
            svg += Drawing.text(rowLabels[r], x: left - 8, y: y + cellHeight / 2 + 4.5, anchor: "end")
            for (c, cell) in row.enumerated() {
                let x = left + Double(c) * cellWidth
                let value = cell.value.flatMap { $0.isFinite ? $0 : nil }
                let share = value.map { Self.share($0, range) }
                let said = value.map { String(format: "%.4g", $0) } ?? "–"
                svg += Drawing.rectangle(
                    x: x, y: y, width: cellWidth - 1, height: cellHeight - 1, share.map(Self.colour) ?? "#eeeeee",
                    title: "\(rowLabels[r]), \(columnLabels[c]): \(said)")
                guard showsTexts, !cell.text.isEmpty else { continue }
                let (middle, base) = (x + cellWidth / 2, y + cellHeight / 2 + fontSize * 0.35)
                svg +=
                    "<text x=\"\(Drawing.number(middle))\" y=\"\(Drawing.number(base))\" text-anchor=\"middle\" font-size=\"\(Drawing.number(fontSize))\" "
                    + "fill=\"\((share ?? 0) > 0.55 ? "#ffffff" : "#222222")\">\(escapedForXML(cell.text))</text>\n"
            }
        }
        // As many column labels as fit.
        let widest = 8 + 7.2 * Double(columnLabels.map(\.count).max() ?? 0)
        let every = max(1, Int((widest / cellWidth).rounded(.up)))
        for (c, label) in columnLabels.enumerated() where c % every == 0 {
            svg += Drawing.text(label, x: left + (Double(c) + 0.5) * cellWidth, y: bottom + 16, anchor: "middle")
        }
        svg += Drawing.text(xLabel, x: left + (width - left - 20) / 2, y: bottom + 36, anchor: "middle")
        svg += Drawing.text(yLabel, x: left - 8, y: bottom + 36, anchor: "end")
        return svg + key(range, left: left, top: bottom + 52, width: min(260, width - left - 20)) + "</svg>\n"
    }

    /// A band of all colours with what its ends stand for.
    private func key(_ range: ClosedRange<Double>, left: Double, top: Double, width: Double) -> String {
        let steps = 40
        var svg = ""
        for i in 0..<steps {
            let x = left + width * Double(i) / Double(steps)
            svg += Drawing.rectangle(
                x: x, y: top, width: width / Double(steps) + 0.5, height: 10, Self.colour(Double(i) / Double(steps - 1)))
        }
        func end(_ value: Double) -> String { String(format: "%.3g", value) }
        return svg + Drawing.text(end(range.lowerBound), x: left, y: top + 25, anchor: "start")
            + Drawing.text(end(range.upperBound), x: left + width, y: top + 25, anchor: "end")
            + Drawing.text(legend, x: left + width + 14, y: top + 10, anchor: "start")
    }

    private var shown: ClosedRange<Double> {
        if let range { return range }
        let values = cells.joined().compactMap(\.value).filter(\.isFinite)
        let (low, high) = (min(0, values.min() ?? 0), values.max() ?? 1)
        return low < high ? low...high : low...(low + 1)
    }

    /// Where a value lies in the range, from 0 to 1.
    private static func share(_ value: Double, _ range: ClosedRange<Double>) -> Double {
        min(1, max(0, (value - range.lowerBound) / max(range.upperBound - range.lowerBound, 1e-300)))
    }

    /// From nearly white to dark blue, darker for more also in grey.
    private static func colour(_ share: Double) -> String {
        let stops: [(Double, Double, Double)] = [(247, 251, 255), (198, 219, 239), (107, 174, 214), (33, 113, 181), (8, 48, 107)]
        let place = share * Double(stops.count - 1)
        let below = min(stops.count - 2, Int(place))
        let part = place - Double(below)
        func mixed(_ a: Double, _ b: Double) -> Int { Int((a + (b - a) * part).rounded()) }
        let (a, b) = (stops[below], stops[below + 1])
        return String(format: "#%02x%02x%02x", mixed(a.0, b.0), mixed(a.1, b.1), mixed(a.2, b.2))
    }
}
