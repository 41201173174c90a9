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
        for row in rows.indices {
            lines.append(
                line(
                    columns.indices.map { column in
                        let text = escapedForMarkdown(shown(row, column))
                        return isBest(row: row, column: column) ? "**\(text)**" : text
                    }))
        }
        for footnote in footnotes { lines += ["", escapedForMarkdown(footnote)] }
        return lines.joined(separator: "\n") + "\n"
    }

    /// A LaTeX `tabular` with booktabs rules, no wider than the text; the best values bold. A table of more columns than a
    /// page holds is set on its side, and what is still too wide is scaled down.
    public func latex() -> String {
        // Characters that a line of text in a common class holds.
        let page = 90
        let rows = latexRows
        func width(_ rows: [[String]]) -> Int {
            rows[0].indices.reduce(0) { width, c in width + 2 + (rows.map { $0[c].count }.max() ?? 0) }
        }
        let transposed = rows[0].indices.map { c in rows.map { $0[c] } }
        let isTransposed = width(rows) > page && width(transposed) < width(rows)
        let shown = isTransposed ? transposed : rows
        let form =
            isTransposed
            ? "l" + String(repeating: "r", count: rows.count - 1)
            : columns.map { $0.alignment == .left ? "l" : $0.alignment == .right ? "r" : "c" }.joined()
        // A bracket behind the end of a row would be read as a distance.
        let lines = shown.map { ($0[0].hasPrefix("[") ? "{}" : "") + $0.joined(separator: " & ") + " \\\\" }
        var parts = ["% needs \\usepackage{booktabs,graphicx}"]
        parts.append("\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%")
        parts += ["\\begin{tabular}{\(form)}", "\\toprule", lines[0], "\\midrule"] + lines.dropFirst()
        parts += ["\\bottomrule", "\\end{tabular}}"]
        for footnote in footnotes + [sharedCount.map { "n = \($0) for every value" }].compactMap(\.self) {
            parts += ["", "{\\footnotesize \(Self.escapeLatex(footnote))\\par}"]
        }
        return parts.joined(separator: "\n") + "\n"
    }

    /// The headings and all cells, escaped.
    private var latexRows: [[String]] {
        let suffix = sharedCount.map { " (n=\($0))" }
        return [columns.map { Self.escapeLatex($0.heading) }]
            + rows.indices.map { row in
                columns.indices.map { column in
                    var text = shown(row, column)
                    if let suffix, text.hasSuffix(suffix) { text.removeLast(suffix.count) }
                    let escaped = Self.escapeLatex(text)
                    return isBest(row: row, column: column) ? "\\textbf{\(escaped)}" : escaped
                }
            }
    }

    /// The number of values behind every estimate, if there are estimates and it is the same for all.
    private var sharedCount: Int? {
        let counts = Set(rows.joined().compactMap { if case .estimate(let value) = $0 { value.count } else { nil } })
        return counts.count == 1 ? counts.first : nil
    }

    func shown(_ row: Int, _ column: Int) -> String { rows[row][column].shown(decimals: columns[column].decimals) }

    private static func escapeLatex(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "\\": result += "\\textbackslash{}"
            case "&", "%", "$", "#", "_", "{", "}": result += "\\\(character)"
            case "~": result += "\\textasciitilde{}"
            case "^": result += "\\textasciicircum{}"
            case "±": result += "$\\pm$"
            case "−": result += "$-$"
            case "∞": result += "$\\infty$"
            case "–": result += "--"
            case "…": result += "\\dots{}"
            case "·": result += "$\\cdot$"
            case "²": result += "$^2$"
            case "×": result += "$\\times$"
            case "<": result += "\\textless{}"
            case ">": result += "\\textgreater{}"
            case "|": result += "\\textbar{}"
            default: result.append(character)
            }
        }
        return result
    }
}
