import Evaluation
import Files
import Foundation

/// Features of images that someone has extracted, or their statistics, from a file.
///
/// | | `.npz` | `.h5` |
/// |---|---|---|
/// | features of each image, [n, d] | `features` | `features` |
/// | their statistics, [d] and [d, d] | `mu`, `sigma` | `mean`, `covariance` |
/// | features that keep places (sFID), [n, s] | `spatial` | `spatial` |
/// | their statistics | `mu_s`, `sigma_s` | `spatial_mean`, `spatial_covariance` |
/// | class scores of each image, [n, classes] | `logits` or `probabilities` | the same |
/// | images, uint8 [n, height, width, 1 or 3] | `arr_0` | `images` |
///
/// Features of images are taken from an Inception network, if there is one.
/// Where a file has features and statistics, distances take the stored statistics (method §6.1: rather than
/// recomputed ones), precision and recall the features.
public struct FeatureFile: Sendable {
    public let path: String
    /// SHA-256 of the file.
    public let digest: String
    public let statistics: Gaussian
    /// Whether the statistics were in the file, rather than computed from its features.
    public let hasStoredStatistics: Bool
    /// Nil where the file has statistics only.
    public let features: (any FeatureRows)?
    /// Of features that keep places; nil where the file has none.
    public let spatial: Gaussian?
    /// Softmax outputs in the order of the file; nil where it has none.
    public let probabilities: (any FeatureRows)?

    /// What is wanted of a file.
    public enum Wanted: Sendable {
        /// All that the file allows.
        case everything
        /// Statistics alone: where they are stored, images need not be looked at.
        case statistics
    }

    /// - Parameter inception: takes features of images, where the file has images.
    /// - Throws: `InputError` naming the file and the array that is missing or not what it should be.
    public init(reading url: URL, _ wanted: Wanted = .everything, inception: InceptionExtractor? = nil) throws {
        path = url.path
        let source: any ArraySource
        switch url.pathExtension.lowercased() {
        case "npz": source = try NpzSource(url)
        case "h5", "hdf5": source = try HDF5Source(url)
        default: throw InputError(file: url.path, "expected a file whose name ends in .npz or .h5")
        }
        do { digest = sha256(try Data(contentsOf: url, options: .alwaysMapped)) } catch {
            throw InputError(file: url.path, "cannot be read: \(systemReason(for: error))")
        }
        do {
            let names = source.statisticsNames
            let stored = try source.statistics(names.pooled)
            let storedSpatial = try source.statistics(names.spatial)
            let isEnough = wanted == .statistics && stored != nil && storedSpatial != nil
            let extracted = source.hasImages && !isEnough ? try inception?.features(of: source) : nil
            features = try extracted?.pooled ?? (source.has("features") ? source.matrix("features") : nil)
            hasStoredStatistics = stored != nil
            if let found = try stored ?? features.map({ try FeatureStatistics(of: $0).gaussian() }) {
                statistics = found
            } else {
                throw InputError(Self.whatIsMissing(in: source))
            }
            spatial =
                try storedSpatial ?? extracted?.spatial()
                ?? (source.has("spatial") ? source.statistics(of: "spatial") : nil)
            probabilities = try extracted.map { SoftmaxRows($0.logits) } ?? Self.probabilities(in: source)
        } catch let error as InputError {
            throw error.message.hasPrefix(url.path) ? error : InputError(file: url.path, error.message)
        }
        if let features, features.columns != statistics.dimensions {
            throw InputError(
                file: url.path,
                "has \(features.columns) features an image but statistics of \(statistics.dimensions)")
        }
    }

    private static func probabilities(in source: any ArraySource) throws -> (any FeatureRows)? {
        if source.has("probabilities") { return try source.matrix("probabilities") }
        guard source.has("logits") else { return nil }
        func softmax(_ logits: some FeatureRows) -> any FeatureRows { SoftmaxRows(logits) }
        return softmax(try source.matrix("logits"))
    }

    private static func whatIsMissing(in source: any ArraySource) -> String {
        let (mean, covariance) = source.statisticsNames.pooled
        let expected = "expected 'features' [images, features], or '\(mean)' [d] and '\(covariance)' [d, d]"
        if source.hasImages {
            return "has images but no features of them; scoring images needs Inception weights, --inception "
                + "WEIGHTS.safetensors, or features that were extracted before (\(expected))"
        }
        return "has no features (it has \(source.names)); \(expected)"
    }
}
