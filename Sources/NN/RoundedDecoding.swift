import CKernels
import TensorCore

/// A transformer made ready for decoding in bfloat16: weights rounded and packed once.
///
/// A row's output does not depend on which rows are decoded with it, to the bit.
public struct RoundedDecoder: StepDecoder {
    fileprivate struct Layer {
        let attentionScale, feedForwardScale, attentionGate, feedForwardGate, queryNorm, keyNorm: Tensor
        let inner, outer, expand, contract: Panels
        let projectionBias, expandBias, contractBias: Tensor?
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
        layers = transformer.layers.map { layer in
            let (attention, feedForward) = (layer.attention, layer.feedForward)
            let expand = feedForward.expand.blockWeight(on: nil)
            return Layer(
                attentionScale: layer.attentionNorm.affine(c, on: nil),
                feedForwardScale: layer.feedForwardNorm.affine(c, on: nil),
                attentionGate: layer.attentionGate(c, on: nil), feedForwardGate: layer.feedForwardGate(c, on: nil),
                queryNorm: attention.queryNorm.value, keyNorm: attention.keyNorm.value,
                inner: Panels(
                    transposing: WeightRows(attention.toQueries.weight.value, attention.toKeysValues.weight.value)),
                outer: Panels(transposing: WeightRows(attention.projection.weight.value)),
                expand: Panels(transposing: expand.paddedHalves),
                contract: Panels(transposing: WeightRows(feedForward.contract.weight.value)),
                projectionBias: attention.projection.bias?.value, expandBias: expand.paddedBias,
                contractBias: feedForward.contract.bias?.value)
        }
        outputScale = transformer.outputNorm?.affine(c, on: nil)
        heads = Dictionary(
            uniqueKeysWithValues: Set(segments).map {
                ($0, Panels(transposing: WeightRows(head, $0)))
            })
    }

    public func session(rows: Int, capacity: Int) -> any DecodingSession {
        RoundedSession(self, rows: rows, capacity: capacity)
    }

    /// Bytes that keys and values of one row take.
    public static func cacheBytes(_ shape: TransformerShape, capacity: Int) -> Int {
        2 * shape.layers * shape.width * RoundedSession.rounded(capacity) * MemoryLayout<bfloat16>.stride
    }
}

/// Keys and values of `rows` sequences, and the memory that a step works in.
private final class RoundedSession: DecodingSession {
    private let decoder: RoundedDecoder
    private let rows, capacity: Int
    private var length = 0
    /// Of every layer: keys [rows, heads, blocks, head width / 2, 32] as pairs of channels, values [rows, heads, capacity,
    /// head width].
    private let keys, values: [Rounded]
    private let normed, qkv, mixed, wide, gated, turned: Rounded
    private let branch, inverse, scores: Storage
    private let x: [Tensor]

    /// Keys that lie beside one another, channel by channel.
    private static let block = Int(BF16_KEYS)

    /// Up to whole blocks of keys.
    static func rounded(_ capacity: Int) -> Int { (capacity + block - 1) / block * block }

    init(_ decoder: RoundedDecoder, rows: Int, capacity: Int) {
        (self.decoder, self.rows) = (decoder, rows)
        self.capacity = Self.rounded(capacity)
        let (shape, cells) = (decoder.shape, rows * self.capacity)
        keys = (0..<shape.layers).map { _ in Rounded(rows: cells, width: shape.width) }
        values = (0..<shape.layers).map { _ in Rounded(rows: cells, width: shape.width) }
        normed = Rounded(rows: rows, width: shape.width)
        qkv = Rounded(rows: rows, width: 3 * shape.width)
        mixed = Rounded(rows: rows, width: shape.width)
        wide = Rounded(rows: rows, width: 2 * Rounded.even(shape.hidden))
        gated = Rounded(rows: rows, width: Rounded.even(shape.hidden))
        turned = Rounded(rows: 2, width: shape.headWidth)
        branch = Storage(count: rows * shape.width)
        (inverse, scores) = (Storage(count: max(rows, 2)), Storage(count: self.capacity))
        x = (0..<2).map { _ in Tensor(uninitialized: [rows, 1, shape.width]) }
    }

