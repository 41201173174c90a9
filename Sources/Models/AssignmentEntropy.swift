import Foundation
import TensorCore

/// Entropies of soft code assignments, in nats, with P = softmax(cos/0.01) (method §3.9).
public struct AssignmentEntropy: Sendable {
    /// Mean over tokens of −ΣP log P: how undecided a token is.
    public let sample: Double
    /// −ΣP̄ log(P̄ + 1e-5), P̄ the mean over the batch's tokens: how much of the codebook is in use.
    public let batch: Double
    public var loss: Double { sample - batch }

    public init(cosines: Tensor) {
        let logits = 100 * cosines.detached()
        let (logP, p) = (logSoftmax(logits), softmax(logits))
        let (rows, codes) = (p.rows, p.width)
        var sample = 0.0
        var mean = [Double](repeating: 0, count: codes)
        for row in 0..<rows {
            for code in 0..<codes {
                let i = row * codes + code
                sample -= Double(p.pointer[i]) * Double(logP.pointer[i])
                mean[code] += Double(p.pointer[i])
            }
        }
        self.sample = sample / Double(rows)
        batch = mean.reduce(0) { $0 - $1 / Double(rows) * log($1 / Double(rows) + 1e-5) }
    }
}
