import Foundation

/// Pieces of SVG that plots are made of.
enum Drawing {
    /// The element's beginning, a white ground and the title at its top left.
    static func opening(title: String, width: Double, height: Double) -> String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(number(width)) \(number(height))" \
        width="\(number(width))" height="\(number(height))" role="img" \
        font-family="system-ui, 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif" font-size="13" fill="#333">
        <title>\(escapedForXML(title))</title>
        <rect width="100%" height="100%" fill="#fff"/>
        <text x="20" y="28" font-size="16" font-weight="600" fill="#111">\(escapedForXML(title))</text>

        """
    }

    static func line(
        _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ colour: String, width: Double = 1, dash: String? = nil
    ) -> String {
        "<line x1=\"\(number(x1))\" y1=\"\(number(y1))\" x2=\"\(number(x2))\" y2=\"\(number(y2))\" stroke=\"\(colour)\" "
            + "stroke-width=\"\(number(width))\"\(dash.map { " stroke-dasharray=\"\($0)\"" } ?? "")/>\n"
    }

    /// - Parameter title: shown where a pointer rests on it.
    static func rectangle(
        x: Double, y: Double, width: Double, height: Double, _ colour: String, opacity: Double = 1, title: String? = nil
    ) -> String {
        "<rect x=\"\(number(x))\" y=\"\(number(y))\" width=\"\(number(width))\" height=\"\(number(height))\" "
            + "fill=\"\(colour)\"\(opacity < 1 ? " fill-opacity=\"\(number(opacity))\"" : "")"
            + (title.map { "><title>\(escapedForXML($0))</title></rect>\n" } ?? "/>\n")
    }

    static func text(_ text: String, x: Double, y: Double, anchor: String) -> String {
        "<text x=\"\(number(x))\" y=\"\(number(y))\" text-anchor=\"\(anchor)\">\(escapedForXML(text))</text>\n"
    }

    /// Coordinates to a hundredth of a pixel; far outside the picture any value serves.
    static func number(_ value: Double) -> String {
        let rounded = (min(max(value, -1e6), 1e6) * 100).rounded() / 100
        return rounded == rounded.rounded() ? String(Int(rounded)) : String(rounded)
    }
}

/// Names beside samples of their lines, in as many rows as they need.
struct Legend {
    private var entries: [(name: String, isDashed: Bool, x: Double, row: Int)] = []

    init(_ series: [(name: String, isDashed: Bool)], width: Double) {
        var (x, row) = (20.0, 0)
        for one in series {
            let needed = 34 + 7.2 * Double(one.name.count) + 22
            if x > 20, x + needed > width {
                x = 20
                row += 1
            }
            entries.append((one.name, one.isDashed, x, row))
            x += needed
        }
    }

    var height: Double { entries.last.map { 22 * Double($0.row + 1) } ?? 0 }

    func svg(colour: (Int) -> String) -> String {
        entries.enumerated().map { i, entry in
            let middle = 48 + 22 * Double(entry.row)
            return Drawing.line(
                entry.x, middle, entry.x + 26, middle, colour(i), width: 2.5, dash: entry.isDashed ? "7 4" : nil)
                + Drawing.text(entry.name, x: entry.x + 34, y: middle + 4.5, anchor: "start")
        }.joined()
    }
}
