import Foundation

/// Pieces of SVG that plots are made of.
///
/// Everything that is neither data nor a label inside a coloured cell has a class besides its colour, so that a dark page
/// can give it another one; files on their own stay light.
enum Drawing {
    /// Lines that carry no data.
    enum Rule: String {
        case grid, axis, whisker

        var colour: String {
            switch self {
            case .grid: "#e6e6e6"
            case .axis: "#888888"
            case .whisker: "#222222"
            }
        }
    }

    /// The element's beginning, a white ground and the title at its top left.
    static func opening(title: String, width: Double, height: Double) -> String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(number(width)) \(number(height))" \
        width="\(number(width))" height="\(number(height))" role="img" class="plot" \
        font-family="system-ui, 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif" font-size="13" fill="#333">
        <title>\(escapedForXML(title))</title>
        <rect width="100%" height="100%" class="ground" fill="#fff"/>
        <text x="20" y="28" class="title" font-size="\(number(fontSize(of: title, in: width - 40, atMost: 16)))" font-weight="600" fill="#111">\(escapedForXML(title))</text>

        """
    }

    static func line(
        _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ colour: String, width: Double = 1, dash: String? = nil,
        class name: String? = nil
    ) -> String {
        "<line x1=\"\(number(x1))\" y1=\"\(number(y1))\" x2=\"\(number(x2))\" y2=\"\(number(y2))\" "
            + (name.map { "class=\"\($0)\" " } ?? "") + "stroke=\"\(colour)\" "
            + "stroke-width=\"\(number(width))\"\(dash.map { " stroke-dasharray=\"\($0)\"" } ?? "")/>\n"
    }

    static func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ rule: Rule, width: Double = 1) -> String {
        line(x1, y1, x2, y2, rule.colour, width: width, class: rule.rawValue)
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

    /// Text that runs upwards, centred on its place.
    static func upright(_ text: String, x: Double, y: Double, length: Double) -> String {
        "<text transform=\"translate(\(number(x)) \(number(y))) rotate(-90)\" text-anchor=\"middle\" "
            + "font-size=\"\(number(fontSize(of: text, in: length, atMost: 13)))\">\(escapedForXML(text))</text>\n"
    }

    /// The size at which a text fits a length, for letters of usual width.
    private static func fontSize(of text: String, in length: Double, atMost most: Double) -> Double {
        max(6, min(most, length / (0.56 * Double(max(1, text.count)))))
    }

    /// Coordinates to a hundredth of a pixel; far outside the picture any value serves.
    static func number(_ value: Double) -> String {
        let rounded = (min(max(value, -1e6), 1e6) * 100).rounded() / 100
        return rounded == rounded.rounded() ? String(Int(rounded)) : String(rounded)
    }
}

/// Colours of data that stay apart for colour-blind readers (Okabe and Ito 2008), the dark ones first.
enum Palette {
    private static let colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#777777"]

    static func colour(_ place: Int) -> String { colours[place % colours.count] }
}

/// Names beside samples of their lines, in as many rows as they need.
struct Legend {
    struct Entry {
        var name: String
        var isDashed = false
        let colour: String
    }

    private var placed: [(entry: Entry, x: Double, row: Int)] = []

    init(_ entries: [Entry], width: Double) {
        var (x, row) = (20.0, 0)
        for var entry in entries {
            let room = Int((width - 56) / 7.2)
            if entry.name.count > room { entry.name = entry.name.prefix(room / 2) + "…" + entry.name.suffix(room / 2 - 1) }
            let needed = 34 + 7.2 * Double(entry.name.count) + 22
            if x > 20, x + needed > width {
                x = 20
                row += 1
            }
            placed.append((entry, x, row))
            x += needed
        }
    }

    var height: Double { placed.last.map { 22 * Double($0.row + 1) } ?? 0 }

    var svg: String {
        placed.map { entry, x, row in
            let middle = 48 + 22 * Double(row)
            return Drawing.line(x, middle, x + 26, middle, entry.colour, width: 2.5, dash: entry.isDashed ? "7 4" : nil)
                + Drawing.text(entry.name, x: x + 34, y: middle + 4.5, anchor: "start")
        }.joined()
    }
}
