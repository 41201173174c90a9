import Evaluation
import Files
import Foundation
import Models

/// Features of images in a file, by the Inception network of the published scores (method §6.2) with weights that the
/// user has.
public struct InceptionExtractor {
    /// SHA-256 of the weights' file.
    public let digest: String
    private let network: InceptionV3
    private let progress: any ProgressReporter

    /// - Throws: `InputError` naming the file and the first tensor that is missing or of another shape.
    public init(weights url: URL, progress: any ProgressReporter) throws {
        network = try InceptionV3(weights: SafetensorsFile(reading: url))
        do { digest = sha256(try Data(contentsOf: url, options: .alwaysMapped)) } catch {
            throw InputError(file: url.path, "cannot be read: \(systemReason(for: error))")
        }
        self.progress = progress
    }

    /// Images a forward pass takes.
    public static var batch: Int { InceptionV3.batch }

    struct Features {
        /// [images, 2048]
        let pool: FeatureMatrix
        /// Of [images, 2023].
        let spatial: Gaussian
        /// Without bias, [images, 1008].
        let logits: FeatureMatrix
    }

    /// Reads the images of a file batch by batch; none but those of a batch are held.
    func features(of source: any ArraySource) throws -> Features {
        let total = try source.imageShape()[0]
        var (pool, logits): ([Float], [Float]) = ([], [])
        var spatial = FeatureStatistics(columns: InceptionV3.spatialWidth)
        var (done, rate) = (0, RateMeter())
        try source.forEachImageBlock(of: Self.batch) { shape, pixels in
            let count = shape[0]
            // The last batch is filled up: results of another number differ by rounding.
            let padding = [UInt8](repeating: 0, count: (Self.batch - count) * pixels.count / count)
            let features = network.features(
                pixels + padding, count: Self.batch, height: shape[1], width: shape[2], channels: shape[3])
            pool += features.pool.values[..<(count * InceptionV3.poolWidth)]
            logits += features.logits.values[..<(count * InceptionV3.classes)]
            try spatial.add(
                FeatureMatrix(
                    rows: count, columns: InceptionV3.spatialWidth,
                    values: Array(features.spatial.values[..<(count * InceptionV3.spatialWidth)])))
            done += count
            rate.tick()
            progress.update(
                StageProgress(
                    stage: "images of \(URL(fileURLWithPath: source.path).lastPathComponent)", step: done, steps: total,
                    rate: rate.perSecond.map { $0 * Double(Self.batch) }, values: []))
        }
        progress.finish()
        return Features(
            pool: FeatureMatrix(rows: total, columns: InceptionV3.poolWidth, values: pool), spatial: try spatial.gaussian(),
            logits: FeatureMatrix(rows: total, columns: InceptionV3.classes, values: logits))
    }
}

extension ArraySource {
    var hasImages: Bool { has(imagesName) }

    /// - Throws: `InputError` naming the file where there are no images of that shape.
    func imageShape() throws -> [Int] {
        let shape = try shape(of: imagesName)
        guard shape.count == 4, shape[3] == 1 || shape[3] == 3, shape.allSatisfy({ $0 > 0 }) else {
            throw InputError(
                file: path, "'\(imagesName)' has shape \(shape); expected [images, height, width, 1 or 3]")
        }
        return shape
    }
}
