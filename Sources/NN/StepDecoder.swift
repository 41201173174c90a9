import TensorCore

/// An AR model prepared for decoding token by token.
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

extension PackedDecoder: StepDecoder {
    public func session(rows: Int, capacity: Int) -> any DecodingSession {
        let session: PackedDecodingSession = self.session(rows: rows, capacity: capacity)
        return session
    }
}

extension PackedDecodingSession: DecodingSession {}
