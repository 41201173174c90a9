import Files

/// The Fréchet distance that infinitely many samples would have (Chong and Forsyth 2020): its expectation for n samples is
/// linear in 1/n up to higher orders, so distances of disjoint parts of the samples are extrapolated to 1/n = 0.
public struct ExtrapolatedDistance: Sendable, Equatable {
    public let value: Double
    /// How much a distance grows with 1/n.
    public let slope: Double
    /// Samples in a part, and the mean distance of the parts of that size.
    public let points: [(count: Double, distance: Double)]

    /// The samples are taken whole, in halves, thirds, … up to this many parts.
    public static let mostParts = 5

    /// - Parameters:
    ///   - samples: [n, dimensions]; parts of at least twice as many samples as dimensions are used, below which the law does
    ///     not hold.
    ///   - reference: stays what it is: what its own finite number adds to the distance is in the value.
    ///   - strata: of each sample, the stratum that it was drawn from, such as its class; nil: all were drawn alike.
    /// - Throws: `InputError` if there are too few samples for halves, or a distance cannot be measured.
    public init(_ samples: some FeatureRows, to reference: Gaussian, strata: [Int]? = nil) throws {
        let (n, least) = (samples.rows, 2 * samples.columns)
        let most = min(Self.mostParts, n / least)
        guard most >= 2 else {
            throw InputError(
                "\(n) samples are too few to extrapolate their distance; features of \(samples.columns) dimensions need \(2 * least)")
        }
        points = try (1...most).map { parts in
            let distances = try balancedParts(parts, of: n, strata: strata).map { rows in
                try frechetDistance(FeatureStatistics(of: SelectedRows(rows, of: samples)).gaussian(), reference)
            }
            return (Double(n) / Double(parts), distances.reduce(0, +) / Double(parts))
        }
        // Least squares of the distance on 1/n.
        let (x, y) = (points.map { 1 / $0.count }, points.map(\.distance))
        let (meanX, meanY) = (x.reduce(0, +) / Double(most), y.reduce(0, +) / Double(most))
        let across = zip(x, y).reduce(0) { $0 + ($1.0 - meanX) * ($1.1 - meanY) }
        slope = across / x.reduce(0) { $0 + ($1 - meanX) * ($1 - meanX) }
        value = meanY - slope * meanX
    }

    public static func == (left: Self, right: Self) -> Bool {
        left.value == right.value && left.slope == right.slope && left.points.elementsEqual(right.points) { $0 == $1 }
    }
}
