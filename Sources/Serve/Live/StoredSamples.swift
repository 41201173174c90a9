import Files
import Foundation
import ImageData
import RunStore

/// The samples of a finished stage. Labels are read at once, tokens and pictures when they are wanted.
struct StoredSamples: Sendable {
    let stage: String
    /// Class asked for, one a sample; -1 for none.
    let labels: [Int32]
    /// The numbers of each class's samples, in order.
    let numbers: [Int: [Int]]
    /// Seed and sampler's settings as the stage was named by them.
    let seed: Int?
    let settings: JSONValue
    private let file: URL

    init(_ stage: StageHandle) throws {
        file = try stage.verified("samples.h5")
        self.stage = stage.id
        labels = try HDF5File(reading: file).read("labels", as: Int32.self).values
        numbers = Dictionary(grouping: labels.indices) { [labels] in Int(labels[$0]) }
        let settings = try stage.record?.identity.settings
        seed = settings?["seed"]?.intValue
        self.settings = settings?["sampler"] ?? .null
    }

    var count: Int { labels.count }

    /// Ids of a sample in the AR vocabulary.
    func tokens(_ number: Int) throws -> [Int32] {
        try HDF5File(reading: file).read(rows: number..<number + 1, of: "tokens", as: Int32.self).values
    }

    /// A sample as a PNG file.
    func png(_ number: Int) throws -> Data {
        let file = try HDF5File(reading: file)
        let shape = try file.shape(of: "images")
        guard shape.count == 4 else { throw InputError(file: file.name, "dataset 'images' has shape \(shape); expected four sizes") }
        let pixels = try file.read(rows: number..<number + 1, of: "images", as: UInt8.self).values
        return try PNG.data(Picture(height: shape[1], width: shape[2], channels: shape[3], pixels: pixels))
    }
}

extension LiveStore {
    /// What the samplers of a run are called, sorted.
    func samplers(ofRun id: String) throws -> [String] {
        try kept("samplers \(id)") {
            try rows("SELECT role FROM run_stages WHERE run_id = ? AND role LIKE 'samples.%' ORDER BY role", [.string(id)])
                .compactMap { $0[0].stringValue.map { String($0.dropFirst("samples.".count)) } }
        }
    }

    /// The samples that a run drew; nil where it has none of that name, or none yet.
    func samples(ofRun id: String, _ sampler: String) throws -> StoredSamples? {
        let found = try kept("samples \(sampler) of \(id)") {
            try rows("SELECT stage_id FROM run_stages WHERE run_id = ? AND role = ?", [.string(id), .string("samples.\(sampler)")])
        }
        guard let stage = found.first?[0].stringValue else { return nil }
        return try samples(ofStage: store.stage(id: stage))
    }
}
