import Files
import Foundation
import TestSupport
import Testing

/// Scores that say little say so.
@Suite struct ScoreWarningTests {
    private static func sweep(_ data: String) -> String {
        """
        name: tiny
        data: {set: image-hdf5, path: images.h5, image_size: 16\(data)}
        features: {width: 8, dim: 16, steps: 2, batch: 4}
        tokenizer:
          {variant: baseline-2d, patch: 4, dim: 32, layers: 1, heads: 1, codebook: 32, joint_ar: {dim: 32, layers: 1, heads: 1},
           steps: 2, batch: 4, optimizer: {warmup: 1}}
        prior: {dim: 32, layers: 1, heads: 1, steps: 2, batch: 4, optimizer: {warmup: 1}}
        sampling: {count: 24}
        probe: {enabled: false}
        resample: {rows: 4, columns: 2}

        """
    }

    /// Warnings of the stage of a kind, from its record; its log and the console have them too.
    private func warnings(_ labels: String, _ testLabels: String) throws -> [String] {
        let place = try Workplace(sweep: Self.sweep(""))
        _ = try place.python(
            """
            import h5py, numpy as np
            r = np.random.default_rng(0)
            with h5py.File("images.h5", "w") as f:
                for half, y in [("train", \(labels)), ("test", \(testLabels))]:
                    f[half + "_images"], f[half + "_labels"] = r.integers(0, 256, (len(y), 16, 16, 3), dtype="u1"), y
            """)
        let ended = try place.run("sweep", "run", place.sweep, "--workers", "1")
        try #require(ended.code == 0, "\(ended.errors)")
        let stages = place.store.appendingPathComponent("stages")
        let folder = try #require(try FileManager.default.contentsOfDirectory(atPath: stages.path).first { $0.hasPrefix("scores-") })
        let record = try JSONValue(parsing: Data(contentsOf: stages.appendingPathComponent("\(folder)/stage.json")))
        let found = record["summary"]?["warnings"]?.arrayValue?.compactMap(\.stringValue) ?? []
        let log = try String(contentsOf: stages.appendingPathComponent("\(folder)/log.txt"), encoding: .utf8)
        for warning in found {
            #expect(log.contains("warning: \(warning)"))
            #expect((ended.output + ended.errors).contains("warning: \(warning)"), "\(ended.errors)")
        }
        return found
    }

    @Test func oneClass() throws {
        let found = try warnings("np.zeros(40, int)", "np.zeros(20, int)")
        #expect(found.count == 1 && found[0].contains("of one class"), "\(found)")
    }

    /// Noise with random labels: nothing can be learned.
    @Test func aClassifierThatKnowsNothing() throws {
        let found = try warnings("np.arange(40) % 2", "np.arange(20) % 2")
        #expect(found.contains { $0.contains("no better than chance") }, "\(found)")
    }

    @Test func classesWithoutHeldOutImagesAndTooFewOfThem() throws {
        let found = try warnings("np.arange(40) % 3", "np.arange(12) % 2")
        #expect(found.contains { $0.contains("no held-out images of 1 of 3 classes") }, "\(found)")
        #expect(found.contains { $0.contains("12 images of the reference for 16 features") }, "\(found)")
    }
}
