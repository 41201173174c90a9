import TensorCore

/// Dropout of one forward pass: its shares and where the masks come from. `Dropout.none` leaves all as it is.
public struct Dropout {
    public static var none: Dropout { Dropout(p: 0, stream: nil) }

    private let p, attention: Float
    private var stream: (any RandomSource)?

    /// - Parameters:
    ///   - p: share of embeddings and of what attention and feed-forward add.
    ///   - attention: share of attention weights; nil: the same.
    public init(p: Float, attention: Float? = nil, stream: (any RandomSource)?) {
        (self.p, self.attention, self.stream) = (p, attention ?? p, stream)
        require(p == 0 && self.attention == 0 || stream != nil, "dropout of \(p) and \(self.attention) needs a random stream")
    }

    /// The next mask; nil when nothing is dropped.
    mutating func mask() -> (p: Float, key: MaskKey)? { mask(p) }

    /// The same for attention weights.
    mutating func attentionMask() -> (p: Float, key: MaskKey)? { mask(attention) }

    private mutating func mask(_ p: Float) -> (p: Float, key: MaskKey)? {
        p > 0 ? (stream?.nextMaskKey()).map { (p, $0) } : nil
    }

    public mutating func callAsFunction(_ x: Tensor) -> Tensor {
        guard let (p, key) = mask() else { return x }
        return dropout(x, p: p, key: key)
    }
}
