import Evaluation
import Experiment
import Files
import Foundation
import Report
import RunStore

/// Times the measures of sample quality at the sizes that ImageNet scores have: 50 000 rows of 2048 features.
///
/// Features are made up: uniform numbers whose spread falls from column to column over two powers of ten, as the
/// spectrum of real features falls. `bench/metrics_peer.py` times numpy and scipy on such features too.
struct MetricsBench {
    static let dimensions = 2048
    static let streamed = 50_000
    static let compared = 10_000

    func table(repetitions: Int) throws -> Table {
        var table = Table(columns: [
            .text("measure"), .number("rows", decimals: 0), .number("median", key: "seconds", unit: "s", decimals: 2),
            .number("process", key: "peak_mib", unit: "MiB", decimals: 0),
        ])
        func time(_ name: String, rows: Int, _ body: () throws -> Void) throws {
            let times = try (0..<repetitions).map { _ in
                let start = ContinuousClock.now
                try body()
                return (ContinuousClock.now - start) / .seconds(1)
            }.sorted()
            table.add([
                .text(name), .number(rows), .number(times[repetitions / 2]),
                .number(Double(StageWork.peakMemoryBytes) / 1_048_576),
            ])
        }
        // As few rows are held as a network would hand over at a time; the rest are these again.
        let batch = Self.features(rows: 1000, seed: 0)
        var statistics = FeatureStatistics(columns: Self.dimensions)
        try time("mean and covariance, streamed", rows: Self.streamed) {
            statistics = FeatureStatistics(columns: Self.dimensions)
            for _ in 0..<Self.streamed / batch.rows { try statistics.add(batch) }
        }
        let a = try FeatureStatistics(of: Self.features(rows: 5000, seed: 1)).gaussian()
        let b = try FeatureStatistics(of: Self.features(rows: 5000, seed: 2)).gaussian()
        try time("Fréchet distance", rows: Self.dimensions) { _ = try frechetDistance(a, b) }
        let (reference, samples) = (Self.features(rows: Self.compared, seed: 3), Self.features(rows: Self.compared, seed: 4))
        try time("precision and recall", rows: Self.compared) {
            _ = try PrecisionRecall(reference: reference, samples: samples)
        }
        table.add(
            footnote: "\(Self.dimensions) features, float64; medians of \(repetitions); the process's largest memory so far, "
                + "rows that are held for it included")
        return table
    }

    private static func features(rows: Int, seed: UInt64) -> FeatureMatrix {
        var generator = SplitMix64(seed: seed)
        let spreads = (0..<dimensions).map { Float(pow(0.01, Double($0) / Double(dimensions - 1))) }
        let values = [Float](unsafeUninitializedCapacity: rows * dimensions) { buffer, count in
            for i in 0..<rows * dimensions {
                buffer[i] = spreads[i % dimensions] * (Float(generator.next() >> 40) * 0x1p-23 - 1)
            }
            count = rows * dimensions
        }
        return FeatureMatrix(rows: rows, columns: dimensions, values: values)
    }
}
