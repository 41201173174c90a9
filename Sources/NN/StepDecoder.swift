import TensorCore

/// An AR model made ready to be asked token by token.
public protocol StepDecoder {
    /// Decodes `rows` sequences of at most `capacity` tokens side by side, from the first token on.
    func session(rows: Int, capacity: Int) -> any DecodingSession
}

/// Sequences that are being decoded. Belongs to one thread.
public protocol DecodingSession: AnyObject {
    /// The next token's x [rows, 1, D] → its hidden state [rows, 1, D], valid until the next step.
    func step(_ x: Tensor) -> Tensor
    /// Logits of the ids in `segment`, [rows, 1, segment.count].
    func logits(_ hidden: Tensor, _ segment: Range<Int>) -> Tensor
}
