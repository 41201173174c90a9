import Files

/// How much alike the members of a group are, against members of different groups.
public struct GroupSimilarity: Sendable, Equatable {
    /// Mean cosine over the pairs within each group.
    public let perGroup: [Double]
    /// Mean cosine over all pairs of members of different groups.
    public let across: Double

    /// Mean over groups.
    public var within: Double { perGroup.reduce(0, +) / Double(perGroup.count) }

    /// 95 % bootstrap interval of `within` over groups.
    public func interval(seed: UInt64) -> Interval? { bootstrapInterval(of: perGroup, seed: seed) }

    /// Cosines of feature rows after the mean over all rows has been taken from them: what all images share says nothing.
    ///
    /// - Parameters:
    ///   - features: group by group, `groupSize` rows each; at least two groups of at least two.
    public init(centred features: FeatureMatrix, groupSize: Int) {
        let mean = Self.columnMeans(features)
        self.init(features, groupSize: groupSize) { row, column in
            Double(features.values[row * features.columns + column]) - mean[column]
        }
    }

    /// Pearson correlations of rows, such as the pixels of thumbnails.
    public init(correlating rows: FeatureMatrix, groupSize: Int) {
        let means = (0..<rows.rows).map { row in
            rows.values[row * rows.columns..<(row + 1) * rows.columns].reduce(0) { $0 + Double($1) } / Double(rows.columns)
        }
        self.init(rows, groupSize: groupSize) { row, column in
            Double(rows.values[row * rows.columns + column]) - means[row]
        }
    }

    private init(_ features: FeatureMatrix, groupSize: Int, value: (Int, Int) -> Double) {
        let (count, columns) = (features.rows, features.columns)
        precondition(
            groupSize > 1 && count % groupSize == 0 && count > groupSize,
            "\(count) rows are not at least two groups of \(groupSize)")
        var total = [Double](repeating: 0, count: columns)
        var (groups, squares) = ([Double](), 0.0)
        for start in stride(from: 0, to: count, by: groupSize) {
            var sum = [Double](repeating: 0, count: columns)
            // Rows without any deviation have no direction; they are alike to nothing.
            var directed = 0.0
            for row in start..<start + groupSize {
                let values = (0..<columns).map { value(row, $0) }
                let norm = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
                guard norm > 1e-12 else { continue }
                directed += 1
                for c in 0..<columns { sum[c] += values[c] / norm }
            }
            let square = sum.reduce(0) { $0 + $1 * $1 }
            squares += square
            groups.append((square - directed) / Double(groupSize * (groupSize - 1)))
            for c in 0..<columns { total[c] += sum[c] }
        }
        perGroup = groups
        across = (total.reduce(0) { $0 + $1 * $1 } - squares) / Double(count * count - count * groupSize)
    }

    /// Share of the features' variance that is within groups: 1 where the group tells nothing, 0 where it tells all.
    /// The estimate is unbiased for groups of any size (one-way analysis of variance).
    public static func varianceWithin(_ features: FeatureMatrix, groupSize: Int) -> Double {
        let (count, columns) = (features.rows, features.columns)
        precondition(
            groupSize > 1 && count % groupSize == 0 && count > groupSize,
            "\(count) rows are not at least two groups of \(groupSize)")
        let mean = columnMeans(features)
        var (within, between) = (0.0, 0.0)
        for start in stride(from: 0, to: count, by: groupSize) {
            for c in 0..<columns {
                let values = (start..<start + groupSize).map { Double(features.values[$0 * columns + c]) }
                let own = values.reduce(0, +) / Double(groupSize)
                within += values.reduce(0) { $0 + ($1 - own) * ($1 - own) }
                between += Double(groupSize) * (own - mean[c]) * (own - mean[c])
            }
        }
        let groups = count / groupSize
        let residual = within / Double(count - groups)
        let explained = max(0, (between / Double(groups - 1) - residual) / Double(groupSize))
        return residual + explained > 0 ? residual / (residual + explained) : 1
    }

    private static func columnMeans(_ features: FeatureMatrix) -> [Double] {
        var sums = [Double](repeating: 0, count: features.columns)
        for row in 0..<features.rows {
            for c in 0..<features.columns { sums[c] += Double(features.values[row * features.columns + c]) }
        }
        return sums.map { $0 / Double(features.rows) }
    }
}
