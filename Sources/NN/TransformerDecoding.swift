import TensorCore

/// A transformer made ready for decoding: what depends on the condition only is computed once.
public struct TransformerDecoder: StepDecoder {
    private struct Layer {
        let layer: TransformerLayer
        let attentionScale, feedForwardScale, attentionGate, feedForwardGate: Tensor
        let queries, keysValues, projection, up, down: (Tensor) -> Tensor
    }

    private let shape: TransformerShape
    private let layers: [Layer]
    private let outputScale: Tensor?
    private let table: RotaryTable
    fileprivate let heads: [Range<Int>: Tensor]

    /// `table` holds the angles of every position that will be decoded; `head` [V, D] makes logits, `segments` are the
    /// ranges of its rows that will be asked for.
    public init(_ transformer: Transformer, table: RotaryTable, head: Tensor, segments: [Range<Int>]) {
        self.init(transformer, table: table, head: head, segments: segments, roundingIn: nil)
    }

    /// The same for a loop of `program` with products of bfloat16.
    package init(_ transformer: Transformer, table: RotaryTable, head: Tensor, roundingIn program: Program) {
        self.init(transformer, table: table, head: head, segments: [], roundingIn: program)
    }

    private init(
        _ transformer: Transformer, table: RotaryTable, head: Tensor, segments: [Range<Int>], roundingIn program: Program?
    ) {
        func product(_ linear: Linear, rounds: Bool = false) -> (Tensor) -> Tensor {
            guard let program else { return { linear($0, on: nil) } }
            let weight = program.rounded(linear.weight.value)
            return { program.product($0, weight, bias: linear.bias?.value, rounds: rounds) }
        }
        shape = transformer.shape
        self.table = table
        heads = Dictionary(uniqueKeysWithValues: Set(segments).map { ($0, sliceRows(head, $0)) })
        var none = Dropout.none
        let c = transformer.condition(on: nil, dropout: &none)
        layers = transformer.layers.map {
            Layer(
                layer: $0, attentionScale: $0.attentionNorm.affine(c, on: nil),
                feedForwardScale: $0.feedForwardNorm.affine(c, on: nil),
                attentionGate: $0.attentionGate(c, on: nil), feedForwardGate: $0.feedForwardGate(c, on: nil),
                queries: product($0.attention.toQueries, rounds: true), keysValues: product($0.attention.toKeysValues, rounds: true),
                projection: product($0.attention.projection), up: product($0.feedForward.upProjection, rounds: true),
                down: product($0.feedForward.downProjection))
        }
        outputScale = transformer.outputNorm?.affine(c, on: nil)
    }

    /// Bytes that keys and values of one row take.
    public static func cacheBytes(_ shape: TransformerShape, capacity: Int) -> Int {
        KeyValueCache.bytes(layers: shape.layers, width: shape.width, capacity: capacity)
    }

    public func session(rows: Int, capacity: Int) -> any DecodingSession {
        CachedSession(
            self,
            KeyValueCache(
                layers: shape.layers, heads: shape.heads, headWidth: shape.headWidth, rows: rows, capacity: capacity))
    }

    /// The next token's x [rows, 1, D] → its output [rows, 1, D]; the cache grows by one.
    package func step(_ x: Tensor, cache: any DecodingCache) -> Tensor {
        require(x.shape == [cache.rows, 1, shape.width], "decoding \(x.shape) does not fit a cache of \(cache.rows) rows")
        let position = cache.position(in: table)
        var x = x
        for (index, layer) in layers.enumerated() {
            let mixed = attend(rmsNorm(x, weight: layer.attentionScale), layer, position, cache, index)
            x = gatedResidual(x, gate: layer.attentionGate, branch: mixed)
            let changed = layer.down(geglu(layer.up(rmsNorm(x, weight: layer.feedForwardScale))))
            x = gatedResidual(x, gate: layer.feedForwardGate, branch: changed)
        }
        cache.advance()
        return outputScale.map { rmsNorm(x, weight: $0) } ?? x
    }

    private func attend(
        _ x: Tensor, _ layer: Layer, _ position: RotaryTable, _ cache: any DecodingCache, _ index: Int
    ) -> Tensor {
        let attention = layer.layer.attention
        let q = rotaryNorm(layer.queries(x), weight: attention.queryNorm.value, table: position, heads: shape.heads)
        let kv = layer.keysValues(x)
        let k = rotaryNorm(kv, weight: attention.keyNorm.value, table: position, heads: shape.heads)
        return layer.projection(cache.attend(layer: index, q: q, k: k, kv: kv))
    }
}

private final class CachedSession: DecodingSession {
    private let decoder: TransformerDecoder
    private let cache: KeyValueCache

    init(_ decoder: TransformerDecoder, _ cache: KeyValueCache) { (self.decoder, self.cache) = (decoder, cache) }

    func step(_ x: Tensor) -> Tensor {
        guard x.rows < cache.rows else { return decoder.step(x, cache: cache) }
        return decoder.step(repeatedForBothBranches(x), cache: cache)
    }

    func logits(_ hidden: Tensor, _ segment: Range<Int>, count: Int, mixing scale: Double?) -> Tensor {
        guard let head = decoder.heads[segment] else { fatalError("no logits of \(segment) were announced") }
        return linear(mixedBranches(hidden, count: count, scale: scale), weight: head)
    }
}
