import Foundation

/// One HTML file with everything in it: no script, no font, no picture comes from elsewhere.
extension ReportDocument {
    public func html() -> String {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>\(escapedForXML(title))</title>
        <style>
        \(StyleSheet.text)
        </style>
        </head>
        <body>
        <main>
        <h1>\(escapedForXML(title))</h1>
        \(contents)\(Self.html(blocks))
        </main>
        </body>
        </html>

        """
    }

    /// Links to the sections; nothing where there are too few to get lost among.
    private var contents: String {
        let headings = blocks.compactMap { if case .heading(let text) = $0 { text } else { nil } }
        guard headings.count > 2 else { return "" }
        let items = headings.map { "<li><a href=\"#\(Self.anchor($0))\">\(escapedForXML($0))</a></li>\n" }.joined()
        return "<nav aria-label=\"Contents\">\n<ul>\n\(items)</ul>\n</nav>\n"
    }

    /// A heading in small letters with dashes, as an element's id.
    private static func anchor(_ heading: String) -> String {
        heading.lowercased().split { !$0.isLetter && !$0.isNumber }.joined(separator: "-")
    }

    /// Blocks without a page around them.
    public static func html(_ blocks: [Block]) -> String { blocks.map(html).joined(separator: "\n") }

    private static func html(_ block: Block) -> String {
        switch block {
        case .heading(let text): "<h2 id=\"\(anchor(text))\">\(escapedForXML(text))</h2>"
        case .subheading(let text): "<h3>\(escapedForXML(text))</h3>"
        case .paragraph(let text): "<p>\(escapedForXML(text))</p>"
        case .list(let items): "<ul>\n" + items.map { "<li>\(escapedForXML($0))</li>\n" }.joined() + "</ul>"
        case .table(let table): table.html()
        case .facts(let facts):
            "<dl>\n"
                + facts.map { "<dt>\(escapedForXML($0.name))</dt><dd>\(escapedForXML($0.value))</dd>\n" }.joined() + "</dl>"
        case .figures(let figures): "<div class=\"figures\">\n" + figures.map(html).joined(separator: "\n") + "\n</div>"
        case .details(let summary, let blocks):
            "<details>\n<summary>\(escapedForXML(summary))</summary>\n\(html(blocks))\n</details>"
        }
    }

    private static func html(_ figure: Figure) -> String {
        let caption = escapedForXML(figure.caption)
        let picture =
            switch figure.content {
            case .svg(let svg): svg
            case .png(let bytes): "<img alt=\"\(caption)\" src=\"data:image/png;base64,\(bytes.base64EncodedString())\">"
            }
        return "<figure>\n\(picture)\n" + (caption.isEmpty ? "" : "<figcaption>\(caption)</figcaption>\n") + "</figure>"
    }
}
