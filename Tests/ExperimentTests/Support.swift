import Experiment
import Files
import Foundation
import RunStore
import Sweep
import Testing

/// A sweep that runs in a moment: drawn shapes of 16×16, one layer, four steps.
let toySettings = """
    name: sharing
    data: {set: shapes, image_size: 16, train_count: 80, test_count: 40}
    features: {width: 8, dim: 16, steps: 4, batch: 8}
    tokenizer:
      {patch: 8, dim: 32, layers: 1, heads: 1, codebook: 8, prologue_tokens: 2, prologue_codebook: 8,
       joint_ar: {dim: 32, layers: 1, heads: 1}, steps: 4, batch: 8, optimizer: {warmup: 1}}
    prior: {dim: 32, layers: 1, heads: 1, steps: 4, batch: 8, optimizer: {warmup: 1}}
    sampling: {count: 20, settings: {nocfg: {}, cool: {temperature: 0.9}}}
    probe: {train_count: 40, l2_grid: [0.01]}
    resample: {rows: 2, columns: 2}

    """

/// A store of its own, and the toy sweep with changes, on it.
final class Place {
    let folder: URL
    let store: Store

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("experiment-\(UUID().uuidString)")
        store = try Store(directory: folder.appendingPathComponent("store"))
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func runner(_ more: String = "", set: [String] = []) throws -> SweepRunner {
        let file = folder.appendingPathComponent("sweep.yaml")
        try Data((toySettings + more).utf8).write(to: file)
        return SweepRunner(
            try SweepFile(loading: file, overrides: set),
            ExperimentContext(store: store, code: .unknown, machine: .current(), progress: SilentProgress()))
    }

    /// Stage ids of the only cell, by role.
    func ids(_ more: String = "", set: [String] = []) throws -> [String: String] {
        let cells = try runner(more, set: set).plan().cells
        #expect(cells.count == 1)
        return Dictionary(uniqueKeysWithValues: cells[0].stages.map { ($0.role, $0.id) })
    }
}
