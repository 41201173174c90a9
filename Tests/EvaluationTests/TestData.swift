import Evaluation
import Foundation

/// Seeded test data.
struct RandomData {
    var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

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
}
