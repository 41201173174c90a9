import Files
import Foundation

/// Inception score: exp of the mean divergence between each image's class probabilities and their average.
public struct InceptionScore: Sendable, Equatable {
    /// The score of each split, in file order.
    public let splits: [Double]
    /// Mean over the splits.
    public var mean: Double { splits.reduce(0, +) / Double(splits.count) }
    /// Standard deviation of the splits' scores (over their number, as it is published behind ±); nil of a single one.
    ///
    /// The mean of n of them varies by this / √(n − 1).
    public var deviation: Double? {
        guard splits.count > 1 else { return nil }
        let mean = mean
        return (splits.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(splits.count)).squareRoot()
    }

    /// - Parameters:
    ///   - probabilities: softmax outputs, [images, classes].
    ///   - splits: consecutive parts of equal size that are scored alone. The order of the images matters: sorted by
    ///     class, each part holds few classes and scores low.
    /// - Throws: `InputError` if a row is not a distribution or there are fewer images than splits.
    public init(probabilities: some FeatureRows, splits: Int = 10) throws {
        let (images, classes) = (probabilities.rows, probabilities.columns)
        guard splits >= 1, images >= splits, classes >= 1 else {
            throw InputError("\(images) images of \(classes) classes cannot be scored in \(splits) splits")
        }
        var scores: [Double] = []
        for split in 0..<splits {
            let range = split * images / splits..<(split + 1) * images / splits
            var average = [Double](repeating: 0, count: classes)
            // Σ p log(p / p̄) = Σ p log p − Σ p log p̄, so that one pass is enough.
            var negativeEntropy = 0.0
            var row = [Double](repeating: 0, count: classes)
            for image in range {
                probabilities.copy(rows: image..<image + 1, into: &row)
                var sum = 0.0
                for (c, p) in row.enumerated() {
                    guard p >= 0, p.isFinite else {
                        throw InputError("probability of class \(c) of image \(image) is \(p); expected a number in [0, 1]")
                    }
                    sum += p
                    average[c] += p
                    if p > 0 { negativeEntropy += p * log(p) }
                }
                guard abs(sum - 1) < 1e-3 else {
                    throw InputError("the probabilities of image \(image) add up to \(sum); expected 1 (softmax outputs)")
                }
            }
            let n = Double(range.count)
            let crossEntropy = average.reduce(0) { $1 > 0 ? $0 - $1 / n * log($1 / n) : $0 }
            scores.append(exp(negativeEntropy / n + crossEntropy))
        }
        self.splits = scores
    }
}
