import Evaluation
import Files
import Foundation
import Models
import RunStore
import Settings

/// The features of a reference that others have published as a file (method §6.1): its statistics as they are stored, and the features
/// of its images, which precision and recall compare with.
struct ReferenceStage: Stage {
    let url: URL
    let features: FeatureStage
    /// SHA-256 of the file.
    let digest: String

    /// Nil where the run names no file.
    /// - Throws: `InputError` if the file cannot be read.
    init?(_ settings: ScoreSettings, features: FeatureStage, _ context: ExperimentContext) throws {
        guard let path = settings.reference, features.space == .inception else { return nil }
        (url, self.features) = (URL(fileURLWithPath: path), features)
        if let assumptions = context.assumptions, assumptions.misses(path, as: "scores.reference") {
            digest = "expected"
            return
        }
        do { digest = try context.digest(of: url) } catch let error as InputError {
            throw InputError("scores.reference: \(error.message)")
        }
    }

    var role: String { "reference" }

    var identity: StageIdentity {
        StageIdentity(
            kind: "reference", settings: ["file": .string(digest)], inputs: ["features": features.id], formatVersion: 1)
    }

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let source = try NpzSource(url)
        let stored = (
            pooled: try source.statistics(source.statisticsNames.pooled), spatial: try source.statistics(source.statisticsNames.spatial)
        )
        let network = try features.extractor(context).network
        for (given, width, what) in [
            (stored.pooled, network.widths.pooled, source.statisticsNames.pooled.mean),
            (stored.spatial, network.widths.spatial, source.statisticsNames.spatial.mean),
        ] {
            guard let given, given.dimensions != width else { continue }
            throw InputError(file: url.path, "'\(what)' has \(given.dimensions) dimensions; Inception's features have \(width)")
        }
        let extracted = try source.hasImages ? extract(source, network, work, context) : nil
        let own = try extracted.map { try ScoreReference.Side($0) }
        guard let pooled = stored.pooled ?? own?.pooled, let spatial = stored.spatial ?? own?.spatial else {
            throw InputError(
                file: url.path, "has \(source.names); expected images in 'arr_0', or statistics in 'mu', 'sigma', 'mu_s' and 'sigma_s'")
        }
        try ScoreReference(
            images: ScoreReference.Side(pooled: pooled, spatial: spatial, features: own?.features), reconstructions: nil
        ).write(to: work.url(ScoreReference.file), features: features.id)
        return [
            "file": .string(url.lastPathComponent), "sha256": .string(digest), "count": own?.features.map { .int($0.rows) } ?? .null,
            "statistics": stored.pooled == nil ? "of its images" : "stored",
        ]
    }

    private func extract(
        _ source: NpzSource, _ network: any FeatureNetwork, _ work: StageWork, _ context: ExperimentContext
    ) throws -> ExtractedFeatures {
        let shape = try source.imageShape()
        context.progress.note("reference: \(shape[0]) images of \(url.lastPathComponent)")
        let size = PixelSize(height: shape[1], width: shape[2], channels: shape[3])
        // A compressed file can be read from its beginning only.
        let reader = try source.file.rows(source.imagesName)
        var read = 0
        return try FeatureExtractor(network: network, size: size).features(of: shape[0], keptWith: work) { range, add in
            while read < range.upperBound {
                let count = min(network.chunk, (read < range.lowerBound ? range.lowerBound : range.upperBound) - read)
                guard let pixels = try source.pixels(reader, count) else { break }
                if read >= range.lowerBound { try add(pixels) }
                read += count
                context.progress.update(StageProgress(stage: role, step: read, steps: shape[0], rate: nil, values: []))
            }
        }
    }

    func load(_ context: ExperimentContext) throws -> ScoreReference.Side {
        try ScoreReference(reading: context.store.stage(identity).verified(ScoreReference.file)).images
    }
}

extension ExperimentContext {
    /// SHA-256 of a large file, kept in the store as long as size and time of the file stay the same.
    func digest(of url: URL) throws -> String {
        try FileDigest.sha256(of: url, kept: store.directory.appendingPathComponent("data")) { progress.note($0) }
    }
}
