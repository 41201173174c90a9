import Archives
import Evaluation
import Files
import Foundation
import RunStore

/// Features of images that someone has extracted, or their statistics, from a file.
///
/// `.npz`: `features` [n, d], or `mu` [d] and `sigma` [d, d]. `.h5`: `features`, or `mean` and `covariance`. A file that
/// has both gives its stored statistics to the Fréchet distance (METHOD section 6: rather than recomputed ones) and its
/// features to precision and recall.
public struct FeatureFile: Sendable {
    public let path: String
    /// SHA-256 of the file.
    public let digest: String
    public let statistics: Gaussian
    /// Nil where the file has statistics only.
    public let features: DoubleFeatureMatrix?
    /// Whether the statistics were in the file, rather than computed from its features.
    public let hasStoredStatistics: Bool

    /// - Throws: `InputError` naming the file and the array that is missing or not what it should be.
    public init(reading url: URL) throws {
        path = url.path
        let source: any ArraySource
        switch url.pathExtension.lowercased() {
        case "npz": source = NpzSource(file: try Npz(reading: url), path: url.path)
        case "h5", "hdf5": source = try HDF5Source(file: HDF5File(reading: url))
        default: throw InputError(file: url.path, "expected a file whose name ends in .npz or .h5")
        }
        do { digest = sha256(try Data(contentsOf: url, options: .alwaysMapped)) } catch {
            throw InputError(file: url.path, "cannot be read: \(error.localizedDescription)")
        }
        func mistake(_ what: String) -> InputError { InputError(file: url.path, what) }

        let (meanName, covarianceName) = source.statisticsNames
        let present = [meanName, covarianceName].filter(source.has)
        if source.has("features") {
            let (shape, values) = try source.doubles("features")
            guard shape.count == 2, shape[0] > 0, shape[1] > 0 else {
                throw mistake("'features' has shape \(shape); expected [images, features]")
            }
            features = DoubleFeatureMatrix(rows: shape[0], columns: shape[1], values: values)
        } else {
            features = nil
        }
        hasStoredStatistics = present.count == 2
        if present.count == 1 {
            throw mistake("has '\(present[0])' but not both of '\(meanName)' and '\(covarianceName)'")
        }
        do {
            if hasStoredStatistics {
                let (mean, covariance) = (try source.doubles(meanName), try source.doubles(covarianceName))
                guard mean.shape.count == 1, covariance.shape == [mean.shape[0], mean.shape[0]] else {
                    throw InputError(
                        "'\(meanName)' has shape \(mean.shape) and '\(covarianceName)' \(covariance.shape); expected [d] "
                            + "and [d, d]")
                }
                statistics = try Gaussian(mean: mean.values, covariance: covariance.values)
            } else if let features {
                statistics = try FeatureStatistics(of: features).gaussian()
            } else {
                throw InputError(Self.whatIsMissing(in: source))
            }
        } catch let error as InputError {
            throw error.message.hasPrefix(url.path) ? error : mistake(error.message)
        }
        if let features, features.columns != statistics.dimensions {
            throw mistake("has \(features.columns) features an image but statistics of \(statistics.dimensions)")
        }
    }

    private static func whatIsMissing(in source: any ArraySource) -> String {
        let (mean, covariance) = source.statisticsNames
        let expected = "expected 'features' [images, features], or '\(mean)' [d] and '\(covariance)' [d, d]"
        if source.has("arr_0") || source.has("images") {
            return "has images but no features of them; scoring images needs Inception weights, which are not supported "
                + "yet: extract features first (\(expected))"
        }
        return "has no features (it has \(source.names)); \(expected)"
    }
}

/// Named arrays of floating-point numbers.
private protocol ArraySource {
    var names: [String] { get }
    /// What mean and covariance are called.
    var statisticsNames: (mean: String, covariance: String) { get }
    func doubles(_ name: String) throws -> (shape: [Int], values: [Double])
}

extension ArraySource {
    func has(_ name: String) -> Bool { names.contains(name) }
}

private struct NpzSource: ArraySource {
    let file: Npz
    let path: String
    var names: [String] { file.names }
    var statisticsNames: (mean: String, covariance: String) { ("mu", "sigma") }

    func doubles(_ name: String) throws -> (shape: [Int], values: [Double]) {
        let array = try file.array(name)
        guard let values = array.doubles else {
            throw InputError(file: path, "member '\(name)' holds \(array.typeName); expected float32 or float64")
        }
        return (array.shape, values)
    }
}

private struct HDF5Source: ArraySource {
    let file: HDF5File
    let names: [String]
    var statisticsNames: (mean: String, covariance: String) { ("mean", "covariance") }

    init(file: HDF5File) throws {
        self.file = file
        names = try file.datasets()
    }

    func doubles(_ name: String) throws -> (shape: [Int], values: [Double]) {
        let array = try file.read(name, as: Double.self)
        return (array.shape, array.values)
    }
}
