import TensorCore

extension PackedDecoder {
    /// A transformer made ready for decoding in bfloat16. `head` [V, D] makes logits; `segments` are the ranges of its rows that
    /// will be asked for.
    public init(_ transformer: Transformer, table: RotaryTable, head: Tensor, segments: [Range<Int>]) {
        var none = Dropout.none
        let c = transformer.condition(on: nil, dropout: &none)
        self.init(
            transformer.layers.map { $0.decoderWeights(condition: c) }, heads: transformer.shape.heads, table: table,
            outputScale: transformer.outputNorm?.affine(c, on: nil), head: head, segments: segments)
    }

    /// Bytes that keys and values of one row take.
    public static func cacheBytes(_ shape: TransformerShape, capacity: Int) -> Int {
        cacheBytes(layers: shape.layers, heads: shape.heads, headWidth: shape.headWidth, capacity: capacity)
    }
}

extension TransformerLayer {
    fileprivate func decoderWeights(condition c: Tensor) -> DecoderLayerWeights {
        DecoderLayerWeights(
            attentionScale: attentionNorm.affine(c, on: nil), attentionGate: attentionGate(c, on: nil),
            queries: attention.toQueries.weight.value, keysValues: attention.toKeysValues.weight.value,
            queryNorm: attention.queryNorm.value, keyNorm: attention.keyNorm.value,
            projection: attention.projection.blockWeight(on: nil), feedForwardScale: feedForwardNorm.affine(c, on: nil),
            feedForwardGate: feedForwardGate(c, on: nil), up: feedForward.upProjection.blockWeight(on: nil),
            down: feedForward.downProjection.blockWeight(on: nil))
    }
}
