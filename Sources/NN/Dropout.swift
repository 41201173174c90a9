import TensorCore

/// Dropout of one forward pass: its shares and where the masks come from. `Dropout.none` leaves all as it is.
public struct Dropout {
    public static var none: Dropout { Dropout(p: 0, stream: nil) }

    private let p, attention: Float
    private var stream: (any RandomSource)?
    /// Which part of a batch is passed forward, of how many sequences; nil: all of it.
    private var part: (index: TokenTensor, sequences: Int)?

    /// - Parameters:
    ///   - p: share of embeddings and of what attention and feed-forward add.
    ///   - attention: share of attention weights; nil: the same.
    public init(p: Float, attention: Float? = nil, stream: (any RandomSource)?) {
        (self.p, self.attention, self.stream) = (p, attention ?? p, stream)
        require(p == 0 && self.attention == 0 || stream != nil, "dropout of \(p) and \(self.attention) needs a random stream")
    }

    /// The same for one of the parts of `sequences` that a batch is passed forward in: its masks are those of the whole batch. `index`
    /// is a single id.
    public func part(_ index: TokenTensor, of sequences: Int) -> Dropout {
        var dropout = self
        dropout.part = (index, sequences)
        return dropout
    }

    /// The next mask, of `count` entries a sequence; nil when nothing is dropped.
    mutating func mask(_ count: Int) -> (p: Float, key: MaskKey)? { mask(p, count) }

    /// The same for attention weights.
    mutating func attentionMask(_ count: Int) -> (p: Float, key: MaskKey)? { mask(attention, count) }

    private mutating func mask(_ p: Float, _ count: Int) -> (p: Float, key: MaskKey)? {
        guard p > 0, let key = stream?.nextMaskKey() else { return nil }
        return (p, part.map { key.part($0.index, of: $0.sequences * count) } ?? key)
    }

    /// Of x [B, …], a row a sequence.
    public mutating func callAsFunction(_ x: Tensor) -> Tensor {
        guard let (p, key) = mask(x.count / x.shape[0]) else { return x }
        return dropout(x, p: p, key: key)
    }

    /// Of what all sequences of a batch share.
    mutating func ofShared(_ x: Tensor) -> Tensor {
        guard p > 0, let key = stream?.nextMaskKey() else { return x }
        return dropout(x, p: p, key: key)
    }
}
