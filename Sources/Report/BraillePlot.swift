/// A curve as text, for a terminal: each character holds 2 × 4 dots.
public struct BraillePlot {
    /// Characters across and down.
    public var width = 72
    public var height = 12

    public init() {}

    /// Lines of the plot with the ends of both axes; empty where no value is finite.
    public func lines(_ points: [(x: Double, y: Double)], range: ClosedRange<Double>? = nil) -> [String] {
        let points = points.filter { $0.x.isFinite && $0.y.isFinite }
        guard let left = points.map(\.x).min(), let right = points.map(\.x).max(),
            let low = range?.lowerBound ?? points.map(\.y).min(), let high = range?.upperBound ?? points.map(\.y).max()
        else { return [] }
        var dots = [[UInt32]](repeating: [UInt32](repeating: 0, count: width), count: height)
        /// The dot of a place, from the upper left.
        func place(_ value: Double, _ from: Double, _ to: Double, _ count: Int) -> Int {
            to > from ? min(count - 1, max(0, Int((value - from) / (to - from) * Double(count - 1) + 0.5))) : count / 2
        }
        func mark(_ x: Int, _ y: Int) { dots[y / 4][x / 2] |= Self.bits[y % 4][x % 2] }
        var last: (x: Int, y: Int)?
        for point in points.sorted(by: { $0.x < $1.x }) {
            let (x, y) = (place(point.x, left, right, 2 * width), 4 * height - 1 - place(point.y, low, high, 4 * height))
            // Neighbours are joined, so that a steep curve has no gaps.
            if let last, x > last.x {
                for step in 1...(x - last.x) {
                    let from = last.y + (y - last.y) * (step - 1) / (x - last.x), to = last.y + (y - last.y) * step / (x - last.x)
                    for row in min(from, to)...max(from, to) { mark(last.x + step, row) }
                }
            } else {
                mark(x, y)
            }
            last = (x, y)
        }
        let ends = [Self.short(high), Self.short(low)]
        let margin = ends.map(\.count).max() ?? 0
        let rows = dots.enumerated().map { row, cells in
            let end = row == 0 ? ends[0] : row == height - 1 ? ends[1] : ""
            let text = String(String.UnicodeScalarView(cells.compactMap { Unicode.Scalar(0x2800 + $0) }))
            return String(repeating: " ", count: margin - end.count) + end + " ┤" + text
        }
        let (first, final) = (Self.short(left), Self.short(right))
        let gap = max(1, width - first.count - final.count)
        return rows + [String(repeating: " ", count: margin + 2) + first + String(repeating: " ", count: gap) + final]
    }

    /// Bits of a braille character by row and column of its dots.
    private static let bits: [[UInt32]] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]]

    private static func short(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e7 ? NumberFormat.exact(value) : NumberFormat.significant(value)
    }
}
