import CKernels
import TensorCore

/// A transformer made ready for decoding in bfloat16: weights rounded and packed once.
///
/// A row's output does not depend on which rows are decoded with it, to the bit.
public struct RoundedDecoder: StepDecoder {
    /// A class, so that a step, of which there are many, does not count references to all of its parts.
    fileprivate final class Layer {
        let attentionScale, feedForwardScale, attentionGate, feedForwardGate, queryNorm, keyNorm: Tensor
        let inner, outer, expand, contract: Panels
        let projectionBias, expandBias, contractBias: Tensor?

        init(_ layer: TransformerLayer, condition c: Tensor) {
            let (attention, feedForward) = (layer.attention, layer.feedForward)
            let wide = feedForward.expand.blockWeight(on: nil)
            (attentionScale, attentionGate) = (layer.attentionNorm.affine(c, on: nil), layer.attentionGate(c, on: nil))
            (queryNorm, keyNorm) = (attention.queryNorm.value, attention.keyNorm.value)
            inner = Panels(
                transposing: WeightRows(attention.toQueries.weight.value, attention.toKeysValues.weight.value))
            outer = Panels(transposing: WeightRows(attention.projection.weight.value))
            projectionBias = attention.projection.bias?.value
            feedForwardScale = layer.feedForwardNorm.affine(c, on: nil)
            feedForwardGate = layer.feedForwardGate(c, on: nil)
            (expand, expandBias) = (Panels(transposing: wide.paddedHalves), wide.paddedBias)
            contract = Panels(transposing: WeightRows(feedForward.contract.weight.value))
            contractBias = feedForward.contract.bias?.value
        }
    }

    fileprivate let shape: TransformerShape
    fileprivate let layers: [Layer]
    fileprivate let outputScale: Tensor?
    fileprivate let table: RotaryTable
    fileprivate let heads: [Range<Int>: Panels]

    /// `head` [V, D] makes logits; `segments` are the ranges of its rows that will be asked for.
    public init(_ transformer: Transformer, table: RotaryTable, head: Tensor, segments: [Range<Int>]) {
        shape = transformer.shape
        self.table = table
        var none = Dropout.none
        let c = transformer.condition(on: nil, dropout: &none)
        layers = transformer.layers.map { Layer($0, condition: c) }
        outputScale = transformer.outputNorm?.affine(c, on: nil)
        heads = Dictionary(
            uniqueKeysWithValues: Set(segments).map {
                ($0, Panels(transposing: WeightRows(head, $0)))
            })
    }

    public func session(rows: Int, capacity: Int) -> any DecodingSession {
        RoundedSession(self, rows: rows, capacity: capacity)
    }

    /// What the layers' weights take, packed.
    public var weightBytes: Int {
        layers.reduce(0) { $0 + $1.inner.bytes + $1.outer.bytes + $1.expand.bytes + $1.contract.bytes }
    }

    /// Bytes that keys and values of one row take.
    public static func cacheBytes(_ shape: TransformerShape, capacity: Int) -> Int {
        let (keys, values) = RoundedSession.groupSize(shape)
        return shape.layers * RoundedSession.groups(capacity) * (keys + values) * MemoryLayout<UInt32>.stride
    }
}

/// Keys and values of `rows` sequences, and the memory that a step works in.
private final class RoundedSession: DecodingSession {
    private let decoder: RoundedDecoder
    private let rows, capacity: Int
    private var length = 0
    /// [layers, rows], keys and then values of each; kernels.h says how they lie. One block, so that it lies in huge pages:
    /// the processor does not read ahead past the end of a page.
    private let cache: Rounded
    private let normed, qkv, mixed, wide, gated, query, key, weights: Rounded
    private let branch, inverse, scores: Storage
    private let x: [Tensor]

    private static let group = Int(BF16_GROUP)

    /// Groups that hold `count` tokens, or channels.
    static func groups(_ count: Int) -> Int { (count + group - 1) / group }

    /// Pairs of keys and of values that one group of tokens of a sequence takes in one layer.
    static func groupSize(_ shape: TransformerShape) -> (keys: Int, values: Int) {
        let half = shape.heads * group / 2
        return (half * shape.headWidth, half * groups(shape.headWidth) * group)
    }

