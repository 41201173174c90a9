import CKernels

/// The weights of one transformer layer as decoding multiplies with them; norm weights and gates are those of one condition,
/// [1, D]. Shapes as in `attentionBlock` and `feedForwardBlock`.
public struct DecoderLayerWeights {
    let attentionScale, attentionGate, feedForwardScale, feedForwardGate, queries, keysValues, queryNorm, keyNorm: Tensor
    let projection, up, down: BlockWeight

    public init(
        attentionScale: Tensor, attentionGate: Tensor, queries: Tensor, keysValues: Tensor, queryNorm: Tensor,
        keyNorm: Tensor, projection: BlockWeight, feedForwardScale: Tensor, feedForwardGate: Tensor, up: BlockWeight,
        down: BlockWeight
    ) {
        (self.attentionScale, self.attentionGate) = (attentionScale, attentionGate)
        (self.queries, self.keysValues) = (queries, keysValues)
        (self.queryNorm, self.keyNorm) = (queryNorm, keyNorm)
        (self.feedForwardScale, self.feedForwardGate) = (feedForwardScale, feedForwardGate)
        (self.projection, self.up, self.down) = (projection, up, down)
    }
}

/// A causal transformer made ready for decoding in bfloat16: weights rounded and packed once.
///
/// A row's output does not depend on which rows are decoded with it, to the bit.
public struct PackedDecoder {
    /// A class, so that a step, of which there are many, does not count references to all of its parts.
    final class Layer {
        let attentionScale, feedForwardScale, attentionGate, feedForwardGate, queryNorm, keyNorm: Tensor
        let inner, outer, up, down: PackedWeights
        let projectionBias, upBias, downBias: Tensor?

        init(_ layer: DecoderLayerWeights) {
            (attentionScale, attentionGate) = (layer.attentionScale, layer.attentionGate)
            (queryNorm, keyNorm) = (layer.queryNorm, layer.keyNorm)
            inner = PackedWeights(transposing: WeightRows(layer.queries, layer.keysValues))
            outer = PackedWeights(transposing: WeightRows(layer.projection.weight))
            projectionBias = layer.projection.bias
            (feedForwardScale, feedForwardGate) = (layer.feedForwardScale, layer.feedForwardGate)
            (up, upBias) = (PackedWeights(transposing: layer.up.paddedHalves), layer.up.paddedBias)
            (down, downBias) = (PackedWeights(transposing: WeightRows(layer.down.weight)), layer.down.bias)
        }
    }

    /// Sizes that all layers share.
    struct Sizes {
        let layers, width, hidden, heads: Int
        var headWidth: Int { width / heads }
    }

    let sizes: Sizes
    let layers: [Layer]
    let outputScale: Tensor?
    let table: RotaryTable
    let heads: [Range<Int>: PackedWeights]

    /// `table` holds the angles of every position that will be decoded, `outputScale` is the output norm's weight, `head` [V, D]
    /// makes logits; `segments` are the ranges of its rows that will be asked for.
    public init(
        _ layers: [DecoderLayerWeights], heads: Int, table: RotaryTable, outputScale: Tensor?, head: Tensor,
        segments: [Range<Int>]
    ) {
        sizes = Sizes(layers: layers.count, width: head.width, hidden: layers.first?.down.weight.width ?? 0, heads: heads)
        (self.table, self.outputScale) = (table, outputScale)
        self.layers = layers.map(Layer.init)
        self.heads = Dictionary(
            uniqueKeysWithValues: Set(segments).map { ($0, PackedWeights(transposing: WeightRows(head, $0))) })
    }

    public func session(rows: Int, capacity: Int) -> PackedDecodingSession {
        PackedDecodingSession(self, rows: rows, capacity: capacity)
    }

    /// What the layers' weights take, packed.
    public var weightBytes: Int {
        layers.reduce(0) { $0 + $1.inner.bytes + $1.outer.bytes + $1.up.bytes + $1.down.bytes }
    }

    /// Bytes that keys and values of one row take.
    public static func cacheBytes(layers: Int, heads: Int, headWidth: Int, capacity: Int) -> Int {
        let (keys, values) = PackedDecodingSession.groupSize(heads: heads, headWidth: headWidth)
        return layers * PackedDecodingSession.groups(capacity) * (keys + values) * MemoryLayout<UInt32>.stride
    }
}

