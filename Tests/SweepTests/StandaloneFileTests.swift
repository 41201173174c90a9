import Files
import Foundation
import Sweep
import TestSupport
import Testing

@Suite struct StandaloneFileTests {
    /// What is submitted means what the file means: bases taken in, names as they were written, cells in their order.
    private func expectEqual(_ file: URL, overrides: [String] = []) throws {
        try withTemporaryFolder { folder in
            let copy = folder.appendingPathComponent("copy.yaml")
            try Data(SweepFile.standalone(file).utf8).write(to: copy)
            let (one, other) = (try SweepFile(loading: file, overrides: overrides), try SweepFile(loading: copy, overrides: overrides))
            #expect(one.name == other.name && one.question == other.question)
            #expect(one.cells.map(\.name) == other.cells.map(\.name) && one.cells.map(\.identity) == other.cells.map(\.identity))
            #expect(one.cells.map(\.settings) == other.cells.map(\.settings))
        }
    }

    @Test func everySweepOfTheRepositoryStaysItself() throws {
        let experiments = packageRoot.appendingPathComponent("Experiments")
        let files = try #require(FileManager.default.enumerator(at: experiments, includingPropertiesForKeys: nil)).compactMap { $0 as? URL }
            .filter { $0.pathExtension == "yaml" && !$0.path.contains("/profiles/") }
        #expect(files.count > 10)
        // One that others are based on is none by itself.
        for file in files where (try? SweepFile(loading: file)) != nil { try expectEqual(file) }
    }

    @Test func basesOverridesAndOddNamesStay() throws {
        try withTemporaryFolder { folder in
            try Data("name: below\ntokenizer: {patch: 4}\nprior.optimizer.lr: 3e-3\naxes: {prior.steps: [1000, 2000]}\n".utf8)
                .write(to: folder.appendingPathComponent("base.yaml"))
            let file = folder.appendingPathComponent("sweep.yaml")
            try Data(
                """
                name: 7
                question: "Is \\"this\\" one: {a}?"
                base: base.yaml
                seeds: [3, 1]
                axes: {prior.optimizer.lr: [1e-3, 0.0020]}
                arms: {zebra: {tokenizer.variant: prologue}, ape: {tokenizer.variant: baseline-2d}}
                compare: {baseline: {arm: ape}}
                """.utf8
            ).write(to: file)
            try expectEqual(file)
            try expectEqual(file, overrides: ["prior.layers=2", "seeds=2"])
        }
    }
}
