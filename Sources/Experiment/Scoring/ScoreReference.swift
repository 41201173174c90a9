import Evaluation
import Files
import Foundation
import RunStore

/// What samples are scored against, in one feature space: images, and where there are any, their reconstructions.
struct ScoreReference {
    static let file = "features.h5"

    /// One set of images.
    struct Side {
        let pooled, spatial: Gaussian
        /// Image by image, [images, features]: what precision and recall compare with; nil: statistics alone are known.
        let features: FeatureMatrix?

        init(_ features: ExtractedFeatures) throws {
            pooled = try FeatureStatistics(of: features.pooled).gaussian()
            spatial = try features.spatial()
            self.features = features.pooled
        }

        init(pooled: Gaussian, spatial: Gaussian, features: FeatureMatrix?) {
            (self.pooled, self.spatial, self.features) = (pooled, spatial, features)
        }

        fileprivate init(_ file: HDF5File, _ group: String) throws {
            func gaussian(_ prefix: String) throws -> Gaussian {
                try Gaussian(
                    mean: file.read("\(group)/\(prefix)mean", as: Double.self).values,
                    covariance: file.read("\(group)/\(prefix)covariance", as: Double.self).values)
            }
            (pooled, spatial) = (try gaussian(""), try gaussian("spatial_"))
            guard try file.exists("\(group)/features") else {
                features = nil
                return
            }
            let stored = try file.read("\(group)/features", as: Float.self, shape: [nil, pooled.dimensions])
            features = FeatureMatrix(rows: stored.shape[0], columns: stored.shape[1], values: stored.values)
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

        fileprivate func writeFeatures(to file: HDF5File, _ group: String) throws {
            guard let features else { return }
            try file.write(
                features.values, to: "\(group)/features", shape: [features.rows, features.columns],
                attributes: ["axes": ["image", "feature"]])
        }
    }

    let images: Side
    let reconstructions: Side?

    init(images: Side, reconstructions: Side?) { (self.images, self.reconstructions) = (images, reconstructions) }

    init(reading url: URL) throws {
        let file = try HDF5File(reading: url)
        images = try Side(file, "real")
        reconstructions = try file.exists("reconstruction") ? Side(file, "reconstruction") : nil
        try file.close()
    }

    /// - Parameter features: the id of the feature network's stage.
    func write(to url: URL, features id: String) throws {
        try HDF5File.write(atomicallyTo: url) { file in
            let sides = [("real", images)] + (reconstructions.map { [("reconstruction", $0)] } ?? [])
            for (group, side) in sides { try side.write(to: file, group) }
            for (group, side) in sides { try side.writeFeatures(to: file, group) }
            if let count = images.features?.rows { try file.setAttribute("count", .int(count)) }
            try file.setAttribute("features", .string(id))
        }
    }
}