/// Keys and values of `rows` sequences, and the memory that a step works in. Belongs to one thread.
public final class PackedDecodingSession {
    private let decoder: PackedDecoder
    private let rows, capacity: Int
    private var length = 0
    /// [layers, rows], keys and then values of each; kernels.h says how they lie. One block, so that it lies in huge pages:
    /// the processor does not read ahead past the end of a page.
    private let cache: BFloat16Matrix
    private let normed, qkv, mixed, wide, gated, query, key, weights: BFloat16Matrix
    private let branch, inverse, scores: Storage
    private let x: [Tensor]

    private static let group = Int(BF16_GROUP)

    /// Groups that hold `count` tokens, or channels.
    static func groups(_ count: Int) -> Int { (count + group - 1) / group }

    /// Pairs of keys and of values that one group of tokens of a sequence takes in one layer.
    static func groupSize(heads: Int, headWidth: Int) -> (keys: Int, values: Int) {
        let half = heads * group / 2
        return (half * headWidth, half * groups(headWidth) * group)
    }

    init(_ decoder: PackedDecoder, rows: Int, capacity: Int) {
        (self.decoder, self.rows) = (decoder, rows)
        self.capacity = Self.groups(capacity) * Self.group
        let sizes = decoder.sizes
        let (keys, values) = Self.groupSize(heads: sizes.heads, headWidth: sizes.headWidth)
        cache = BFloat16Matrix(rows: sizes.layers * rows, width: 2 * Self.groups(capacity) * (keys + values))
        normed = BFloat16Matrix(rows: rows, width: sizes.width)
        qkv = BFloat16Matrix(rows: rows, width: 3 * sizes.width)
        mixed = BFloat16Matrix(rows: rows, width: sizes.width)
        wide = BFloat16Matrix(rows: rows, width: 2 * BFloat16Matrix.even(sizes.hidden))
        gated = BFloat16Matrix(rows: rows, width: BFloat16Matrix.even(sizes.hidden))
        query = BFloat16Matrix(rows: 1, width: sizes.width)
        key = BFloat16Matrix(rows: 1, width: sizes.width)
        weights = BFloat16Matrix(rows: sizes.heads, width: self.capacity)
        branch = Storage(count: rows * sizes.width)
        inverse = Storage(count: max(rows, sizes.heads))
        scores = Storage(count: sizes.heads * (self.capacity + Self.groups(sizes.headWidth) * Self.group))
        x = (0..<2).map { _ in Tensor(uninitialized: [rows, 1, sizes.width]) }
    }

    /// The next token's x → its hidden state [rows, 1, D], valid until the next step.
    ///
    /// x is [rows, 1, D], or [rows / 2, 1, D] where rows of the second half, the other guidance branch, get the same token.
    public func step(_ input: Tensor) -> Tensor {
        let width = decoder.sizes.width
        require(
            (input.shape == [rows, 1, width] || input.shape == [rows / 2, 1, width]) && length < capacity,
            "decoding \(input.shape) at \(length) does not fit a cache of \(rows) rows, \(capacity) tokens")
        var (from, to) = (input, x[0])
        for (index, layer) in decoder.layers.enumerated() {
            // Branches that got the same token differ only from their first attention on.
            let distinct = from.rows
            bf16_rms_norm(
                normed.pointer, nil, inverse.pointer, from.pointer, layer.attentionScale.pointer, distinct, width)
            note("rmsNorm", floats: from.count)
            layer.inner.multiply(normed.pointer, stride: width, rows: distinct, rounding: qkv.pointer)
            note("toQueriesKeysValues", layer.inner)
            attend(layer, index, distinct: distinct)
            Profile.mark("attention", bytes: rows * (length + 1) * cache.width / capacity * MemoryLayout<bfloat16>.stride)
            layer.outer.multiply(
                mixed.pointer, stride: width, rows: rows, bias: layer.projectionBias?.pointer, into: branch.pointer)
            note("projection", layer.outer)
            for first in stride(from: 0, to: rows, by: distinct) {
                gated_residual_rows(
                    to.pointer + first * width, from.pointer, branch.pointer + first * width, layer.attentionGate.pointer,
                    distinct, width)
            }
            note("gatedResidual", floats: from.count + 2 * to.count)
            (from, to) = (to, x[1])
            bf16_rms_norm(normed.pointer, nil, inverse.pointer, from.pointer, layer.feedForwardScale.pointer, rows, width)
            note("rmsNorm", floats: from.count)
            layer.up.multiply(
                normed.pointer, stride: width, rows: rows, bias: layer.upBias?.pointer, rounding: wide.pointer)
            note("upProjection", layer.up)
            bf16_geglu_forward(gated.pointer, wide.pointer, rows, gated.width)
            Profile.mark("GEGLU", bytes: 3 * rows * gated.width * MemoryLayout<bfloat16>.stride)
            layer.down.multiply(
                gated.pointer, stride: gated.width, rows: rows, bias: layer.downBias?.pointer, into: branch.pointer)
            note("downProjection", layer.down)
            gated_residual_rows(to.pointer, from.pointer, branch.pointer, layer.feedForwardGate.pointer, rows, width)
            note("gatedResidual", floats: from.count + 2 * to.count)
            (from, to) = (to, x[0])
        }
        length += 1
        return from
    }

