import Files
import Foundation
import Report
import TestSupport
import Testing

@Suite struct DocumentTests {
    private func document() -> ReportDocument {
        var document = ReportDocument(title: "a < b & c")
        document.add([
            .paragraph("<script>alert(1)</script> *not* emphasis"), .list(["one", "two_three"]),
            .facts([(name: "Runs", value: "3 & 4")]),
            .details("more", [.figures([ReportDocument.Figure(name: "dot", caption: "a dot", content: .png(Data([0x89, 0x50])))])]),
        ])
        return document
    }

    @Test func textsStayTexts() throws {
        let texts = try pythonJSON(
            """
            import html.parser
            found, tags = [], []
            class Reader(html.parser.HTMLParser):
                def handle_starttag(self, tag, attributes): tags.append(tag)
                def handle_data(self, data): found.append(data.strip())
            Reader().feed(open('input').read())
            print(json.dumps({'texts': found, 'tags': tags}))
            """, input: document().html())
        let found = (texts["texts"]?.arrayValue ?? []).compactMap(\.stringValue)
        #expect(found.contains("a < b & c"))
        #expect(found.contains("<script>alert(1)</script> *not* emphasis"))
        #expect(found.contains("3 & 4"))
        #expect(texts["tags"]?.arrayValue?.contains("script") == false)
    }

    @Test func figuresInDetailsAreFigures() {
        #expect(document().figures.map(\.name) == ["dot"])
        #expect(document().html().contains("data:image/png;base64,iVA="))
        let markdown = document().markdown(pictures: "pictures")
        #expect(markdown.contains("![a dot](pictures/dot.png)"))
        #expect(markdown.contains("\\*not\\* emphasis") && markdown.contains("- two\\_three"))
    }

    /// Every cell carries its heading, so that a narrow page can show rows as lists; a table of many columns and few rows
    /// stands on its side.
    @Test func tablesCanBeReadAtEveryWidth() throws {
        var table = Table(columns: [.text("arm")] + (0..<20).map { .number("a score of some length, number \($0)") })
        for arm in ["one", "two"] { table.add([.text(arm)] + (0..<20).map { .number(Double($0)) }) }
        table.add(footnote: "a & b")
        let html = table.html()
        #expect(html.matches(of: /<td/).count == html.matches(of: /<td[^>]* data-label="[^"]+"/).count)
        #expect(html.matches(of: /<tr>/).count == 21 && html.contains("<th class=\"number\">two</th>"))
        #expect(html.contains("a &amp; b"))
        var narrow = Table(columns: [.text("arm"), .number("x"), .number("y")])
        narrow.add([.text("one"), .number(1), .number(2)])
        #expect(narrow.html().matches(of: /<tr>/).count == 2)
        // The page has a rule for every width that a table can ask for.
        let page = document().html()
        for asked in (html + narrow.html()).matches(of: /class="(to-[0-9]+)"/) { #expect(page.contains(".\(asked.1) td")) }
    }

    @Test func sectionsAreListedAndDarkPagesAreDark() throws {
        var document = document()
        #expect(!document.html().contains("<nav"))
        document.add([.heading("One & all"), .heading("Two"), .heading("Three")])
        let html = document.html()
        #expect(html.contains("<a href=\"#one-all\">One &amp; all</a>") && html.contains("<h2 id=\"one-all\">"))
        #expect(html.contains("prefers-color-scheme: dark") && html.contains("color-scheme: light dark"))
        // What plots draw besides data has a class that the page's style knows.
        let svg = LinePlot(title: "t", xLabel: "x", yLabel: "y", series: [.init("a", points: [.init(x: 0, y: 1), .init(x: 1, y: 2)])]).svg()
        let names = Set(svg.matches(of: /class="(\w+)"/).map { String($0.1) })
        #expect(names == ["plot", "ground", "title", "grid", "axis", "data"])
        for name in names.subtracting(["data"]) { #expect(html.contains(".\(name) {")) }
    }
}
