extension Table {
    /// A `<table>` that can be read at every width; the best values are bold.
    ///
    /// One with many columns and few rows is set on its side where that fits a page; numbers that do not fit are cut into several
    /// tables, each with the first column. Where one is still wider than the page, which the page's own width decides, its rows
    /// become lists of "heading: value".
    ///
    /// - Parameter links: addresses behind cells, by the cell's whole text.
    public func html(links: [String: String] = [:]) -> String {
        let plain = withoutSharedCount
        if plain.width <= Self.page { return plain.upright(links) }
        if let turned = plain.transposed, turned.width <= Self.page { return turned.upright(links) }
        // Texts of a row belong together.
        let isNumeric = columns.count { $0.alignment == .right } * 3 > columns.count * 2
        return isNumeric ? plain.parts.map { $0.upright(links) }.joined(separator: "\n") : plain.upright(links)
    }

    /// What a page has room for on a common screen of 1400 pixels.
    private static let page = 1340

    private func upright(_ links: [String: String]) -> String {
        // Two columns need no list: their texts are broken.
        let width = width
        let best = columns.indices.map(bestRows)
        let labels = columns.map { escapedForXML($0.heading) }
        let limit = Self.limits.first { $0 >= width } ?? Self.limits[Self.limits.count - 1]
        let form = columns.count < 3 ? "pair" : "to-\(limit)"
        func classes(_ column: Int, _ text: String) -> String {
            let names = [columns[column].alignment == .right ? "number" : nil, text.count > Self.longest ? "long" : nil]
            let all = names.compactMap(\.self).joined(separator: " ")
            return all.isEmpty ? "" : " class=\"\(all)\""
        }
        let head = columns.indices.map { c -> String in
            "<th\(classes(c, ""))>" + Self.lines(columns[c]).map(escapedForXML).joined(separator: "<br>") + "</th>"
        }
        let body = rows.indices.map { row -> String in
            columns.indices.map { column -> String in
                let text = shown(row, column)
                let plain = links[text].map { "<a href=\"\(escapedForXML($0))\">\(escapedForXML(text))</a>" } ?? escapedForXML(text)
                let value = best[column].contains(row) ? "<strong>\(plain)</strong>" : plain
                return "<td\(classes(column, text)) data-label=\"\(labels[column])\">\(value)</td>"
            }.joined()
        }
        let notes =
            footnotes.isEmpty
            ? ""
            : "\n<ul class=\"notes\">\n"
                + footnotes.map { "<li>\(escapedForXML($0))</li>\n" }.joined() + "</ul>"
        return """
            <div class="table"><table class="\(form)">
            <thead><tr>\(head.joined())</tr></thead>
            <tbody>
            \(body.map { "<tr>\($0)</tr>" }.joined(separator: "\n"))
            </tbody>
            </table></div>\(notes)
            """
    }

    /// Pixels that it takes side by side, estimated from its letters.
    private var width: Int { columns.indices.map(width).reduce(0, +) }

    /// Of one column; letters are taken to be as wide as in the widest of the fonts that a page may be shown in.
    private func width(_ column: Int) -> Int {
        let cells = rows.indices.map { min(shown($0, column).count, Self.longest) }
        let heading = Self.lines(columns[column]).map(\.count).max() ?? 0
        return 26 + max(cells.max() ?? 0, (heading * 23 + 19) / 20) * 77 / 10
    }

    /// A heading, broken where its parts end.
    private static func lines(_ column: Column) -> [String] {
        column.headingLines.flatMap { line -> [String] in
            guard line.count > 16 else { return [line] }
            let parts = line.split(separator: ",")
            return parts.enumerated().map { $0 < parts.count - 1 ? "\($1)," : String($1) }
        }
    }

    /// Tables that fit a page, each with the first column and as many of the others as there is room for.
    private var parts: [Table] {
        var groups: [[Int]] = []
        var used = 0
        for c in columns.indices.dropFirst() {
            if groups.isEmpty || used + width(c) > Self.page {
                groups.append([0])
                used = width(0)
            }
            groups[groups.count - 1].append(c)
            used += width(c)
        }
        return groups.enumerated().map { place, group in
            var table = Table(columns: group.map { columns[$0] })
            table.countBelow = countBelow
            for row in rows { table.add(group.map { row[$0] }) }
            if place == groups.count - 1 { for footnote in footnotes { table.add(footnote: footnote) } }
            return table
        }
    }