    func step(_ input: Tensor) -> Tensor {
        let width = decoder.shape.width
        require(
            input.shape == [rows, 1, width] && length < capacity,
            "decoding \(input.shape) at \(length) does not fit a cache of \(rows) rows, \(capacity) tokens")
        var (from, to) = (input, x[0])
        for (index, layer) in decoder.layers.enumerated() {
            bf16_rms_norm(normed.pointer, nil, inverse.pointer, from.pointer, layer.attentionScale.pointer, rows, width)
            layer.inner.multiply(normed.pointer, stride: width, rows: rows, rounding: qkv.pointer)
            attend(layer, keys[index], values[index])
            layer.outer.multiply(
                mixed.pointer, stride: width, rows: rows, bias: layer.projectionBias?.pointer, into: branch.pointer)
            gated_residual_rows(to.pointer, from.pointer, branch.pointer, layer.attentionGate.pointer, rows, width)
            (from, to) = (to, x[1])
            bf16_rms_norm(normed.pointer, nil, inverse.pointer, from.pointer, layer.feedForwardScale.pointer, rows, width)
            layer.expand.multiply(
                normed.pointer, stride: width, rows: rows, bias: layer.expandBias?.pointer, rounding: wide.pointer)
            bf16_geglu_forward(gated.pointer, wide.pointer, rows, gated.width)
            layer.contract.multiply(
                gated.pointer, stride: gated.width, rows: rows, bias: layer.contractBias?.pointer, into: branch.pointer)
            gated_residual_rows(to.pointer, from.pointer, branch.pointer, layer.feedForwardGate.pointer, rows, width)
            (from, to) = (to, x[0])
        }
        length += 1
        return from
    }

    /// Puts the new keys and values into the cache and fills `mixed`.
    private func attend(_ layer: RoundedDecoder.Layer, _ keys: Rounded, _ values: Rounded) {
        let (heads, d, width) = (decoder.shape.heads, decoder.shape.headWidth, decoder.shape.width)
        let half = d / 2
        let (cosine, sine) = (decoder.table.cosine.pointer + length * half, decoder.table.sine.pointer + length * half)
        let pairs = UnsafeMutableRawPointer(keys.pointer).assumingMemoryBound(to: UInt32.self)
        let newKey = UnsafeMutableRawPointer(turned.row(1)).assumingMemoryBound(to: UInt32.self)
        for cell in 0..<rows * heads {
            let at = cell / heads * 3 * width + cell % heads * d
            bf16_rotary_norm_forward(
                turned.pointer, inverse.pointer, qkv.pointer + at, layer.queryNorm.pointer, cosine, sine, 1, d, d)
            bf16_rotary_norm_forward(
                turned.row(1), inverse.pointer, qkv.pointer + at + width, layer.keyNorm.pointer, cosine, sine, 1, d, d)
            let (ownKeys, ownValues) = (pairs + cell * half * capacity, values.pointer + cell * capacity * d)
            let place = ownKeys + length / Self.block * Self.block * half + length % Self.block
            for pair in 0..<half { place[pair * Self.block] = newKey[pair] }
            (ownValues + length * d).update(from: qkv.pointer + at + 2 * width, count: d)
            bf16_attention_decode(
                mixed.pointer + cell * d, scores.pointer, turned.pointer, ownKeys, ownValues, 1 / Float(d).squareRoot(),
                length + 1, d, capacity)
        }
    }

    func logits(_ hidden: Tensor, _ segment: Range<Int>) -> Tensor {
        guard let head = decoder.heads[segment] else { fatalError("no logits of \(segment) were announced") }
        let width = decoder.shape.width
        let result = Tensor(uninitialized: [rows, 1, segment.count])
        if let scale = decoder.outputScale {
            bf16_rms_norm(normed.pointer, nil, inverse.pointer, hidden.pointer, scale.pointer, rows, width)
        } else {
            bf16_round(normed.pointer, width, hidden.pointer, width, rows, width, width)
        }
        head.multiply(normed.pointer, stride: width, rows: rows, into: result.pointer)
        return result
    }
}
