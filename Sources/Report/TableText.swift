import Foundation

/// Tables for a terminal.
extension Table {
    /// Aligned columns; `*` after the best values.
    ///
    /// A table wider than the terminal first breaks its headings and shortens its texts, as long as different texts stay
    /// different; then it puts arms side by side instead of below each other; then it lists each row by itself.
    ///
    /// - Parameters:
    ///   - width: of the terminal, in characters; nil: any.
    ///   - isColoured: whether the words of columns of states are coloured.
    public func text(width: Int? = nil, isColoured: Bool = false) -> String {
        let notes = footnotes.map { $0.printable() }.map { note in width.map { wrapped(note, to: $0).joined(separator: "\n") } ?? note }
        return (layout(width, isColoured) + (notes.isEmpty ? [] : [""] + notes)).joined(separator: "\n") + "\n"
    }

    /// What a cell says, without what could move a terminal's cursor.
    fileprivate func printed(_ row: Int, _ column: Int) -> String { shown(row, column).printable() }

    private func layout(_ width: Int?, _ isColoured: Bool) -> [String] {
        let natural = TextGrid(self)
        func fits(_ grid: TextGrid) -> Bool { width.map { grid.width <= $0 } ?? true }
        if fits(natural) { return natural.lines(isColoured) }
        let narrow = natural.narrowed(to: width ?? .max)
        if fits(narrow) { return narrow.lines(isColoured) }
        if let turned = TextGrid(transposing: self), fits(turned) { return turned.lines(isColoured) }
        return records(width: width ?? .max, isColoured)
    }

    /// Every row by itself: a line for each column, values broken where they are too long.
    private func records(width: Int, _ isColoured: Bool) -> [String] {
        let longest = columns.map(\.heading.count).max() ?? 0
        let label = min(longest, max(8, width * 2 / 5))
        let best = columns.indices.map(bestRows)
        let blocks = rows.indices.map { row in
            columns.indices.flatMap { column -> [String] in
                let value = printed(row, column) + (best[column].contains(row) ? "*" : "")
                guard !value.isEmpty else { return [] }
                let names = wrapped(columns[column].heading, to: label)
                let values = wrapped(value, to: max(8, width - label - 2))
                return (0..<max(names.count, values.count)).map { i in
                    let name = i < names.count ? names[i] : ""
                    guard i < values.count else { return name }
                    let text = columns[column].isState && isColoured ? TextGrid.coloured(values[i]) : values[i]
                    return name + String(repeating: " ", count: max(0, label - name.count) + 2) + text
                }
            }
        }
        return Array(blocks.joined(separator: [""]))
    }
}

/// The strings of a table, laid out in columns.
private struct TextGrid {
    private var headings: [[String]]
    private var cells: [[String]]
    private var alignments: [Table.Alignment]
    private var areTexts: [Bool]
    /// Columns whose texts are words for states; rows likewise, in a table on its side.
    private var stateColumns: Set<Int>
    private let stateRows: Set<Int>

    private static let gap = "  "

    init(_ table: Table) {
        let columns = table.columns
        let best = columns.indices.map(table.bestRows)
        // A blank where others have the mark keeps the digits of a column below each other.
        cells = table.rows.indices.map { row in
            columns.indices.map { c in
                table.printed(row, c) + (best[c].contains(row) ? "*" : columns[c].better != nil ? " " : "")
            }
        }
        headings = columns.map { column in
            column.headingLines.map { $0.printable() }.map { column.better != nil && column.alignment == .right ? $0 + " " : $0 }
        }
        alignments = columns.map(\.alignment)
        areTexts = columns.indices.map { c in
            table.rows.contains { if case .text = $0[c] { true } else { false } }
                && table.rows.allSatisfy { if case .text = $0[c] { true } else { $0[c] == .missing } }
        }
        (stateColumns, stateRows) = (Set(columns.indices.filter { columns[$0].isState }), [])
        // A mark is no reason for a wider column.
        for c in columns.indices {
            let widest = cells.map { $0[c].count }.max() ?? 0
            headings[c] = headings[c].map { $0.count > widest && $0.hasSuffix(" ") ? String($0.dropLast()) : $0 }
        }
    }

    /// The table on its side: a line for each of its columns. Nil where rows have no names of their own.
    init?(transposing table: Table) {
        let names = table.rows.indices.map { table.printed($0, 0) }
        guard table.columns.count > 2, names.count <= 12, Set(names).count == names.count, !names.contains("") else { return nil }
        headings = [table.columns[0].headingLines] + names.map { [$0] }
        cells = table.columns.indices.dropFirst().map { c in
            let best = table.bestRows(of: c)
            return [table.columns[c].heading]
                + table.rows.indices.map {
                    table.printed($0, c) + (best.contains($0) ? "*" : table.columns[c].better != nil ? " " : "")
                }
        }
        alignments = [.left] + names.map { _ in .right }
        areTexts = [true] + names.map { _ in false }
        (stateColumns, stateRows) = ([], Set(table.columns.indices.dropFirst().filter { table.columns[$0].isState }.map { $0 - 1 }))
    }

    private var widths: [Int] {
        headings.indices.map { c in max(headings[c].map(\.count).max() ?? 0, cells.map { $0[c].count }.max() ?? 0) }
    }

    var width: Int { widths.reduce(0, +) + Self.gap.count * (widths.count - 1) }

