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

    /// Counts which codes this step used and restarts the dead ones; returns how many were restarted. `optimizer` trains the
    /// codebook; `points` [B, L, z], the encoder outputs among the codes, are asked for only where a code is dead.
    @discardableResult
    public func callAsFunction(
        _ indices: TokenTensor, points: () throws -> Tensor, _ optimizer: AdamW, stream: RandomStream
    ) rethrows -> Int {
        var steps = idle.values.map { $0 + 1 }
        for id in indices.ids { steps[Int(id)] = 0 }
        let dead = steps.indices.filter { steps[$0] >= Float(patience) }
        for code in dead { steps[code] = 0 }
        idle.overwrite(with: steps)
        guard !dead.isEmpty else { return 0 }
        // Different tokens for different codes, as long as there are enough tokens.
        let points = try points()
        var stream = stream
        let order = stream.permutation(points.rows)
        let tokens = dead.indices.map { order[$0 % order.count] }
        optimizer.restart(codebook, rows: dead, at: points, rows: tokens)
        return dead.count
    }
}
