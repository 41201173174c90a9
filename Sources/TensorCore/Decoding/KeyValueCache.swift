import CKernels

/// What decoding one token at a time has seen, and where it stands.
public protocol DecodingCache: AnyObject {
    var rows: Int { get }
    /// The angles of the next token, of a table of all.
    func position(in table: RotaryTable) -> RotaryTable
    /// Attention of the next token's queries to all tokens so far and itself. q and k [rows, 1, D], normalised and rotated,
    /// and the values in the second half of kv [rows, 1, 2D] → [rows, 1, D]. Key and value enter the cache; `advance` goes on
    /// to the next token when all layers have done so.
    func attend(layer: Int, q: Tensor, k: Tensor, kv: Tensor) -> Tensor
    func advance()
}

/// Keys and values that one-token-at-a-time decoding in float32 has seen, per layer: values [rows, heads, capacity, head width],
/// keys transposed, [rows, heads, head width, capacity].
public final class KeyValueCache: DecodingCache {
    private let keys, values: [Tensor]
    private let heads, headWidth: Int
    public let rows, capacity: Int
    /// Tokens that are in it.
    public private(set) var length = 0

    /// Up to a multiple of what the kernel that reads keys works on at once.
    private static func wholeBlocks(_ capacity: Int) -> Int { (capacity + 63) / 64 * 64 }

    /// Bytes that keys and values of one row take.
    public static func bytes(layers: Int, width: Int, capacity: Int) -> Int {
        2 * layers * wholeBlocks(capacity) * width * MemoryLayout<Float>.stride
    }

    public init(layers: Int, heads: Int, headWidth: Int, rows: Int, capacity: Int) {
        (self.rows, self.heads, self.headWidth) = (rows, heads, headWidth)
        self.capacity = Self.wholeBlocks(capacity)
        let extent = [rows, heads, self.capacity, headWidth]
        keys = (0..<layers).map { _ in Tensor(uninitialized: extent) }
        values = (0..<layers).map { _ in Tensor(uninitialized: extent) }
    }

    public func position(in table: RotaryTable) -> RotaryTable {
        require(length < capacity && length < table.tokens, "decoding token \(length) of \(table.tokens) with room for \(capacity)")
        return table.token(length)
    }

    public func attend(layer: Int, q: Tensor, k: Tensor, kv: Tensor) -> Tensor {
        requireValues(q, k, kv)
        let (d, width) = (headWidth, heads * headWidth)
        require(
            q.shape == [rows, 1, width] && k.shape == q.shape && kv.shape == [rows, 1, 2 * width] && length < capacity,
            "attend: q \(q.shape), k \(k.shape), kv \(kv.shape) do not fit a cache of \(rows) rows of \(width) at \(length)")
        let y = Tensor(uninitialized: q.shape)
        let (keys, values, length, capacity, heads) = (keys[layer], values[layer], length, capacity, heads)
        Parallel.ranges(rows * heads, grain: 16) { range in
            let scores = Storage(count: capacity)
            for index in range {
                let (row, head) = (index / heads, index % heads)
                let base = index * capacity * d
                let key = k.pointer + row * width + head * d
                for i in 0..<d { keys.pointer[base + i * capacity + length] = key[i] }
                (values.pointer + base + length * d).update(
                    from: kv.pointer + row * 2 * width + width + head * d, count: d)
                attention_decode(
                    y.pointer + row * width + head * d, scores.pointer, q.pointer + row * width + head * d,
                    keys.pointer + base, values.pointer + base, 1 / Float(d).squareRoot(), length + 1, d, capacity)
            }
        }
        return y
    }

    public func advance() { length += 1 }
}
