import Files

/// Features shifted to mean 0, and scaled to deviation 1 if wanted, over the rows it was taken from.
public struct Standardisation: Sendable {
    let mean: [Double]
    let scale: [Double]

    init(mean: [Double], scale: [Double]) { (self.mean, self.scale) = (mean, scale) }

    /// Throws `InputError` if an entry is not finite.
    init(of features: some FeatureRows, scaling: Bool) throws {
        let d = features.columns
        let mean = try FeatureStatistics.mean(of: features)
        self.mean = mean
        guard scaling else {
            scale = [Double](repeating: 1, count: d)
            return
        }
        var squares = [Double](repeating: 0, count: d)
        squares.withUnsafeMutableBufferPointer { squares in
            mean.withUnsafeBufferPointer { mean in
                features.forEachBlock(of: 1024) { range, block in
                    for r in 0..<range.count {
                        for j in 0..<d {
                            let step = block[r * d + j] - mean[j]
                            squares[j] += step * step
                        }
                    }
                }
            }
        }
        scale = zip(mean, squares).map { mean, squares in
            let deviation = (squares / Double(features.rows)).squareRoot()
            // A deviation that is only rounding error of the mean belongs to a constant column.
            return deviation > 1e-12 * abs(mean) ? 1 / deviation : 1
        }
    }

    func applied(to features: some FeatureRows) -> FeatureMatrix {
        let d = features.columns
        let values = [Float](unsafeUninitializedCapacity: features.rows * d) { target, count in
            features.forEachBlock(of: 1024) { range, block in
                for r in 0..<range.count {
                    let row = (range.lowerBound + r) * d
                    for j in 0..<d { target[row + j] = Float((block[r * d + j] - mean[j]) * scale[j]) }
                }
            }
            count = features.rows * d
        }
        return FeatureMatrix(rows: features.rows, columns: d, values: values)
    }
}
