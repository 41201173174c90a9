/// Tables as people read them: rounded, with the best value of a column marked.
extension Table {
    /// Aligned columns for a terminal; `*` after the best values.
    public func text() -> String {
        let depth = columns.map(\.headingLines.count).max() ?? 1
        // Short headings stand on the last line, next to their values.
        let headings = (0..<depth).map { line in
            columns.map { column in
                let own = column.headingLines
                return line < depth - own.count ? "" : own[line - (depth - own.count)]
            }
        }
        let marks = columns.map { $0.better != nil }
        let cells = rows.indices.map { row in
            columns.indices.map { column in
                // A blank where others have the mark keeps the digits of a column below each other.
                shown(row, column) + (isBest(row: row, column: column) ? "*" : marks[column] ? " " : "")
            }
        }
        let widths = columns.indices.map { c in (headings + cells).map { $0[c].count }.max() ?? 0 }
        func line(_ cells: [String]) -> String {
            let padded = columns.indices.map { pad(cells[$0], to: widths[$0], columns[$0].alignment) }
            return trimmingEnd(padded.joined(separator: "  "))
        }
        func titles(_ headings: [String]) -> [String] {
            columns.indices.map { c in
                marks[c] && columns[c].alignment == .right && headings[c].count < widths[c] ? headings[c] + " " : headings[c]
            }
        }
        var lines = headings.map { line(titles($0)) } + [widths.map { String(repeating: "─", count: $0) }.joined(separator: "  ")]
        lines += cells.map(line)
        if !footnotes.isEmpty { lines += [""] + footnotes }
        return lines.joined(separator: "\n") + "\n"
    }

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
            lines.append(line(columns.indices.map { column in
                let text = escapedForMarkdown(shown(row, column))
                return isBest(row: row, column: column) ? "**\(text)**" : text
            }))
        }
        for footnote in footnotes { lines += ["", escapedForMarkdown(footnote)] }
        return lines.joined(separator: "\n") + "\n"
    }

    /// A LaTeX `tabular` with booktabs rules; the best values bold.
    public func latex() -> String {
        let form = columns.map { column in
            switch column.alignment {
            case .left: "l"
            case .right: "r"
            case .center: "c"
            }
        }
        func line(_ cells: [String]) -> String { cells.joined(separator: " & ") + " \\\\" }
        var lines = ["\\begin{tabular}{\(form.joined())}", "\\toprule"]
        lines += [line(columns.map { Self.escapeLatex($0.heading) }), "\\midrule"]
        for row in rows.indices {
            lines.append(line(columns.indices.map { column in
                let text = Self.escapeLatex(shown(row, column))
                return isBest(row: row, column: column) ? "\\textbf{\(text)}" : text
            }))
        }
        lines += ["\\bottomrule", "\\end{tabular}"]
        for footnote in footnotes { lines += ["", "{\\footnotesize \(Self.escapeLatex(footnote))\\par}"] }
        return lines.joined(separator: "\n") + "\n"
    }

    private func shown(_ row: Int, _ column: Int) -> String { rows[row][column].shown(decimals: columns[column].decimals) }

    private func pad(_ text: String, to width: Int, _ alignment: Alignment) -> String {
        let space = width - text.count
        let before = switch alignment {
        case .left: 0
        case .right: space
        case .center: space / 2
        }
        return String(repeating: " ", count: before) + text + String(repeating: " ", count: space - before)
    }

    private func trimmingEnd(_ text: String) -> String {
        String(text.reversed().drop { $0 == " " }.reversed())
    }

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
            default: result.append(character)
            }
        }
        return result
    }
}
