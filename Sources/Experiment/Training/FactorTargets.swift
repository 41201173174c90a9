import Foundation
import ImageData
import TensorCore

/// What a network learns of recorded factors: each with mean 0 and standard deviation 1 over the training images, angles as sine
/// and cosine, so that 359° is next to 0°.
struct FactorTargets {
    /// Columns of a target.
    let count: Int
    /// [images, count]
    private let values: [Float]

    /// - Parameter scale: the images whose mean and spread are taken; nil: those of `set`.
    init(_ set: ImageSet, scaledLike scale: ImageSet? = nil) {
        let columns = Self.columns(set)
        let moments = Self.columns(scale ?? set).map { column in
            let mean = column.reduce(0, +) / Double(column.count)
            let variance = column.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(column.count)
            return (mean: mean, deviation: max(variance.squareRoot(), 1e-9))
        }
        count = columns.count
        values = (0..<set.count).flatMap { row in
            zip(columns, moments).map { Float(($0[row] - $1.mean) / $1.deviation) }
        }
    }

    /// Of the images at `indices`, [indices.count, count].
    func targets(of indices: [Int]) -> Tensor {
        Tensor(indices.flatMap { values[$0 * count..<($0 + 1) * count] }, shape: [indices.count, count])
    }

    /// Mean over the columns of R², the share of the variance that `predicted` explains, [images, count].
    func explained(by predicted: [Float]) -> Double {
        let rows = values.count / count
        let shares = (0..<count).map { column in
            let own = (0..<rows).map { Double(values[$0 * count + column]) }
            let mean = own.reduce(0, +) / Double(rows)
            let left = (0..<rows).reduce(0.0) { $0 + pow(own[$1] - Double(predicted[$1 * count + column]), 2) }
            return 1 - left / own.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        }
        return shares.reduce(0, +) / Double(count)
    }

    private static func columns(_ set: ImageSet) -> [[Double]] {
        set.factors.flatMap { factor -> [[Double]] in
            let values = factor.values.map(Double.init)
            guard factor.unit == "degree" else { return [values] }
            return [values.map { sin($0 * .pi / 180) }, values.map { cos($0 * .pi / 180) }]
        }
    }
}
