import Files
import Foundation
import Testing

/// What a sweep found, on a machine that no longer has its data.
@Suite struct ResultsTests {
    /// Ablating the prologue's length with a probe among the scores ends in a table, and results are read after the data are gone.
    @Test func resultsOutliveTheData() throws {
        let place = try Workplace(
            sweep: """
                name: ablation
                data: {set: image-hdf5, path: data.h5}
                features: {width: 8, dim: 16, steps: 8, batch: 8}
                tokenizer:
                  {patch: 8, dim: 32, layers: 1, heads: 1, codebook: 8, prologue_codebook: 8,
                   joint_ar: {dim: 32, layers: 1, heads: 1}, steps: 4, batch: 8, optimizer: {warmup: 1}}
                prior: {dim: 32, layers: 1, heads: 1, steps: 4, batch: 8, optimizer: {warmup: 1}}
                sampling: {count: 20, settings: {nocfg: {}}}
                probe: {train_count: 40, l2_grid: [0.01]}
                resample: {rows: 2, columns: 2}
                axes: {tokenizer.prologue_tokens: [0, 1, 2]}
                compare: {baseline: {tokenizer.prologue_tokens: 0}, metrics: [rfid, probe.top1]}

                """)
        _ = try place.python(
            """
            import h5py, numpy as np
            random = np.random.default_rng(0)
            labels = np.arange(80) % 4
            with h5py.File("data.h5", "w") as f:
                f["images"] = (labels[:, None, None] * 60 + random.integers(0, 60, (80, 16, 16))).astype("u1")
                f["labels"] = labels
            """)
        let ended = try place.run("sweep", "run", place.sweep)
        #expect(ended.code == 0, "\(ended.errors)")
        #expect(ended.output.contains("probe.top1 was measured under different protocols (tokens = 1 or 2)"), "\(ended.output)")
        try FileManager.default.removeItem(at: place.folder.appendingPathComponent("data.h5"))

        let table = try place.json("compare", place.sweep, "--json")
        let rows = try #require(table["rows"]?.arrayValue)
        #expect(rows.map { $0["arm"] } == ["prologue_tokens=0", "prologue_tokens=1", "prologue_tokens=2"])
        #expect(rows.map { $0["probe.top1[tokens 1]"]?.doubleValue != nil } == [true, true, false])
        #expect(rows.map { $0["probe.top1[tokens 2]"]?.doubleValue != nil } == [true, false, true])
        #expect(rows.allSatisfy { row in row.objectValue?.contains { $0.key.hasPrefix("rfid@") && $0.value.doubleValue != nil } == true })
        #expect(table["verdicts"]?.arrayValue?.last?.stringValue?.hasPrefix("With one seed") == true)
        let report = try place.run("report", place.sweep)
        #expect(report.code == 0, "\(report.errors)")
        #expect(try place.run("sweep", "status", place.sweep).code == 0)
        // Only what needs the data says that they are gone.
        #expect(try place.run("sweep", "run", place.sweep).code == 2)
    }
}
