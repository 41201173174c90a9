import Evaluation
import Files
import Foundation
import RunStore
import Settings

/// A linear probe of features that someone has extracted: an HDF5 file with `train_features`, `train_labels`,
/// `test_features` and `test_labels`.
///
/// Features are numbers of any type, [rows, …]; labels are whole numbers that name classes, whatever their size: they are
/// numbered in their order.
public struct ProbeFile {
    public struct Result {
        public let report: ClassificationReport
        /// The penalty that was chosen, and whether its fit is the minimum; nil for heads that are stopped instead.
        public let penalty: Double?
        public let converged: Bool?
        /// What the accuracies should not be read without.
        public let warnings: [String]
    }

    private struct Half {
        let features: any RegressionRows
        let labels: [Int64]
    }

    private let path: String
    private let train, test: Half
    /// Names of the classes, ascending.
    private let names: [Int64]
    public var classes: Int { names.count }
    public var trainCount: Int { train.labels.count }
    public var testCount: Int { test.labels.count }

    /// Weights that a classifier may have: those of 1000 classes and 65 536 features. A fit holds about thirty times as much.
    private static let mostWeights = 1 << 26

    /// - Throws: `InputError` naming file, data set and row where something is missing or not what it should be.
    public init(reading url: URL) throws {
        path = url.path
        let file = try HDF5File(reading: url)
        (train, test) = (try Self.half("train", file, path), try Self.half("test", file, path))
        names = Set(train.labels + test.labels).sorted()
        guard train.features.columns == test.features.columns else {
            throw InputError(
                file: path,
                "train_features has \(train.features.columns) columns and test_features \(test.features.columns)")
        }
        guard classes * train.features.columns <= Self.mostWeights else {
            throw InputError(
                file: path,
                "\(classes) different labels and \(train.features.columns) features need "
                    + "\(classes * train.features.columns) weights, at most \(Self.mostWeights) can be fitted: are the labels classes?")
        }
    }

    public func probe(_ classifier: ProbeClassifier) throws -> Result {
        let numbers = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
        func numbered(_ labels: [Int64]) -> [Int] { labels.compactMap { numbers[$0] } }
        let labels = numbered(train.labels)
        func fit(_ features: some RegressionRows) throws -> (scores: FeatureMatrix, model: LogisticRegression?) {
            switch classifier {
            case .logistic:
                let model = try LinearProbe(fitting: features, labels: labels, classes: classes).model
                func scores(_ test: some RegressionRows) -> FeatureMatrix { model.scores(test) }
                return (scores(test.features), model)
            case .mae:
                let head = try MAEHead(fitting: features, labels: labels, classes: classes)
                func scores(_ test: some FeatureRows) -> FeatureMatrix { head.scores(test) }
                return (scores(test.features), nil)
            }
        }
        let (scores, model) = try fit(train.features)
        return Result(
            report: try ClassificationReport(scores: scores, labels: numbered(test.labels)),
            penalty: model?.options.penalty, converged: model?.converged, warnings: warnings(model))
    }

    private func warnings(_ model: LogisticRegression?) -> [String] {
        var warnings: [String] = []
        let known = Set(train.labels)
        if known.count == 1 { warnings.append("all training rows are of one class: there is nothing to tell apart") }
        let unknown = Set(test.labels).subtracting(known)
        if !unknown.isEmpty {
            let rows = test.labels.count { unknown.contains($0) }
            warnings.append(
                "\(rows) test rows are of classes without training rows (\(unknown.sorted().prefix(3).map(String.init).joined(separator: ", "))"
                    + "\(unknown.count > 3 ? ", …" : "")) and count as wrong")
        }
        if model?.converged == false {
            warnings.append("the fit did not converge within \(model?.iterations ?? 0) iterations")
        }
        return warnings
    }

    private static func half(_ name: String, _ file: HDF5File, _ path: String) throws -> Half {
        let shape = try file.shape(of: "\(name)_features")
        guard shape.count >= 2, shape.allSatisfy({ $0 > 0 }) else {
            throw InputError(file: path, "\(name)_features has shape \(shape), expected [rows, columns]")
        }
        let (rows, columns) = (shape[0], shape.dropFirst().reduce(1, *))
        let features: any RegressionRows
        if let single = try? file.read("\(name)_features", as: Float.self) {
            features = FeatureMatrix(rows: rows, columns: columns, values: single.values)
        } else {
            features = DoubleFeatureMatrix(rows: rows, columns: columns, values: try file.numbers("\(name)_features").values)
        }
        let labels = try labels(name, file, path)
        guard labels.count == rows else {
            throw InputError(file: path, "\(name)_features has \(rows) rows, \(name)_labels \(labels.count)")
        }
        do { try features.requireFinite(called: "\(name)_features") } catch let error as InputError {
            throw InputError(file: path, error.message)
        }
        return Half(features: features, labels: labels)
    }

    /// Integers, or whole numbers that are stored as floats.
    private static func labels(_ half: String, _ file: HDF5File, _ path: String) throws -> [Int64] {
        let name = "\(half)_labels"
        let shape = try file.shape(of: name)
        guard shape.filter({ $0 != 1 }).count <= 1 else {
            throw InputError(file: path, "\(name) has shape \(shape), expected [rows]: a class for each row")
        }
        if let floats = try? file.read(name, as: Double.self).values {
            return try floats.enumerated().map { row, value in
                guard let label = Int64(exactly: value) else {
                    throw InputError(file: path, "\(name)[\(row)] is \(value); expected a whole number that names a class")
                }
                return label
            }
        }
        return try file.read(name, as: Int64.self).values
    }
}
