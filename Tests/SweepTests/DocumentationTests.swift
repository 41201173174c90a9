import Files
import Foundation
import Settings
import Sweep
import TestSupport
import Testing

@Suite struct DocumentationTests {
    /// Run with `PROLOGUE_WRITE_DOCS=1` to write the page anew.
    @Test func settingsPageIsCurrent() throws {
        let page = packageRoot.appendingPathComponent("docs/settings.md")
        if ProcessInfo.processInfo.environment["PROLOGUE_WRITE_DOCS"] != nil {
            try AtomicFile.write(Data(Schema.markdown().utf8), to: page)
        }
        let committed = try String(contentsOf: page, encoding: .utf8)
        #expect(committed == Schema.markdown(), "docs/settings.md is out of date; see this test's comment")
    }

    struct Example: Sendable {
        let yaml: String
        let error: String?
    }

    /// The YAML blocks of the grammar's page, each with the error block that follows it, if one does.
    static let examples: [Example] = {
        guard let text = try? String(contentsOf: packageRoot.appendingPathComponent("docs/sweeps.md"), encoding: .utf8)
        else { return [] }
        return text.components(separatedBy: "```yaml\n").dropFirst().map { part in
            let pieces = part.components(separatedBy: "```")
            let error =
                pieces[1] == "\n" && pieces[2].hasPrefix("error\n")
                ? pieces[2].dropFirst("error\n".count).dropLast() : nil
            return Example(yaml: pieces[0], error: error.map(String.init))
        }
    }()

    @Test(arguments: examples.indices)
    func exampleDoesWhatThePageSays(index: Int) throws {
        let example = Self.examples[index]
        #expect(try loadingError(example.yaml) == example.error)
    }

    @Test func thePageHasExamplesOfBothKinds() {
        #expect(Self.examples.count { $0.error == nil } >= 10)
        #expect(Self.examples.count { $0.error != nil } >= 5)
    }

    @Test(arguments: ["fashion-small", "shapes-small"])
    func presetIsASweepOfOneRun(name: String) throws {
        let preset = try SweepFile(loading: packageRoot.appendingPathComponent("Experiments/presets/\(name).yaml"))
        #expect(preset.name == name)
        #expect(preset.cells.count == 1)
        #expect(preset.cells[0].settings.tokenizer.training.steps == 2000)
        #expect(preset.cells[0].settings.sampling.settings.keys.sorted() == ["cfg", "cool", "nocfg", "uncond"])
    }
}
