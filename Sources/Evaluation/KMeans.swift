import Foundation

/// Lloyd's k-means: rows and the nearest of k centres, which are the means of their rows.
public struct KMeans: Sendable {
    /// [k, columns]
    public let centres: FeatureMatrix

    /// - Parameters:
    ///   - centres: where to begin; one that loses all of its rows stays where it is.
    ///   - iterations: at most so many; fewer where no row changes its centre.
    public init(_ rows: FeatureMatrix, from centres: FeatureMatrix, iterations: Int = 30) {
        precondition(rows.columns == centres.columns, "rows of \(rows.columns), centres of \(centres.columns)")
        var current = centres
        var previous: [Int32] = []
        for _ in 0..<iterations {
            let places = Self.nearest(rows, current)
            guard places != previous else { break }
            previous = places
            var (sums, counts) = ([Double](repeating: 0, count: current.values.count), [Double](repeating: 0, count: current.rows))
            let width = rows.columns
            for (row, place) in places.enumerated() {
                counts[Int(place)] += 1
                for i in 0..<width { sums[Int(place) * width + i] += Double(rows.values[row * width + i]) }
            }
            let values = current.values
            current = FeatureMatrix(
                rows: current.rows, columns: width,
                values: values.indices.map { counts[$0 / width] > 0 ? Float(sums[$0] / counts[$0 / width]) : values[$0] })
        }
        self.centres = current
    }

    /// The centre nearest to each row, the first of equals.
    public func nearest(_ rows: FeatureMatrix) -> [Int32] { Self.nearest(rows, centres) }

    private static func nearest(_ rows: FeatureMatrix, _ centres: FeatureMatrix) -> [Int32] {
        let (k, width) = (centres.rows, rows.columns)
        let lengths = (0..<k).map { c in centres.values[c * width..<(c + 1) * width].reduce(Float(0)) { $0 + $1 * $1 } }
        var places: [Int32] = []
        places.reserveCapacity(rows.rows)
        for lower in stride(from: 0, to: rows.rows, by: 1024) {
            let count = min(1024, rows.rows - lower)
            var products = [Float](repeating: 0, count: count * k)
            rows.values.withUnsafeBufferPointer { a in
                centres.values.withUnsafeBufferPointer { b in
                    products.withUnsafeMutableBufferPointer { c in
                        if let a = a.baseAddress, let b = b.baseAddress, let c = c.baseAddress {
                            multiply(into: c, a + lower * width, transposed: b, m: count, n: k, k: width)
                        }
                    }
                }
            }
            for row in 0..<count {
                var (best, least) = (0, Float.infinity)
                for c in 0..<k {
                    let distance = lengths[c] - 2 * products[row * k + c]
                    if distance < least { (best, least) = (c, distance) }
                }
                places.append(Int32(best))
            }
        }
        return places
    }
}