    /// Of a product's operands, what it multiplies the few rows with is nearly all.
    private func note(_ op: String, _ weight: PackedWeights) { Profile.mark(op, bytes: weight.bytes) }

    private func note(_ op: String, floats: @autoclosure () -> Int) {
        Profile.mark(op, bytes: floats() * MemoryLayout<Float>.stride)
    }

    /// Puts the new keys and values into the cache and fills `mixed`, from `distinct` rows of `qkv`.
    private func attend(_ layer: PackedDecoder.Layer, _ index: Int, distinct: Int) {
        let (heads, d, width) = (decoder.sizes.heads, decoder.sizes.headWidth, decoder.sizes.width)
        let (cosine, sine) = (decoder.table.cosine.pointer + length * d / 2, decoder.table.sine.pointer + length * d / 2)
        let (queryNorm, keyNorm) = (layer.queryNorm.pointer, layer.keyNorm.pointer)
        let (query, key, inverse) = (query.pointer, key.pointer, inverse.pointer)
        let (scores, weights) = (scores.pointer, weights.pointer)
        let keySize = Self.groupSize(heads: heads, headWidth: d).keys * capacity / Self.group
        var (keys, mixed) = (cache.pairs(index * rows), mixed.pointer)
        let scale = 1 / Float(d).squareRoot()
        for row in 0..<rows {
            let (new, values) = (qkv.row(row % distinct), keys + keySize)
            bf16_rotary_norm_forward(query, inverse, new, queryNorm, cosine, sine, heads, d, d, 0)
            bf16_rotary_norm_forward(key, inverse, new + width, keyNorm, cosine, sine, heads, d, d, 0)
            bf16_cache_token(keys, values, key, new + 2 * width, length, heads, d)
            if row + 1 < rows {
                let next = keys + cache.width / 2
                bf16_cache_fetch(next, next + keySize, length, heads, d)
            }
            bf16_attention_decode(mixed, scores, weights, query, keys, values, scale, length + 1, heads, d, capacity)
            keys += cache.width / 2
            mixed += width
        }
    }

    /// Logits of the ids in `segment` for the first `count` rows, [count, 1, segment.count]; with a `scale` of the mixed branches.
    public func logits(_ hidden: Tensor, _ segment: Range<Int>, count: Int, mixing scale: Double?) -> Tensor {
        guard let head = decoder.heads[segment] else { fatalError("no logits of \(segment) were announced") }
        let normalized = decoder.outputScale.map { rmsNorm(hidden, weight: $0) } ?? hidden
        let width = decoder.sizes.width
        bf16_round(
            normed.pointer, width, mixedBranches(normalized, count: count, scale: scale).pointer, width, count, width, width)
        let result = Tensor(uninitialized: [count, 1, segment.count])
        note("mixAndNorm", floats: hidden.count)
        head.multiply(normed.pointer, stride: width, rows: count, into: result.pointer)
        note("head", head)
        return result
    }
}
