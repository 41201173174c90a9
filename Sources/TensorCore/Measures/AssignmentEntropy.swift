import CKernels
import Foundation

/// Entropies of a soft assignment to codes, in nats, with P = softmax(scale·x) over the last axis (method §3.9).
public struct AssignmentEntropy {
    /// Mean over rows of −ΣP log P: how undecided a token is.
    public let sample: Double
    /// −ΣP̄ log(P̄ + 1e-5), P̄ the mean over all rows: how much of the codebook is in use.
    public let batch: Double
    public var loss: Double { sample - batch }

    /// The factor of similarities in what trainings report: a temperature of 0.01 (method §3.9).
    public static let reportedScale: Float = 100

    /// P and log P [rows, codes], P̄, and the entropy of each row: what a gradient needs.
    let p, logP: Tensor
    let means, ofRows: [Double]

    public init(_ x: Tensor, scale: Float) {
        requireValues(x)
        let (rows, width) = (x.rows, x.width)
        let logits = scaled(x, by: scale)
        let (p, logP) = (Tensor(uninitialized: [rows, width]), Tensor(uninitialized: [rows, width]))
        Parallel.rows(rows, width: width) { r in
            let at = r.lowerBound * width
            softmax_rows(p.pointer + at, logits.pointer + at, 1, r.count, width)
            log_softmax_rows(logP.pointer + at, logits.pointer + at, r.count, width)
        }
        // Sums in double precision, row after row: they do not depend on threads.
        var means = [Double](repeating: 0, count: width)
        var entropies = [Double](repeating: 0, count: rows)
        for row in 0..<rows {
            var entropy = 0.0
            for code in 0..<width {
                let (value, log) = (p.pointer[row * width + code], logP.pointer[row * width + code])
                entropy -= Double(value) * Double(log)
                means[code] += Double(value)
            }
            entropies[row] = entropy
        }
        for code in 0..<width { means[code] /= Double(rows) }
        (self.p, self.logP, self.means, ofRows) = (p, logP, means, entropies)
        sample = entropies.reduce(0, +) / Double(rows)
        batch = means.reduce(0) { $0 - $1 * log($1 + 1e-5) }
    }
}
