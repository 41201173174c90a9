import Evaluation
import Files
import Foundation
import RunStore

/// What samples are scored against: held-out images, and their reconstructions, in the feature space of a classifier.
struct ScoreReference {
    static let file = "features.h5"

    /// Of one set of images.
    struct Statistics {
        let pooled, spatial: Gaussian

        init(_ features: ExtractedFeatures) throws {
            pooled = try FeatureStatistics(of: features.pooled).gaussian()
            spatial = try FeatureStatistics(of: features.spatial).gaussian()
        }

        fileprivate init(_ file: HDF5File, _ group: String) throws {
            func gaussian(_ prefix: String) throws -> Gaussian {
                try Gaussian(
                    mean: file.read("\(group)/\(prefix)mean", as: Double.self).values,
                    covariance: file.read("\(group)/\(prefix)covariance", as: Double.self).values)
            }
            (pooled, spatial) = (try gaussian(""), try gaussian("spatial_"))
        }

        fileprivate func write(to file: HDF5File, _ group: String) throws {
            for (prefix, gaussian) in [("", pooled), ("spatial_", spatial)] {
                let d = gaussian.dimensions
                try file.write(gaussian.mean, to: "\(group)/\(prefix)mean", shape: [d], attributes: ["axes": ["feature"]])
                try file.write(
                    gaussian.covariance, to: "\(group)/\(prefix)covariance", shape: [d, d],
                    attributes: ["axes": ["feature", "feature"]])
            }
        }
    }

    let images, reconstructions: Statistics
    /// Of the held-out images one by one, [images, features]: what precision and recall compare with.
    let features: FeatureMatrix
    /// Of their reconstructions, in the same order.
    let reconstructed: FeatureMatrix
    var count: Int { features.rows }

    init(images: ExtractedFeatures, reconstructions: ExtractedFeatures) throws {
        (self.images, self.reconstructions) = (try Statistics(images), try Statistics(reconstructions))
        (features, reconstructed) = (images.pooled, reconstructions.pooled)
    }

    init(reading url: URL) throws {
        let file = try HDF5File(reading: url)
        let images = try Statistics(file, "real")
        self.images = images
        reconstructions = try Statistics(file, "reconstruction")
        func matrix(_ group: String) throws -> FeatureMatrix {
            let stored = try file.read("\(group)/features", as: Float.self, shape: [nil, images.pooled.dimensions])
            return FeatureMatrix(rows: stored.shape[0], columns: stored.shape[1], values: stored.values)
        }
        (features, reconstructed) = (try matrix("real"), try matrix("reconstruction"))
        try file.close()
    }

    /// - Parameter features: the id of the feature network's stage.
    func write(to url: URL, features id: String) throws {
        try HDF5File.write(atomicallyTo: url) { file in
            try images.write(to: file, "real")
            try reconstructions.write(to: file, "reconstruction")
            for (group, matrix) in [("real", features), ("reconstruction", reconstructed)] {
                try file.write(
                    matrix.values, to: "\(group)/features", shape: [matrix.rows, matrix.columns],
                    attributes: ["axes": ["image", "feature"]])
            }
            try file.setAttribute("count", .int(count))
            try file.setAttribute("features", .string(id))
        }
    }
}
