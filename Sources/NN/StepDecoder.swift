import CKernels
import TensorCore

/// An AR model made ready to be asked token by token.
public protocol StepDecoder {
    /// Decodes `rows` sequences of at most `capacity` tokens side by side, from the first token on.
    func session(rows: Int, capacity: Int) -> any DecodingSession
}

/// Sequences that are being decoded. Belongs to one thread.
public protocol DecodingSession: AnyObject {
    /// The next token's x → its hidden state [rows, 1, D], valid until the next step.
    ///
    /// x is [rows, 1, D], or [rows / 2, 1, D] where rows of the second half, the other guidance branch, get the same token.
    func step(_ x: Tensor) -> Tensor
    /// Logits of the ids in `segment` for the first `count` rows, [count, 1, segment.count].
    ///
    /// With a `scale` s they are s·a + (1 − s)·b of rows i and count + i. Logits are linear in what the head multiplies, so
    /// that is mixed, and the head multiplies it once.
    func logits(_ hidden: Tensor, _ segment: Range<Int>, count: Int, mixing scale: Double?) -> Tensor
}

/// What the head multiplies for `count` sequences, [count, 1, D], from rows x [rows, 1, D] of one or two guidance branches.
func mixedBranches(_ x: Tensor, count: Int, scale: Double?) -> Tensor {
    require(count * (scale == nil ? 1 : 2) <= x.rows, "\(x.rows) rows do not hold \(count) sequences")
    if scale == nil && count == x.rows { return x }
    let result = Tensor(uninitialized: [count, 1, x.width])
    if let scale {
        mix(result.pointer, x.pointer, x.pointer + result.count, Float(scale), result.count)
    } else {
        result.pointer.update(from: x.pointer, count: result.count)
    }
    return result
}