    init(_ decoder: RoundedDecoder, rows: Int, capacity: Int) {
        (self.decoder, self.rows) = (decoder, rows)
        self.capacity = Self.groups(capacity) * Self.group
        let shape = decoder.shape
        let (keys, values) = Self.groupSize(shape)
        cache = Rounded(rows: shape.layers * rows, width: 2 * Self.groups(capacity) * (keys + values))
        normed = Rounded(rows: rows, width: shape.width)
        qkv = Rounded(rows: rows, width: 3 * shape.width)
        mixed = Rounded(rows: rows, width: shape.width)
        wide = Rounded(rows: rows, width: 2 * Rounded.even(shape.hidden))
        gated = Rounded(rows: rows, width: Rounded.even(shape.hidden))
        query = Rounded(rows: 1, width: shape.width)
        key = Rounded(rows: 1, width: shape.width)
        weights = Rounded(rows: shape.heads, width: self.capacity)
        branch = Storage(count: rows * shape.width)
        inverse = Storage(count: max(rows, shape.heads))
        scores = Storage(count: shape.heads * (self.capacity + Self.groups(shape.headWidth) * Self.group))
        x = (0..<2).map { _ in Tensor(uninitialized: [rows, 1, shape.width]) }
    }

    func step(_ input: Tensor) -> Tensor {
        let width = decoder.shape.width
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
            layer.expand.multiply(
                normed.pointer, stride: width, rows: rows, bias: layer.expandBias?.pointer, rounding: wide.pointer)
            note("expand", layer.expand)
            bf16_geglu_forward(gated.pointer, wide.pointer, rows, gated.width)
            Profile.mark("GEGLU", bytes: 3 * rows * gated.width * MemoryLayout<bfloat16>.stride)
            layer.contract.multiply(
                gated.pointer, stride: gated.width, rows: rows, bias: layer.contractBias?.pointer, into: branch.pointer)
            note("contract", layer.contract)
            gated_residual_rows(to.pointer, from.pointer, branch.pointer, layer.feedForwardGate.pointer, rows, width)
            note("gatedResidual", floats: from.count + 2 * to.count)
            (from, to) = (to, x[0])
        }
        length += 1
        return from
    }

    /// Of a product's operands, what it multiplies the few rows with is nearly all.
    private func note(_ op: String, _ weight: Panels) { Profile.mark(op, bytes: weight.bytes) }

    private func note(_ op: String, floats: @autoclosure () -> Int) {
        Profile.mark(op, bytes: floats() * MemoryLayout<Float>.stride)
    }

    /// Puts the new keys and values into the cache and fills `mixed`, from `distinct` rows of `qkv`.
    private func attend(_ layer: RoundedDecoder.Layer, _ index: Int, distinct: Int) {
        let (heads, d, width) = (decoder.shape.heads, decoder.shape.headWidth, decoder.shape.width)
        let (cosine, sine) = (decoder.table.cosine.pointer + length * d / 2, decoder.table.sine.pointer + length * d / 2)
        let (queryNorm, keyNorm) = (layer.queryNorm.pointer, layer.keyNorm.pointer)
        let (query, key, inverse) = (query.pointer, key.pointer, inverse.pointer)
        let (scores, weights) = (scores.pointer, weights.pointer)
        let keySize = Self.groupSize(decoder.shape).keys * capacity / Self.group
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

    func logits(_ hidden: Tensor, _ segment: Range<Int>, count: Int, mixing scale: Double?) -> Tensor {
        guard let head = decoder.heads[segment] else { fatalError("no logits of \(segment) were announced") }
        let normalized = decoder.outputScale.map { rmsNorm(hidden, weight: $0) } ?? hidden
        let width = decoder.shape.width
        bf16_round(
            normed.pointer, width, mixedBranches(normalized, count: count, scale: scale).pointer, width, count, width, width)
        let result = Tensor(uninitialized: [count, 1, segment.count])
        note("mixAndNorm", floats: hidden.count)
        head.multiply(normed.pointer, stride: width, rows: count, into: result.pointer)
        note("head", head)
        return result
    }
}
