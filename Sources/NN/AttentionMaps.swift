import TensorCore

extension Transformer {
    /// What each query attends to, averaged over the batch: x [B, L, D] → probabilities [layers, heads, L, L], rows
    /// summing to one. Written for looking at trained models: it stores every score, which training never does.
    public func attentionMaps(_ x: Tensor, table: RotaryTable) -> Tensor {
        let (length, heads) = (x.shape[1], shape.heads)
        var none = Dropout.none
        let c = condition(on: nil, dropout: &none)
        var x = x
        let maps = layers.map { layer -> Tensor in
            let attention = layer.attention
            let read = layer.attentionNorm(x, condition: c, on: nil)
            let q = rotaryNorm(
                attention.toQueries(read, on: nil), weight: attention.queryNorm.value, table: table, heads: heads)
            let k = rotaryNorm(
                attention.toKeysValues(read, on: nil), weight: attention.keyNorm.value, table: table, heads: heads)
            x = layer(x, condition: c, table: table, on: nil, dropout: &none)
            return meanAttentionProbabilities(q: q, k: k, heads: heads, causal: shape.causal)
                .reshaped([1, heads, length * length])
        }
        return concatTokens(maps).reshaped([layers.count, heads, length, length])
    }
}
