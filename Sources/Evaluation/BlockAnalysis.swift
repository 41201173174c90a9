/// Do arms differ at all? Every arm measured under every seed, seeds being blocks: the two-way analysis of variance without
/// replication, and Friedman's test, which reads ranks only.
public struct BlockAnalysis: Sendable, Codable, Equatable {
    public let arms: Int
    public let seeds: Int
    /// Mean square of arms over that of what arm and seed together leave unexplained, with arms − 1 and
    /// (arms − 1)(seeds − 1) degrees of freedom.
    public let f: Double
    public let pValue: Double
    /// Share of the variance within seeds that arms explain, η² without the blocks.
    public let explained: Double
    /// Friedman's χ² with mid-ranks for ties; nil where every seed ties all arms.
    public let friedman: Double?
    /// Of Iman and Davenport's F of it, which is nearer the truth for few seeds than χ².
    public let friedmanP: Double?

    /// - Parameter values: [seeds][arms], finite. Nil for fewer than two of either, or where nothing varies within the seeds.
    public init?(_ values: [[Double]]) {
        guard values.count >= 2, let k = values.first?.count, k >= 2 else { return nil }
        precondition(values.allSatisfy { $0.count == k && $0.allSatisfy(\.isFinite) }, "every arm under every seed, finite")
        (arms, seeds) = (k, values.count)
        let (n, m) = (Double(seeds), Double(k))
        func mean(_ row: [Double]) -> Double { row.reduce(0, +) / Double(row.count) }
        // Without the seeds' means, what is left is arms and noise.
        let centred = values.map { row in row.map { $0 - mean(row) } }
        let armMeans = (0..<k).map { arm in mean(centred.map { $0[arm] }) }
        let between = n * armMeans.reduce(0) { $0 + $1 * $1 }
        let total = centred.reduce(0) { $0 + $1.reduce(0) { $0 + $1 * $1 } }
        guard total > 0 else { return nil }
        let within = centred.reduce(0) { sum, row in
            sum + zip(row, armMeans).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        }
        let freedom = (m - 1) * (n - 1)
        f = within > 1e-14 * total ? (between / (m - 1)) / (within / freedom) : .infinity
        pValue = fisherTail(f, m - 1, freedom)
        explained = between / total

        let ranks = values.map(midRanks)
        let sums = (0..<k).map { arm in ranks.reduce(0) { $0 + $1[arm] } }
        let spread = ranks.reduce(0) { $0 + $1.reduce(0) { $0 + ($1 - (m + 1) / 2) * ($1 - (m + 1) / 2) } }
        guard spread > 0 else {
            (friedman, friedmanP) = (nil, nil)
            return
        }
        let deviation = sums.reduce(0) { $0 + ($1 - n * (m + 1) / 2) * ($1 - n * (m + 1) / 2) }
        let chi = (m - 1) * deviation / spread
        friedman = chi
        let left = n * (m - 1) - chi
        friedmanP = left > 1e-12 * chi ? fisherTail((n - 1) * chi / left, m - 1, freedom) : 0
    }
}

/// Ranks from 1 on, equal values sharing the mean of theirs.
private func midRanks(_ values: [Double]) -> [Double] {
    values.map { value in
        let (less, equal) = (values.count { $0 < value }, values.count { $0 == value })
        return Double(less) + Double(equal + 1) / 2
    }
}
