import TensorCore

/// Dropout of one forward pass: its share and where the masks come from. `Dropout.none` leaves all as it is.
public struct Dropout {
    public static var none: Dropout { Dropout(p: 0, stream: nil) }

    public let p: Float
    private var stream: (any MaskKeys)?

    public init(p: Float, stream: (any MaskKeys)?) {
        require(p == 0 || stream != nil, "dropout of \(p) needs a random stream")
        self.p = p
        self.stream = stream
    }

    /// The key of the next mask; nil when nothing is dropped.
    mutating func nextKey() -> MaskKey? { p > 0 ? stream?.nextMaskKey() : nil }

    public mutating func callAsFunction(_ x: Tensor) -> Tensor {
        guard let key = nextKey() else { return x }
        return dropout(x, p: p, key: key)
    }
}
