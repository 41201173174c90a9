import Files
import Foundation
import Testing

/// The written report, read by Python's own HTML parser.
@Suite struct ReportTests {
    /// Prints the tables of an HTML file, the kinds of its pictures, and every reference to something outside of it.
    private let read = """
        import base64, html.parser, json, sys
        class Reader(html.parser.HTMLParser):
            void = {'meta', 'img', 'br', 'link', 'input'}
            def __init__(self):
                super().__init__(); self.open = []; self.tables = []; self.outside = []; self.links = []; self.ids = []; self.png = 0; self.svg = 0
            def handle_starttag(self, tag, attributes):
                if tag not in self.void: self.open.append(tag)
                if tag == 'table': self.tables.append([])
                if tag == 'tr': self.tables[-1].append([])
                if tag in ('td', 'th'): self.tables[-1][-1].append('')
                if tag == 'svg' and 'width' in dict(attributes) and 'role' in dict(attributes): self.svg += 1
                for name, value in attributes:
                    if name in ('src', 'href'):
                        if value.startswith('data:image/png;base64,'):
                            assert base64.b64decode(value[22:], validate=True)[:4] == b'\\x89PNG'; self.png += 1
                        elif value.startswith('#'): self.links.append(value[1:])
                        else: self.outside.append(value)
                    if name == 'id': self.ids.append(value)
            def handle_endtag(self, tag):
                assert self.open.pop() == tag, tag
            def handle_data(self, text):
                if self.open and self.open[-1] in ('td', 'th', 'strong'): self.tables[-1][-1][-1] += text
        reader = Reader()
        text = open(sys.argv[1] + '/reports/tiny/report.html').read()
        reader.feed(text); reader.close()
        assert not reader.open, reader.open
        assert reader.links and reader.links == reader.ids, (reader.links, reader.ids)
        assert '@import' not in text and 'url(' not in text
        print(json.dumps({'tables': reader.tables, 'outside': reader.outside, 'png': reader.png, 'svg': reader.svg}))
        """

    @Test func theReportHoldsWhatCompareSaysAndNeedsNothingElse() throws {
        let place = try finishedSweep.get().place
        let ended = try place.run("report", place.sweep)
        #expect(ended.code == 0, "\(ended.errors)")
        #expect(ended.output.contains("reports/tiny/report.html"))

        let report = try JSONValue(parsing: Data(place.python(read).utf8))
        #expect(report["outside"] == [])
        // Reconstructions, two samplers and resampled rows of two arms; at least loss and gradient norm of two stages.
        #expect(report["png"] == 8)
        #expect(try #require(report["svg"]?.intValue) >= 4)
        let compared = try place.json("compare", place.sweep, "--json")
        let main = try #require(report["tables"]?.arrayValue?.first?.arrayValue)
        let rfid = try #require(
            compared["rows"]?.arrayValue?.compactMap { row in
                row.objectValue?.first { $0.key.hasPrefix("rfid@") }?.value.doubleValue
            })
        #expect(rfid.count == 2)
        // Arms are rows or columns, as the page has room.
        let cells = main.flatMap { $0.arrayValue ?? [] }.compactMap(\.stringValue)
        for value in rfid { #expect(cells.contains { $0.hasPrefix(String(format: "%.2f", value)) }, "\(cells)") }
        // Every measured number is listed with the stage that measured it.
        let sources = try #require(report["tables"]?.arrayValue?.first { $0.arrayValue?.first?.arrayValue?.last == "protocol" })
        let stages = Set(sources.arrayValue?.dropFirst().compactMap { $0.arrayValue?[5].stringValue } ?? [])
        let folders = try FileManager.default.contentsOfDirectory(
            atPath: place.store.appendingPathComponent("stages").path)
        #expect(!stages.isEmpty && stages.isSubset(of: folders))
    }

    @Test func markdownNamesPicturesThatAreThere() throws {
        let place = try finishedSweep.get().place
        let folder = place.folder.appendingPathComponent("elsewhere")
        #expect(try place.run("report", place.sweep, "--output", folder.path).code == 0)
        let text = try String(contentsOf: folder.appendingPathComponent("report.md"), encoding: .utf8)
        let pictures = text.matches(of: /\]\((pictures\/[^)]+)\)/).map { String($0.1) }
        #expect(pictures.count >= 12)
        // Called by what they show and by the arm's short name.
        #expect(
            pictures.contains("pictures/samples-nocfg-prologue-s0.png") && pictures.contains("pictures/reconstructions-baseline-s0.png"))
        #expect(Set(pictures).count == pictures.count)
        // What an earlier report showed and this one does not is taken away; other files stay.
        let other = folder.appendingPathComponent("pictures/mine.png")
        try Data("mine".utf8).write(to: other)
        #expect(try place.run("report", place.sweep, "--pictures", "none", "--output", folder.path).code == 0)
        #expect(!FileManager.default.fileExists(atPath: folder.appendingPathComponent("pictures/samples-nocfg-prologue-s0.png").path))
        #expect(FileManager.default.fileExists(atPath: other.path))
        #expect(try place.run("report", place.sweep, "--output", folder.path).code == 0)
        for picture in pictures {
            #expect(FileManager.default.fileExists(atPath: folder.appendingPathComponent(picture).path), "\(picture)")
        }
    }

    /// Curves stay; samples go.
    @Test func picturesCanBeLeftOut() throws {
        let place = try finishedSweep.get().place
        for (choice, pictures) in [("first", 8), ("none", 0)] {
            let folder = place.folder.appendingPathComponent("pictures-\(choice)")
            #expect(try place.run("report", place.sweep, "--pictures", choice, "--output", folder.path).code == 0)
            let files = try FileManager.default.contentsOfDirectory(atPath: folder.appendingPathComponent("pictures").path)
            #expect(files.count { $0.hasSuffix(".png") } == pictures && files.contains { $0.hasSuffix(".svg") })
        }
    }

    @Test func aSweepThatHasNotRunSaysSo() throws {
        let place = try Workplace()
        let missing = try place.run("report", place.sweep)
        #expect(missing.code == 2 && missing.errors.contains("there is no store here"))
        try FileManager.default.createDirectory(at: place.store, withIntermediateDirectories: true)
        #expect(try place.run("report", place.sweep).code == 0)
        let text = try String(contentsOf: place.store.appendingPathComponent("reports/tiny/report.md"), encoding: .utf8)
        #expect(text.contains("0 of 2 done: what follows is preliminary"))
    }
}
