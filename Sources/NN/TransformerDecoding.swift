import CKernels
import TensorCore

/// Keys and values that one-token-at-a-time decoding has seen, per layer: values [rows, heads, capacity, head width],
/// keys transposed, [rows, heads, head width, capacity].
public final class KeyValueCache {
    let keys, values: [Tensor]
    let rows, capacity: Int
    fileprivate(set) var length = 0

    /// Up to a multiple of what the kernel that reads keys works on at once.
    private static func rounded(_ capacity: Int) -> Int { (capacity + 63) / 64 * 64 }

    /// Bytes that keys and values of one row take.
    public static func bytes(_ shape: TransformerShape, capacity: Int) -> Int {
        2 * shape.layers * shape.heads * rounded(capacity) * shape.headWidth * MemoryLayout<Float>.stride
    }

    init(_ shape: TransformerShape, rows: Int, capacity: Int) {
        self.rows = rows
        self.capacity = Self.rounded(capacity)
        let extent = [rows, shape.heads, self.capacity, shape.headWidth]
        keys = (0..<shape.layers).map { _ in Tensor(uninitialized: extent) }
        values = (0..<shape.layers).map { _ in Tensor(uninitialized: extent) }
    }
}

/// A transformer made ready for decoding: what depends on the condition only is computed once.
public struct TransformerDecoder: StepDecoder {
    private struct Layer {
        let layer: TransformerLayer
        let attentionScale, feedForwardScale, attentionGate, feedForwardGate: Tensor
    }

    private let shape: TransformerShape
    private let layers: [Layer]
    private let outputScale: Tensor?
    private let table: RotaryTable
    fileprivate let heads: [Range<Int>: Tensor]

    /// `table` holds the angles of every position that will be decoded; `head` [V, D] makes logits, `segments` are the
    /// ranges of its rows that will be asked for.
    public init(_ transformer: Transformer, table: RotaryTable, head: Tensor, segments: [Range<Int>]) {
        shape = transformer.shape
        self.table = table
        heads = Dictionary(uniqueKeysWithValues: Set(segments).map { ($0, sliceRows(head, $0)) })
        var none = Dropout.none
        let c = transformer.condition(on: nil, dropout: &none)
        layers = transformer.layers.map {
            Layer(
                layer: $0, attentionScale: $0.attentionNorm.affine(c, on: nil),
                feedForwardScale: $0.feedForwardNorm.affine(c, on: nil),
                attentionGate: $0.attentionGate(c, on: nil), feedForwardGate: $0.feedForwardGate(c, on: nil))
        }
        outputScale = transformer.outputNorm?.affine(c, on: nil)
    }

    public func session(rows: Int, capacity: Int) -> any DecodingSession {
        CachedSession(self, KeyValueCache(shape, rows: rows, capacity: capacity))
    }

    /// The next token's x [rows, 1, D] → its output [rows, 1, D]; the cache grows by one.
    fileprivate func step(_ x: Tensor, cache: KeyValueCache) -> Tensor {
        require(
            x.shape == [cache.rows, 1, shape.width] && cache.length < cache.capacity,
            "decoding \(x.shape) at \(cache.length) does not fit a cache of \(cache.rows) rows, \(cache.capacity) tokens")
        let position = table.token(cache.length)
        var x = x
        for (index, layer) in layers.enumerated() {
            let mixed = attend(
                rmsNorm(x, weight: layer.attentionScale), layer.layer.attention, position, cache, index)
            x = gatedResidual(x, gate: layer.attentionGate, branch: mixed)
            var none = Dropout.none
            let changed = layer.layer.feedForward(rmsNorm(x, weight: layer.feedForwardScale), on: nil, dropout: &none)
            x = gatedResidual(x, gate: layer.feedForwardGate, branch: changed)
        }
        cache.length += 1
        return outputScale.map { rmsNorm(x, weight: $0) } ?? x
    }

    private func attend(
        _ x: Tensor, _ attention: SelfAttention, _ position: RotaryTable, _ cache: KeyValueCache, _ layer: Int
    ) -> Tensor {
        let (rows, heads, d, width) = (cache.rows, shape.heads, shape.headWidth, shape.width)
        let q = rotaryNorm(
            attention.toQueries(x, on: nil), weight: attention.queryNorm.value, table: position, heads: heads)
        let kv = attention.toKeysValues(x, on: nil)
        let k = rotaryNorm(kv, weight: attention.keyNorm.value, table: position, heads: heads)
        let y = Tensor(uninitialized: [rows, 1, width])
        let (keys, values, length) = (cache.keys[layer], cache.values[layer], cache.length)
        Parallel.ranges(rows * heads, grain: 16) { range in
            let scores = Storage(count: cache.capacity)
            for index in range {
                let (row, head) = (index / heads, index % heads)
                let base = index * cache.capacity * d
                let key = k.pointer + row * width + head * d
                for i in 0..<d { keys.pointer[base + i * cache.capacity + length] = key[i] }
                (values.pointer + base + length * d).update(
                    from: kv.pointer + row * 2 * width + width + head * d, count: d)
                attention_decode(
                    y.pointer + row * width + head * d, scores.pointer, q.pointer + row * width + head * d,
                    keys.pointer + base, values.pointer + base, 1 / Float(d).squareRoot(), length + 1, d,
                    cache.capacity)
            }
        }
        return attention.projection(y, on: nil)
    }
}

private final class CachedSession: DecodingSession {
    private let decoder: TransformerDecoder
    private let cache: KeyValueCache

    init(_ decoder: TransformerDecoder, _ cache: KeyValueCache) { (self.decoder, self.cache) = (decoder, cache) }

    func step(_ x: Tensor) -> Tensor {
        guard x.rows < cache.rows else { return decoder.step(x, cache: cache) }
        let both = Tensor(uninitialized: [2 * x.rows, 1, x.width])
        for branch in 0..<2 { (both.pointer + branch * x.count).update(from: x.pointer, count: x.count) }
        return decoder.step(both, cache: cache)
    }

    func logits(_ hidden: Tensor, _ segment: Range<Int>, count: Int, mixing scale: Double?) -> Tensor {
        guard let head = decoder.heads[segment] else { fatalError("no logits of \(segment) were announced") }
        return linear(mixedBranches(hidden, count: count, scale: scale), weight: head)
    }
}
