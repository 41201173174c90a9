import Foundation
import TensorCore

/// The ops once more in double precision, as the formulas read: what the engine's values are compared with.
enum Naive {
    static func doubles(_ x: Tensor) -> [Double] { x.values.map(Double.init) }

    /// a [m, k] · b [k, n]
    static func product(_ a: [Double], _ b: [Double], m: Int, k: Int, n: Int) -> [Double] {
        (0..<m * n).map { i -> Double in
            let (row, column) = (i / n, i % n)
            return (0..<k).map { a[row * k + $0] * b[$0 * n + column] }.reduce(0, +)
        }
    }

    static func transposed(_ a: [Double], rows: Int, columns: Int) -> [Double] {
        (0..<rows * columns).map { i -> Double in a[i % rows * columns + i / rows] }
    }

    static func gelu(_ x: Double) -> Double {
        0.5 * x * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
    }

    static func softmax(_ row: [Double], scale: Double = 1) -> [Double] {
        let top = row.max() ?? 0
        let weights = row.map { exp(scale * ($0 - top)) }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }

    /// log Σ exp
    static func logSumExp(_ row: [Double]) -> Double {
        let top = row.max() ?? 0
        return top + log(row.reduce(0) { $0 + exp($1 - top) })
    }

    static func norm(_ row: [Double]) -> Double { max(row.reduce(0) { $0 + $1 * $1 }.squareRoot(), 1e-12) }

    static func rmsNorm(_ row: [Double], weight: [Double]) -> [Double] {
        let scale = Double(row.count).squareRoot() / norm(row)
        return zip(row, weight).map { $0 * scale * (1 + $1) }
    }

    /// Attention of one head; q [L, d], k and v [S, d] as rows.
    static func attention(_ q: [[Double]], _ k: [[Double]], _ v: [[Double]], causal: Bool) -> [[Double]] {
        q.enumerated().map { i, query in
            let keys = causal ? Array(k.prefix(i + 1)) : k
            let scores = keys.map { key in zip(query, key).reduce(0.0) { $0 + $1.0 * $1.1 } }
            let p = softmax(scores, scale: 1 / Double(query.count).squareRoot())
            return query.indices.map { c -> Double in zip(p, v).reduce(0.0) { $0 + $1.0 * $1.1[c] } }
        }
    }

    /// Rows of the last axis.
    static func rows(_ x: Tensor) -> [[Double]] {
        let values = doubles(x)
        return (0..<x.rows).map { Array(values[$0 * x.width..<($0 + 1) * x.width]) }
    }

    /// Largest |a − b| relative to the largest |b|.
    static func error(_ a: Tensor, _ b: [Double]) -> Double {
        guard a.count == b.count else { return .infinity }
        let scale = max(1e-30, b.map(abs).max() ?? 0)
        return zip(doubles(a), b).map { $0 == $1 ? 0 : abs($0 - $1) / scale }.max() ?? 0
    }
}
