/// Tables for documents: rounded, with the best value of a column marked.
extension Table {
    /// GitHub Markdown; the best values bold.
    public func markdown() -> String {
        func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |" }
        let rules = columns.map { column in
            switch column.alignment {
            case .left: ":--"
            case .right: "--:"
            case .center: ":-:"
            }
        }
        var lines = [line(columns.map { escapedForMarkdown($0.heading) }), line(rules)]
        let best = columns.indices.map(bestRows)
        for row in rows.indices {
            lines.append(
                line(
                    columns.indices.map { column in
                        let text = escapedForMarkdown(shown(row, column))
                        return best[column].contains(row) ? "**\(text)**" : text
                    }))
        }
        for footnote in footnotes { lines += ["", escapedForMarkdown(footnote)] }
        return lines.joined(separator: "\n") + "\n"
    }

    /// A LaTeX `tabular` with booktabs rules, no wider than the text; the best values bold. A table of more columns than a
    /// page holds is set on its side, what is still too wide is scaled down, and what is too long goes on in a second one.
    public func latex() -> String { withoutSharedCount.tabular() }

    private func tabular() -> String {
        let rows = latexRows
        func width(_ rows: [[String]]) -> Int {
            rows[0].indices.reduce(0) { width, c in width + 2 + (rows.map { $0[c].count }.max() ?? 0) }
        }
        let transposed = rows[0].indices.map { c in rows.map { $0[c] } }
        let isTransposed = width(rows) > Self.pageWidth && width(transposed) < width(rows)
        let shown = isTransposed ? transposed : rows
        let form =
            isTransposed
            ? "l" + String(repeating: "r", count: rows.count - 1)
            : columns.map { $0.alignment == .left ? "l" : $0.alignment == .right ? "r" : "c" }.joined()
        // A bracket behind the end of a row would be read as a distance.
        let lines = shown.map { ($0[0].hasPrefix("[") ? "{}" : "") + $0.joined(separator: " & ") + " \\\\" }
        var parts = ["% needs \\usepackage{booktabs,graphicx}"]
        let bodies = lines.dropFirst()
        let starts = bodies.isEmpty ? [1] : Array(stride(from: 1, to: lines.count, by: Self.pageLength))
        for start in starts {
            if start > 1 { parts.append("\n\\medskip") }
            parts.append("\\noindent\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%")
            parts += ["\\begin{tabular}{\(form)}", "\\toprule", lines[0], "\\midrule"]
            parts += lines[start..<min(lines.count, start + Self.pageLength)]
            parts += ["\\bottomrule", "\\end{tabular}}"]
        }
        for footnote in footnotes { parts += ["", latexNote(footnote)] }
        return parts.joined(separator: "\n") + "\n"
    }

    /// Characters that a line of text in a common class holds, and rows that fit below each other on a page of one.
    private static let pageWidth = 90, pageLength = 40

    /// The headings and all cells, escaped.
    private var latexRows: [[String]] {
        let best = columns.indices.map(bestRows)
        return [columns.map { escapedForLatex($0.heading) }]
            + rows.indices.map { row in
                columns.indices.map { column in
                    let escaped = escapedForLatex(shown(row, column))
                    return best[column].contains(row) ? "\\textbf{\(escaped)}" : escaped
                }
            }
    }

    /// The same with the number of values behind every mean in a footnote, where it is the same for all.
    var withoutSharedCount: Table {
        let counts = Set(rows.joined().compactMap { if case .estimate(let value) = $0 { value.count } else { nil } })
        guard let count = counts.first, counts.count == 1 else { return self }
        var table = self
        table.countBelow = count
        table.add(footnote: "n = \(count) for every value")
        return table
    }

    func shown(_ row: Int, _ column: Int) -> String {
        let text = rows[row][column].shown(decimals: columns[column].decimals)
        guard let countBelow, case .estimate = rows[row][column] else { return text }
        let suffix = " (n=\(countBelow))"
        return text.hasSuffix(suffix) ? String(text.dropLast(suffix.count)) : text
    }
}
