import Accelerators
import Evaluation
import Files
import Foundation
import Models

/// Features of images in a file, by the Inception network of the published scores (method §6.2) with weights that the
/// user has.
public struct InceptionExtractor {
    /// SHA-256 of the weights' file.
    public let digest: String
    private let network: InceptionNetwork
    private let progress: any ProgressReporter

    /// - Throws: `InputError` naming the file and the first tensor that is missing or of another shape.
    public init(weights url: URL, on device: DeviceChoice = .cpu, progress: any ProgressReporter) throws {
        network = try InceptionNetwork(InceptionV3(weights: SafetensorsFile(reading: url)), on: device.open())
        do { digest = sha256(try Data(contentsOf: url, options: .alwaysMapped)) } catch {
            throw InputError(file: url.path, "cannot be read: \(systemReason(for: error))")
        }
        self.progress = progress
    }

    /// Images a forward pass takes.
    public static var batch: Int { InceptionV3.batch }

    /// Reads the images of a file batch by batch; none but those of a batch are held.
    func features(of source: any ArraySource) throws -> ExtractedFeatures {
        let shape = try source.imageShape()
        var gathered = GatheredFeatures(
            FeaturePasses(network: network, size: PixelSize(height: shape[1], width: shape[2], channels: shape[3])))
        var (done, rate) = (0, RateMeter())
        try source.forEachImageBlock(of: Self.batch) { block, pixels in
            try gathered.add(pixels)
            done += block[0]
            rate.tick()
            progress.update(
                StageProgress(
                    stage: "images of \(URL(fileURLWithPath: source.path).lastPathComponent)", step: done, steps: shape[0],
                    rate: rate.perSecond.map { $0 * Double(Self.batch) }, values: []))
        }
        progress.finish()
        return try gathered.finished()
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
