import Evaluation
import Files
import Foundation

/// What scores read of images: features, outputs and predictions of a network.
struct ExtractedFeatures {
    private(set) var count = 0
    private var pooledValues: [Float] = []
    private var logitValues: [Float] = []
    private let widths: (pooled: Int, spatial: Int, logits: Int)
    /// Of features that keep places, which are not kept one by one; an error where some were not finite.
    private var spatialStatistics: Result<FeatureStatistics, InputError>
    /// Their rows that wait until there are as many as statistics take at once.
    private var spatialRows: [Float] = []

    init(_ widths: (pooled: Int, spatial: Int, logits: Int)) {
        self.widths = widths
        spatialStatistics = .success(FeatureStatistics(columns: widths.spatial))
    }

    mutating func append(_ batch: FeatureBatch) {
        count += batch.count
        pooledValues += batch.pooled
        logitValues += batch.logits
        spatialRows += batch.spatial
        // In blocks of one size, so that sums do not depend on how the images came.
        let size = FeatureStatistics.blockRows * widths.spatial
        while spatialRows.count >= size {
            spatialStatistics = Self.adding(Array(spatialRows[..<size]), widths.spatial, to: spatialStatistics)
            spatialRows.removeFirst(size)
        }
    }

    private static func adding(
        _ values: [Float], _ width: Int, to statistics: Result<FeatureStatistics, InputError>
    ) -> Result<FeatureStatistics, InputError> {
        statistics.flatMap { statistics in
            Result { () throws(InputError) in
                var statistics = statistics
                do { try statistics.add(FeatureMatrix(rows: values.count / width, columns: width, values: values)) } catch {
                    throw error as? InputError ?? InputError("\(error)")
                }
                return statistics
            }
        }
    }

    /// The layer that distances, precision and recall compare, [images, features].
    var pooled: FeatureMatrix { FeatureMatrix(rows: count, columns: widths.pooled, values: pooledValues) }

    /// What its head says, [images, outputs].
    var logits: FeatureMatrix { FeatureMatrix(rows: count, columns: widths.logits, values: logitValues) }

    /// Mean and covariance of the features that keep places.
    func spatial() throws -> Gaussian {
        try (spatialRows.isEmpty ? spatialStatistics : Self.adding(spatialRows, widths.spatial, to: spatialStatistics)).get().gaussian()
    }

    /// Softmax of the outputs, [images, outputs].
    var probabilities: FeatureMatrix {
        var probabilities: [Float] = []
        probabilities.reserveCapacity(logitValues.count)
        for row in 0..<count { probabilities += Self.softmax(logitValues[row * widths.logits..<(row + 1) * widths.logits]) }
        return FeatureMatrix(rows: count, columns: widths.logits, values: probabilities)
    }

    /// The largest output of each image, the first of equal ones.
    var predictions: [Int32] {
        (0..<count).map { row in
            let outputs = logitValues[row * widths.logits..<(row + 1) * widths.logits]
            return Int32(
                (outputs.indices.max { outputs[$0] < outputs[$1] || outputs[$0] == outputs[$1] && $0 > $1 } ?? 0) - outputs.startIndex)
        }
    }

    private static func softmax(_ logits: ArraySlice<Float>) -> [Float] {
        let top = logits.max() ?? 0
        let powers = logits.map { exp(Double($0 - top)) }
        let sum = powers.reduce(0, +)
        return powers.map { Float($0 / sum) }
    }
}