    /// A row for each column but the first, whose cells become the headings. Its cells are texts; an
    /// asterisk follows the best. Nil where two rows have the same name, or there are too many rows.
    private var transposed: Table? {
        let names = rows.indices.map { shown($0, 0) }
        guard columns.count > rows.count + 1, Set(names).count == names.count else { return nil }
        var table = Table(
            columns: [.text(columns[0].heading, key: "")]
                + names.enumerated().map { .text($1, key: "\($0)", alignment: .right) })
        for c in columns.indices.dropFirst() {
            let best = bestRows(of: c)
            table.add([.text(columns[c].heading)] + rows.indices.map { .text(shown($0, c) + (best.contains($0) ? " *" : "")) })
        }
        for footnote in footnotes { table.add(footnote: footnote) }
        return table
    }

    /// Texts longer than so many letters are broken.
    private static let longest = 44
    /// Widths of a page below which a table is no longer shown side by side; a table takes the nearest above its own.
    fileprivate static let limits = [320, 400, 480, 560, 640, 720, 800, 900, 1000, 1100, 1220, 1340, 1600, 1900, 2300]
}

/// How reports and pages look.
public enum StyleSheet {
    public static let text = """
        :root { color-scheme: light dark; --ground: #fff; --ink: #222; --strong: #111; --soft: #555; --rule: #e6e6e6;
          --axis: #888; --link: #00558b; }
        @media (prefers-color-scheme: dark) {
          :root { --ground: #14171a; --ink: #d9dcde; --strong: #f2f4f5; --soft: #a3a9ae; --rule: #32383d; --axis: #7d858b;
            --link: #79bdf0; }
        }
        body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.55 system-ui, 'Segoe UI', \
        'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif; }
        main { max-width: 1600px; margin: 0 auto; padding: 24px 20px 64px; }
        h1 { font-size: 1.9rem; line-height: 1.2; margin: 0.4em 0 0.6em; color: var(--strong); }
        h2 { font-size: 1.35rem; margin: 2.2em 0 0.6em; padding-bottom: 0.25em; border-bottom: 1px solid var(--rule); \
        color: var(--strong); }
        h3 { font-size: 1.05rem; margin: 1.6em 0 0.4em; }
        p, ul, dl { max-width: 46em; }
        a { color: var(--link); }
        nav ul { display: flex; flex-wrap: wrap; gap: 2px 20px; padding: 0; max-width: none; list-style: none; }
        .table { container-type: inline-size; margin: 1em 0; overflow-x: auto; }
        table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.92rem; }
        th, td { padding: 6px 12px; text-align: left; vertical-align: bottom; white-space: nowrap; }
        th { font-weight: 600; border-bottom: 2px solid var(--axis); }
        td { border-bottom: 1px solid var(--rule); }
        .long { white-space: normal; overflow-wrap: anywhere; min-width: 12em; }
        .number { text-align: right; }
        .pair td { white-space: normal; overflow-wrap: anywhere; }
        td strong { color: var(--link); }
        \(lists)
        .notes { padding-left: 1.1em; font-size: 0.88rem; color: var(--soft); }
        .figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 440px), 1fr)); gap: 24px; }
        figure { margin: 0; }
        figure svg.plot { width: 100%; height: auto; border: 1px solid var(--rule); }
        .plot { fill: var(--ink); }
        .plot .ground { fill: var(--ground); }
        .plot .title { fill: var(--strong); }
        .plot .grid { stroke: var(--rule); }
        .plot .axis { stroke: var(--axis); }
        .plot .whisker { stroke: var(--ink); }
        figure img { width: 100%; max-width: 640px; height: auto; image-rendering: pixelated; border: 1px solid var(--rule); }
        figcaption { font-size: 0.88rem; color: var(--soft); overflow-wrap: anywhere; }
        dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; }
        dt { color: var(--soft); }
        dd { margin: 0; overflow-wrap: anywhere; }
        details { margin: 1em 0; }
        summary { cursor: pointer; color: var(--link); }
        @media (max-width: 600px) {
          main { padding: 16px 14px 48px; }
          h1 { font-size: 1.5rem; }
          dl { grid-template-columns: 1fr; }
          dd { margin-bottom: 6px; }
        }
        """

    /// Tables as lists, for each width that a table may need.
    private static var lists: String {
        Table.limits.map { limit in
            let table = ".to-\(limit)"
            return """
                @container (max-width: \(limit - 1)px) {
                  \(table) thead { display: none; }
                  \(table), \(table) tbody, \(table) tr { display: block; }
                  \(table) tr { padding: 6px 0; border-bottom: 2px solid var(--axis); }
                  \(table) td { display: flex; justify-content: space-between; gap: 16px; padding: 3px 0; border: 0; \
                white-space: normal; overflow-wrap: anywhere; text-align: right; min-width: 0; }
                  \(table) td::before { content: attr(data-label); color: var(--soft); text-align: left; flex: 0 0 auto; max-width: 60%; }
                  \(table) td:first-child { font-weight: 600; }
                }
                """
        }.joined(separator: "\n")
    }
}
