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
        \(Self.html(blocks))
        </main>
        </body>
        </html>

        """
    }

    private static func html(_ blocks: [Block]) -> String { blocks.map(html).joined(separator: "\n") }

    private static func html(_ block: Block) -> String {
        switch block {
        case .heading(let text): "<h2>\(escapedForXML(text))</h2>"
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

extension Table {
    /// A `<table>` that scrolls sideways where the screen is narrow; the best values are bold.
    public func html() -> String {
        func cell(_ name: String, _ column: Int, _ text: String) -> String {
            let right = columns[column].alignment == .right ? " class=\"number\"" : ""
            return "<\(name)\(right)>\(text)</\(name)>"
        }
        let head = columns.indices.map { c in
            cell("th", c, columns[c].headingLines.map(escapedForXML).joined(separator: "<br>"))
        }
        let body = rows.indices.map { row in
            columns.indices.map { column in
                let text = escapedForXML(rows[row][column].shown(decimals: columns[column].decimals))
                return cell("td", column, isBest(row: row, column: column) ? "<strong>\(text)</strong>" : text)
            }.joined()
        }
        let notes = footnotes.isEmpty ? "" : "\n<ul class=\"notes\">\n"
            + footnotes.map { "<li>\(escapedForXML($0))</li>\n" }.joined() + "</ul>"
        return """
            <div class="table"><table>
            <thead><tr>\(head.joined())</tr></thead>
            <tbody>
            \(body.map { "<tr>\($0)</tr>" }.joined(separator: "\n"))
            </tbody>
            </table></div>\(notes)
            """
    }
}

enum StyleSheet {
    static let text = """
        :root { color-scheme: light; }
        body { margin: 0; background: #fff; color: #222; font: 16px/1.55 system-ui, 'Segoe UI', 'Helvetica Neue', Arial, \
        'DejaVu Sans', sans-serif; }
        main { max-width: 1080px; margin: 0 auto; padding: 24px 20px 64px; }
        h1 { font-size: 1.9rem; line-height: 1.2; margin: 0.4em 0 0.6em; }
        h2 { font-size: 1.35rem; margin: 2.2em 0 0.6em; padding-bottom: 0.25em; border-bottom: 1px solid #ddd; }
        h3 { font-size: 1.05rem; margin: 1.6em 0 0.4em; }
        p, ul, dl { max-width: 46em; }
        .table { overflow-x: auto; margin: 1em 0; }
        table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.92rem; }
        th, td { padding: 6px 12px; text-align: left; vertical-align: bottom; white-space: nowrap; }
        th { font-weight: 600; border-bottom: 2px solid #888; }
        td { border-bottom: 1px solid #e6e6e6; }
        .number { text-align: right; }
        td strong { color: #00558b; }
        .notes { padding-left: 1.1em; font-size: 0.88rem; color: #555; }
        .figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 24px; }
        figure { margin: 0; }
        figure svg { width: 100%; height: auto; border: 1px solid #e6e6e6; }
        figure img { width: 100%; max-width: 640px; height: auto; image-rendering: pixelated; border: 1px solid #e6e6e6; }
        figcaption { font-size: 0.88rem; color: #555; }
        dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; }
        dt { color: #666; }
        dd { margin: 0; overflow-wrap: anywhere; }
        details { margin: 1em 0; }
        summary { cursor: pointer; color: #00558b; }
        @media (max-width: 600px) {
          main { padding: 16px 14px 48px; }
          h1 { font-size: 1.5rem; }
          dl { grid-template-columns: 1fr; }
          dd { margin-bottom: 6px; }
        }
        """
}
