import Files

/// Mean and covariance of a feature distribution: all that the Fréchet distance reads.
public struct Gaussian: Sendable, Equatable {
    /// [dimensions]
    public let mean: [Double]
    /// [dimensions, dimensions], symmetric.
    public let covariance: [Double]

    public var dimensions: Int { mean.count }

    /// - Parameter covariance: symmetric; what products in float32 have rounded differently on both sides is averaged.
    /// - Throws: `InputError` if the covariance is not a finite symmetric matrix as wide as the mean.
    public init(mean: [Double], covariance: [Double]) throws {
        let d = mean.count
        guard d > 0, covariance.count == d * d else {
            throw InputError("a mean of \(d) values needs a covariance of \(d)×\(d) values, found \(covariance.count)")
        }
        if let bad = mean.firstIndex(where: { !$0.isFinite }) {
            throw InputError("mean[\(bad)] is \(mean[bad]); expected a finite number")
        }
        try covariance.withUnsafeBufferPointer { covariance in
            var largest = 0.0
            for i in 0..<d * d {
                guard covariance[i].isFinite else {
                    throw InputError("covariance[\(i / d), \(i % d)] is \(covariance[i]); expected a finite number")
                }
                largest = max(largest, abs(covariance[i]))
            }
            for i in 0..<d {
                for j in 0..<i where abs(covariance[i * d + j] - covariance[j * d + i]) > 1e-4 * largest {
                    throw InputError(
                        "covariance[\(i), \(j)] is \(covariance[i * d + j]) but covariance[\(j), \(i)] is "
                            + "\(covariance[j * d + i]); expected a symmetric matrix")
                }
            }
        }
        self.mean = mean
        var symmetric = covariance
        for i in 0..<d {
            for j in 0..<i where covariance[i * d + j] != covariance[j * d + i] {
                let middle = (covariance[i * d + j] + covariance[j * d + i]) / 2
                (symmetric[i * d + j], symmetric[j * d + i]) = (middle, middle)
            }
        }
        self.covariance = symmetric
    }
}

/// Mean and covariance gathered in float64 from features that come in blocks, so that the whole feature matrix is
/// never held. Blocks are centred on their own mean and combined by the pairwise update of Chan, Golub and LeVeque,
/// which loses no digits when the mean is large against the spread.
public struct FeatureStatistics: Sendable {
    public let columns: Int
    public private(set) var count = 0
    /// [columns]
    public private(set) var mean: [Double]
    /// Sum of (x − mean)(x − mean)ᵀ, [columns, columns]; only the upper triangle is kept.
    private var scatter: [Double]

    /// Rows converted to float64 at a time.
    public static let blockRows = 1024

    public init(columns: Int) {
        precondition(columns > 0, "statistics of \(columns) columns")
        self.columns = columns
        mean = [Double](repeating: 0, count: columns)
        scatter = [Double](repeating: 0, count: columns * columns)
    }

    /// The statistics of all rows of `features`. Throws `InputError` if an entry is not finite.
    public init(of features: some FeatureRows) throws {
        self.init(columns: features.columns)
        try add(features)
    }

    /// Adds every row. Throws `InputError`, before changing anything, if an entry of a block is not finite.
    public mutating func add(_ features: some FeatureRows) throws {
        precondition(features.columns == columns, "\(features.columns) feature columns added to statistics of \(columns)")
        try features.forEachBlock(of: Self.blockRows, spare: 1) { range, block in
            try requireFinite(block, rows: range, columns: columns)
            absorb(block, rows: range.count)
        }
    }

    private mutating func absorb(_ block: UnsafeMutableBufferPointer<Double>, rows: Int) {
        let d = columns
        var blockMean = [Double](repeating: 0, count: d)
        blockMean.withUnsafeMutableBufferPointer { blockMean in
            for r in 0..<rows {
                for j in 0..<d { blockMean[j] += block[r * d + j] }
            }
            for j in 0..<d { blockMean[j] /= Double(rows) }
            for r in 0..<rows {
                for j in 0..<d { block[r * d + j] -= blockMean[j] }
            }
        }
        // The distance between old and new mean enters as one more row, so that one product does both.
        let total = Double(count + rows)
        let share = (Double(count) * Double(rows) / total).squareRoot()
        for j in 0..<d {
            let step = blockMean[j] - mean[j]
            block[rows * d + j] = step * share
            mean[j] += step * Double(rows) / total
        }
        addOuterProducts(of: block.baseAddress!, rows: rows + 1)
        count += rows
    }

    /// Joins the statistics of two disjoint sets of rows.
    public mutating func merge(_ other: FeatureStatistics) {
        precondition(other.columns == columns, "statistics of \(other.columns) columns merged into \(columns)")
        guard other.count > 0 else { return }
        let total = Double(count + other.count)
        let share = (Double(count) * Double(other.count) / total).squareRoot()
        var step = [Double](repeating: 0, count: columns)
        for j in 0..<columns {
            let difference = other.mean[j] - mean[j]
            step[j] = difference * share
            mean[j] += difference * Double(other.count) / total
        }
        for i in scatter.indices { scatter[i] += other.scatter[i] }
        step.withUnsafeBufferPointer { addOuterProducts(of: $0.baseAddress!, rows: 1) }
        count += other.count
    }

    private mutating func addOuterProducts(of rows: UnsafePointer<Double>, rows count: Int) {
        scatter.withUnsafeMutableBufferPointer {
            Evaluation.addOuterProducts(of: rows, count: count, columns: columns, to: $0.baseAddress!)
        }
    }

    /// Mean and covariance with divisor count − 1. Throws `InputError` if fewer than two rows were added.
    public func gaussian() throws -> Gaussian {
        guard count >= 2 else { throw InputError("a covariance needs at least 2 rows of features, found \(count)") }
        let d = columns
        var covariance = scatter
        covariance.withUnsafeMutableBufferPointer { covariance in
            for i in 0..<d {
                for j in i..<d {
                    let value = covariance[i * d + j] / Double(count - 1)
                    covariance[i * d + j] = value
                    covariance[j * d + i] = value
                }
            }
        }
        return try Gaussian(mean: mean, covariance: covariance)
    }
}

extension FeatureStatistics {
    /// Column means alone, without the cost of a covariance. Throws `InputError` if an entry is not finite.
    static func mean(of features: some FeatureRows) throws -> [Double] {
        let d = features.columns
        var sums = [Double](repeating: 0, count: d)
        try features.forEachBlock(of: 1024) { range, block in
            try requireFinite(block, rows: range, columns: d)
            sums.withUnsafeMutableBufferPointer { sums in
                for r in 0..<range.count {
                    for j in 0..<d { sums[j] += block[r * d + j] }
                }
            }
        }
        return sums.map { $0 / Double(features.rows) }
    }
}
