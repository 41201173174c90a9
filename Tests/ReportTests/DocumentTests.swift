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
}
