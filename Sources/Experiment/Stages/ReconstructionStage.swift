import Evaluation
import Files
import Foundation
import ImageData
import RunStore
import Sweep

/// Reconstructions of the held-out images and their distance to the originals: rFID, and the statistics that
/// samples are scored against.
struct ReconstructionStage: Stage {
    let scores: ScoreSettings
    let features: FeatureStage
    let tokenizer: TokenizerStage

    var role: String { "reconstructions" }

    var identity: StageIdentity {
        StageIdentity(
            kind: "reconstructions", settings: ["scores": scores.identity],
            inputs: ["tokenizer": tokenizer.id, "features": features.id], formatVersion: 1)
    }

    /// The held-out images that scores refer to.
    var references: ImageSet {
        get throws { try scores.referenceCount.map(tokenizer.dataset.test.balanced) ?? tokenizer.dataset.test }
    }

    static let pictureFile = "reconstructions.png"
    private static let statisticsFile = "features.h5"

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let dataset = tokenizer.dataset
        let set = try references
        context.progress.note("reconstructions: \(set.count) held-out images")
        let model = try tokenizer.load(context)
        let pixels = model.decode(model.config.layout.visualHalf(of: model.encode(set, of: dataset)))
        let extractor = try features.extractor(context)
        let real = try FeatureStatistics(of: extractor.features(set).matrix)
        let rebuilt = try FeatureStatistics(of: extractor.features(pixels, count: set.count).matrix)
        try save(real: real, rebuilt: rebuilt, to: work.url(Self.statisticsFile))
        try picture(set, pixels, to: work.url(Self.pictureFile))

        let name = "rfid@\(features.spaceName)"
        let values: [String: Double?] = [
            name: try? frechetDistance(rebuilt, real), "l1": Self.meanAbsoluteError(set.pixels, pixels),
        ]
        let record = Scores(
            protocol: [
                "features": .string(features.id), "reference": .string(set.fingerprint), "count": .int(set.count),
            ], values: values)
        try work.save(record, named: features.spaceName)
        return ["count": .int(set.count)]
    }

    /// Means and covariances of held-out images and of their reconstructions.
    func statistics(_ context: ExperimentContext) throws -> (real: Gaussian, rebuilt: Gaussian, count: Int) {
        let file = try HDF5File(reading: context.store.stage(identity).url(Self.statisticsFile))
        func gaussian(_ name: String) throws -> Gaussian {
            try Gaussian(
                mean: file.read("\(name)/mean", as: Double.self).values,
                covariance: file.read("\(name)/covariance", as: Double.self).values)
        }
        let count = try file.attribute("count")?.intValue ?? 0
        return (try gaussian("real"), try gaussian("reconstruction"), count)
    }

    private func save(real: FeatureStatistics, rebuilt: FeatureStatistics, to url: URL) throws {
        try HDF5File.write(atomicallyTo: url) { file in
            for (name, statistics) in [("real", real), ("reconstruction", rebuilt)] {
                let gaussian = try statistics.gaussian()
                let d = gaussian.dimensions
                try file.makeGroup(name)
                try file.write(gaussian.mean, to: "\(name)/mean", shape: [d], attributes: ["axes": ["feature"]])
                try file.write(
                    gaussian.covariance, to: "\(name)/covariance", shape: [d, d],
                    attributes: ["axes": ["feature", "feature"]])
            }
            try file.setAttribute("count", .int(real.count))
            try file.setAttribute("features", .string(features.id))
        }
    }

    /// Mean absolute difference of pixels, in levels of 0…255.
    private static func meanAbsoluteError(_ a: [UInt8], _ b: [UInt8]) -> Double {
        var sum = 0
        for i in a.indices { sum += abs(Int(a[i]) - Int(b[i])) }
        return Double(sum) / Double(a.count)
    }

    /// Two originals and their reconstructions per class: a row of originals above a row of reconstructions.
    private func picture(_ set: ImageSet, _ rebuilt: [UInt8], to url: URL) throws {
        let classes = set.classNames.count
        var rows: [[Int]] = []
        for repetition in 0..<2 {
            rows.append((0..<classes).compactMap { label in
                set.labels.indices.filter { set.labels[$0] == label }.dropFirst(repetition).first
            })
        }
        let size = set.pixelsPerImage
        var pixels: [UInt8] = []
        for row in rows {
            for source in [set.pixels, rebuilt] {
                for index in row { pixels += source[index * size..<(index + 1) * size] }
            }
        }
        let grid = ImageGrid(
            columns: rows[0].count, rowLabels: ["original", "rebuilt", "original", "rebuilt"],
            title: "\(tokenizer.settings.variant.rawValue): reconstructions of held-out images")
        try PNG.write(grid.picture(pixels, height: set.height, width: set.width, channels: set.channels), to: url)
    }
}