    /// Without columns that hold nothing, headings broken to the width of what is below them, then texts shortened, the
    /// widest first.
    func narrowed(to limit: Int) -> TextGrid {
        var grid = withoutEmptyColumns
        for c in grid.headings.indices {
            // Words stay whole, unless they are very long.
            let words = grid.headings[c].flatMap { $0.split(separator: " ").map(\.count) }
            let widest = max(grid.cells.map { $0[c].count }.max() ?? 0, min(12, words.max() ?? 0))
            grid.headings[c] = grid.headings[c].flatMap { wrapped($0, to: widest) }
        }
        return grid.shortened(to: limit)
    }

    private var withoutEmptyColumns: TextGrid {
        let kept = headings.indices.filter { c in
            c == 0 || cells.isEmpty || cells.contains { !["", "–"].contains($0[c].trimmingCharacters(in: .whitespaces)) }
        }
        var grid = self
        (grid.headings, grid.cells) = (kept.map { headings[$0] }, cells.map { row in kept.map { row[$0] } })
        (grid.alignments, grid.areTexts) = (kept.map { alignments[$0] }, kept.map { areTexts[$0] })
        grid.stateColumns = Set(kept.indices.filter { stateColumns.contains(kept[$0]) })
        return grid
    }

    private func shortened(to limit: Int) -> TextGrid {
        var grid = self
        let original = cells
        var open = areTexts.indices.filter { areTexts[$0] && !stateColumns.contains($0) }
        while grid.width > limit {
            let widths = grid.widths
            guard let widest = open.max(by: { widths[$0] < widths[$1] }) else { return grid }
            let texts = original.map { $0[widest] }
            let others = widths.enumerated().filter { open.contains($0.offset) && $0.offset != widest }.map(\.element).max() ?? 0
            // To the width of the next widest, or as far as is needed; by one character at least, so that the loop ends.
            let wanted = max(Self.leastText, min(widths[widest] - 1, max(others, widths[widest] - (grid.width - limit))))
            guard wanted < widths[widest], let shorter = Self.shortened(texts, to: wanted) else {
                open.removeAll { $0 == widest }
                continue
            }
            for row in grid.cells.indices { grid.cells[row][widest] = shorter[row] }
            if grid.widths[widest] >= widths[widest] { open.removeAll { $0 == widest } }
        }
        return grid
    }

    /// No text is cut below so many characters.
    private static let leastText = 10

    /// Texts cut at the end, or else in the middle, so that different ones stay different; nil where neither keeps them so.
    private static func shortened(_ texts: [String], to width: Int) -> [String]? {
        func cut(_ text: String, keeping tail: Int) -> String {
            text.count <= width ? text : text.prefix(width - 1 - tail) + "…" + text.suffix(tail)
        }
        return [0, (width - 1) / 2].lazy.map { tail in texts.map { cut($0, keeping: tail) } }
            .first { Set($0).count == Set(texts).count }
    }

    func lines(_ isColoured: Bool) -> [String] {
        let widths = widths
        func line(_ cells: [String], isState: (Int) -> Bool) -> String {
            let padded = cells.indices.map { c in
                let space = max(0, widths[c] - cells[c].count)
                let before = alignments[c] == .right ? space : alignments[c] == .center ? space / 2 : 0
                let text = isColoured && isState(c) ? Self.coloured(cells[c]) : cells[c]
                return String(repeating: " ", count: before) + text + String(repeating: " ", count: space - before)
            }
            return String(padded.joined(separator: Self.gap).reversed().drop { $0 == " " }.reversed())
        }
        // Short headings stand on the last line, next to their values.
        let depth = headings.map(\.count).max() ?? 1
        let heads = (0..<depth).map { i in
            line(headings.map { i < depth - $0.count ? "" : $0[i - (depth - $0.count)] }, isState: { _ in false })
        }
        return heads + [widths.map { String(repeating: "─", count: $0) }.joined(separator: Self.gap)]
            + cells.enumerated().map { row, cells in
                line(cells) { stateColumns.contains($0) || stateRows.contains(row) && $0 > 0 }
            }
    }

    /// A word for a state in its colour. Green: finished; red: failed; yellow: needs a look; cyan: in progress; faint: to come.
    static func coloured(_ word: String) -> String {
        let code: String? =
            switch word.trimmingCharacters(in: .whitespaces) {
            case "done", "ok": "32"
            case "failed", "damaged": "31"
            case "interrupted", "begun", "warning": "33"
            case "running", "working": "36"
            case "pending", "waiting", "missing": "2"
            default: nil
            }
        return code.map { "\u{1B}[\($0)m\(word)\u{1B}[0m" } ?? word
    }
}

/// Lines of at most `width` characters: broken at blanks, else behind the marks that names are made of, else anywhere.
func wrapped(_ text: String, to width: Int) -> [String] {
    var pieces: [Substring] = []
    var start = text.startIndex
    for place in text.indices where " .,_/@=-;".contains(text[place]) {
        let end = text.index(after: place)
        pieces.append(text[start..<end])
        start = end
    }
    pieces.append(text[start...])
    let hasBlanks = text.split(separator: " ").allSatisfy { $0.count <= width }
    if hasBlanks { pieces = text.split(separator: " ").map { Substring("\($0) ") } }
    var lines = [""]
    for var piece in pieces {
        func isRoom(_ piece: Substring) -> Bool {
            lines[lines.count - 1].count + (piece.last == " " ? piece.count - 1 : piece.count) <= width
        }
        if !isRoom(piece), !lines[lines.count - 1].isEmpty { lines.append("") }
        while !isRoom(piece) {
            lines[lines.count - 1] = String(piece.prefix(width))
            piece = piece.dropFirst(width)
            lines.append("")
        }
        lines[lines.count - 1] += piece
    }
    return lines.map { String($0.reversed().drop { $0 == " " }.reversed()) }.filter { !$0.isEmpty }
}
