import Foundation
import RunStore
import TestSupport
import Testing

/// The examples of docs/store.md, run as they stand.
@Suite struct StoreDocumentTests {
    private func blocks(_ language: String) throws -> [String] {
        let text = try String(contentsOf: packageRoot.appendingPathComponent("docs/store.md"), encoding: .utf8)
        return text.components(separatedBy: "```\(language)\n").dropFirst().map { $0.components(separatedBy: "```")[0] }
    }

    @Test func pythonExamplesRun() throws {
        try withTemporaryFolder { folder in
            let example = try ExampleStore(in: folder.appendingPathComponent("results/store"))
            _ = try RunIndex(example.store)
            try RunArchive.write(
                example.runs.map(\.id), of: "sweep", in: example.store, to: folder.appendingPathComponent("sweep.runs.zip"))
            let outputs = try blocks("python").map { try python("import os, sys\nos.chdir(sys.argv[1])\n" + $0, folder.path) }
            #expect(outputs.count == 3)
            let last = outputs[0].split(separator: "\n").last?.split(separator: " ").compactMap { Double($0) }
            #expect(outputs[0].hasPrefix("step") && last == [5, 5, 0.2])
            #expect(outputs[1].contains("13.0") && outputs[1].contains("gfid.nocfg"))
            #expect(outputs[2].contains("fashion-cnn") && outputs[2].contains("'gfid.nocfg': 13.5"))
        }
    }

    @Test func sqlExamplesRun() throws {
        try withTemporaryFolder { folder in
            let example = try ExampleStore(in: folder)
            let index = try RunIndex(example.store)
            let tables = try blocks("sql").map { try index.query($0) }
            #expect(tables.count == 4)
            #expect(tables[0].columns == ["id", "gfid"] && tables[0].rows.map { $0[1] } == [12.5, 13.5])
            #expect(tables[1].rows.count == 3)
            #expect(tables[2].rows.map { $0[0] } == [.string(example.tokenizer)])
            #expect(tables[3].rows == [[.string(example.runs[0].id), 12.5]])
        }
    }

    /// The table of columns names every column there is, and no other.
    @Test func theSchemaIsDocumented() throws {
        try withTemporaryFolder { folder in
            let index = try RunIndex(Store(directory: folder))
            let text = try String(contentsOf: packageRoot.appendingPathComponent("docs/store.md"), encoding: .utf8)
            for name in ["runs", "run_config", "metrics", "stages", "stage_inputs", "run_stages", "artifacts"] {
                let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("| `\(name)`") })
                let documented = line.split(separator: "`").enumerated().filter { $0.offset % 2 == 1 }.map { String($0.element) }
                let columns = try index.query("SELECT name FROM pragma_table_info('\(name)')").rows.compactMap { $0[0].stringValue }
                #expect(documented.dropFirst().prefix(columns.count) == columns[...], "table \(name)")
            }
        }
    }
}
