import Evaluation
import Files
import Foundation

/// Seeded test data.
struct RandomData {
    var generator: SplitMix64

    init(seed: UInt64) { generator = SplitMix64(seed: seed) }

    mutating func uniform() -> Double { Double(generator.next() >> 11) * 0x1p-53 }

    /// Standard normal (Box–Muller).
    mutating func normal() -> Double {
        (-2 * log(1 - uniform())).squareRoot() * cos(2 * .pi * uniform())
    }

    mutating func normals(_ count: Int) -> [Double] { (0..<count).map { _ in normal() } }

    /// Correlated features: [rows, columns] normals mixed across neighbouring columns.
    mutating func features(rows: Int, columns: Int, offset: Double = 0, scale: Double = 1) -> DoubleFeatureMatrix {
        var values = normals(rows * columns)
        for r in 0..<rows {
            for c in 1..<columns { values[r * columns + c] += 0.5 * values[r * columns + c - 1] }
        }
        return DoubleFeatureMatrix(rows: rows, columns: columns, values: values.map { $0 * scale + offset })
    }

    /// Overlapping classes: a random direction for each in noise, columns of different scale and offset.
    static func classes(
        rows: Int, columns: Int, classes: Int, seed: UInt64, centres: UInt64, distance: Double,
        column: (Int) -> (scale: Double, offset: Double)
    ) -> (FeatureMatrix, [Int]) {
        var directions = RandomData(seed: centres)
        let means = directions.normals(classes * columns)
        var data = RandomData(seed: seed)
        var labels: [Int] = [], values: [Float] = []
        for _ in 0..<rows {
            let label = data.generator.index(below: classes)
            labels.append(label)
            for c in 0..<columns {
                let (scale, offset) = column(c)
                values.append(Float((distance * means[label * columns + c] + data.normal()) * scale + offset))
            }
        }
        return (FeatureMatrix(rows: rows, columns: columns, values: values), labels)
    }
}
