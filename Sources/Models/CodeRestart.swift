import NN
import TensorCore

/// Revives codes that nothing uses any more: one that no token was given for `patience` steps is put where a random
/// token of the batch is, with fresh moments and a fresh average (after Dhariwal et al. 2020, arXiv 2005.00341).
public struct CodeRestart {
    public let codebook: Parameter
    public let patience: Int
    /// Steps since each code was last used, [codes]: what going on after an interruption needs.
    public let idle: Tensor

    public init(_ codebook: Parameter, patience: Int) {
        self.codebook = codebook
        self.patience = patience
        idle = .zeros([codebook.shape[0]])
    }

    /// Counts one step's codes and moves the dead ones; returns how many those were. `optimizer` trains the codebook.
    @discardableResult
    public func callAsFunction(_ quantized: Quantized, _ optimizer: AdamW, stream: RandomStream) -> Int {
        for code in 0..<idle.count { idle.pointer[code] += 1 }
        for id in quantized.indices.ids { idle.pointer[Int(id)] = 0 }
        let dead = (0..<idle.count).filter { idle.pointer[$0] >= Float(patience) }
        guard !dead.isEmpty else { return 0 }
        // Different tokens for different codes, as far as they last.
        var stream = stream
        let points = quantized.points
        let order = stream.permutation(points.rows)
        for (place, code) in dead.enumerated() {
            let token = order[place % order.count]
            let values = (0..<points.width).map { points.pointer[token * points.width + $0] }
            optimizer.restart(codebook, row: code, at: values)
            idle.pointer[code] = 0
        }
        return dead.count
    }
}
