import Experiment
import Files
import Foundation
import ImageData
import RunStore

/// Samples that runs drew, class by class: which there are, and those of a class in one picture.
struct SampleStrip {
    private let live: LiveStore

    init(_ live: LiveStore) { self.live = live }

    /// Samples in one picture.
    private static let shown = 8
    private static let role = "samples."

    /// What the samplers of a run are called, sorted.
    func samplers(of run: String) throws -> [String] {
        try live.rows("SELECT role FROM run_stages WHERE run_id = ? AND role LIKE 'samples.%' ORDER BY role", [.string(run)])
            .compactMap { $0[0].stringValue.map { String($0.dropFirst(Self.role.count)) } }
    }

    private func file(_ run: String, _ sampler: String) throws -> HDF5File? {
        let found = try live.rows(
            "SELECT stage_id FROM run_stages WHERE run_id = ? AND role = ?", [.string(run), .string(Self.role + sampler)])
        guard let id = found.first?[0].stringValue else { return nil }
        let stage = live.store.stage(id: id)
        guard try stage.isComplete else { return nil }
        return try HDF5File(reading: stage.verified("samples.h5"))
    }

    /// The classes that a run has samples of, sorted; -1 for samples without a class.
    func classes(of run: String, _ sampler: String) throws -> [Int] {
        try live.kept("classes \(run) \(sampler)") {
            guard let file = try file(run, sampler) else { return [] }
            return Set(try file.read("labels", as: Int32.self).values.map(Int.init)).sorted()
        }
    }

    /// The first samples of a class in two rows, as `CLASS.png`.
    func png(run: String, sampler: String, file name: String) throws -> Response? {
        guard name.hasSuffix(".png"), let label = Int32(name.dropLast(4)), let file = try file(run, sampler) else { return nil }
        let labels = try file.read("labels", as: Int32.self).values
        let rows = labels.indices.filter { labels[$0] == label }.prefix(Self.shown)
        let shape = try file.shape(of: "images")
        guard !rows.isEmpty, shape.count == 4 else { return nil }
        let pixels = try rows.flatMap { try file.read(rows: $0..<$0 + 1, of: "images", as: UInt8.self).values }
        let grid = ImageGrid(columns: Self.shown / 2, gap: 1, scale: 1)
        return Response(200, "image/png", try PNG.data(grid.picture(pixels, height: shape[1], width: shape[2], channels: shape[3])))
    }
}
