import Foundation

/// What is looked at when tokens of an image were changed: the class that a classifier names, the layout, the colours.
public struct ImageFacts: Sendable {
    public let predictions: [Int32]
    /// Coarse pictures, [images, cells].
    public let thumbnails: FeatureMatrix
    /// Means of each channel, [images, channels].
    public let colours: FeatureMatrix

    public init(predictions: [Int32], thumbnails: FeatureMatrix, colours: FeatureMatrix) {
        precondition(predictions.count == thumbnails.rows && thumbnails.rows == colours.rows, "facts of as many images")
        (self.predictions, self.thumbnails, self.colours) = (predictions, thumbnails, colours)
    }

    public var count: Int { predictions.count }

    /// The facts of images `rows`, in that order.
    public func selecting(_ rows: [Int]) -> ImageFacts {
        ImageFacts(
            predictions: rows.map { predictions[$0] }, thumbnails: thumbnails.selecting(rows), colours: colours.selecting(rows))
    }
}

/// How far one image is from another in class, layout and colour.
public struct InterventionEffects: Sendable, Equatable {
    public let `class`, layout, colour: Double

    public init(class: Double, layout: Double, colour: Double) { (self.class, self.layout, self.colour) = (`class`, layout, colour) }

    /// How much changed between two sets of images, image by image: the share whose class is another; 1 − the correlation of
    /// thumbnails; the distance of colours as a share of that between `from` and `to`, unrelated images.
    public static func change(_ before: ImageFacts, _ after: ImageFacts, unrelated: (from: ImageFacts, to: ImageFacts)) -> Self {
        InterventionEffects(
            class: mean(zip(before.predictions, after.predictions).map { $0 == $1 ? 0 : 1 }),
            layout: 1 - mean(correlations(before.thumbnails, after.thumbnails)),
            colour: mean(distances(before.colours, after.colours))
                / mean(distances(unrelated.from.colours, unrelated.to.colours)))
    }

    /// How far images went towards targets when what they are drawn from was replaced by the targets': the share that is named
    /// like the target afterwards, less that before; the gain in correlation with the target's thumbnail; the part of the way
    /// in colours from the images' own sources to the targets.
    ///
    /// - Parameters:
    ///   - labels: the targets' classes.
    ///   - sources: what `before` was drawn from.
    public static func completeness(
        _ before: ImageFacts, _ after: ImageFacts, sources: ImageFacts, targets: ImageFacts, labels: [Int32]
    ) -> Self {
        func named(_ facts: ImageFacts) -> Double { mean(zip(facts.predictions, labels).map { $0 == $1 ? 1 : 0 }) }
        return InterventionEffects(
            class: named(after) - named(before),
            layout: mean(correlations(after.thumbnails, targets.thumbnails))
                - mean(correlations(before.thumbnails, targets.thumbnails)),
            colour: (mean(distances(before.colours, targets.colours)) - mean(distances(after.colours, targets.colours)))
                / mean(distances(sources.colours, targets.colours)))
    }

    /// Whether tokens differ in what they change: of each token's changes, as multiples of the mean token's, the share of the
    /// largest; 0 where all tokens change everything alike, 1 where each changes one thing only. Nil where nothing changes.
    public static func selectivity(_ tokens: [InterventionEffects]) -> Double? {
        let columns = [tokens.map(\.class), tokens.map(\.layout), tokens.map(\.colour)].filter { mean($0) > 0 }
        guard columns.count > 1, !tokens.isEmpty else { return nil }
        let shares = tokens.indices.compactMap { token -> Double? in
            let relative = columns.map { max(0, $0[token]) / mean($0) }
            let sum = relative.reduce(0, +)
            return sum > 0 ? (relative.max() ?? 0) / sum : nil
        }
        let even = 1 / Double(columns.count)
        return shares.isEmpty ? nil : (mean(shares) - even) / (1 - even)
    }

    private static func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(1, values.count)) }

    private static func correlations(_ a: FeatureMatrix, _ b: FeatureMatrix) -> [Double] {
        (0..<a.rows).map { row in
            let (x, y) = (values(a, row), values(b, row))
            let (mx, my) = (mean(x), mean(y))
            var (xy, xx, yy) = (0.0, 0.0, 0.0)
            for (p, q) in zip(x, y) {
                xy += (p - mx) * (q - my)
                xx += (p - mx) * (p - mx)
                yy += (q - my) * (q - my)
            }
            // An even picture looks like no other.
            return xx > 0 && yy > 0 ? xy / (xx * yy).squareRoot() : 0
        }
    }

    private static func distances(_ a: FeatureMatrix, _ b: FeatureMatrix) -> [Double] {
        (0..<a.rows).map { row in mean(zip(values(a, row), values(b, row)).map { abs($0 - $1) }) }
    }

    private static func values(_ matrix: FeatureMatrix, _ row: Int) -> [Double] {
        matrix.values[row * matrix.columns..<(row + 1) * matrix.columns].map(Double.init)
    }
}
