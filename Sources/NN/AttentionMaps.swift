import Foundation
import TensorCore

extension Transformer {
    /// What each query attends to, averaged over the batch: x [B, L, D] → probabilities [layers, heads, L, L], rows
    /// summing to one. Written for looking at trained models: it stores every score, which training never does.
    public func attentionMaps(_ x: Tensor, table: RotaryTable) -> Tensor {
        let (length, heads) = (x.shape[1], shape.heads)
        let maps = Tensor.zeros([layers.count, heads, length, length])
        var none = Dropout.none
        let c = condition(on: nil, dropout: &none)
        var x = x
        for (index, layer) in layers.enumerated() {
            let read = layer.attentionNorm(x, condition: c, on: nil)
            layer.attention.addProbabilities(
                of: read, table: table, to: maps.pointer + index * heads * length * length)
            x = layer(x, condition: c, table: table, on: nil, dropout: &none)
        }
        return maps
    }
}

extension SelfAttention {
    /// Adds softmax(q·kᵀ/√d), averaged over the batch, to `maps` [heads, L, L].
    fileprivate func addProbabilities(of x: Tensor, table: RotaryTable, to maps: UnsafeMutablePointer<Float>) {
        let (batch, length, heads, d, width) = (x.shape[0], x.shape[1], shape.heads, shape.headWidth, shape.width)
        let q = rotaryNorm(toQueries(x, on: nil), weight: queryNorm.value, table: table, heads: heads)
        let k = rotaryNorm(toKeysValues(x, on: nil), weight: keyNorm.value, table: table, heads: heads)
        nonisolated(unsafe) let maps = maps
        Parallel.ranges(heads * length, grain: 1) { range in
            for place in range {
                let (head, query) = (place / length, place % length)
                let visible = shape.causal ? query + 1 : length
                for b in 0..<batch {
                    let own = q.pointer + (b * length + query) * width + head * d
                    let scores = (0..<visible).map { key -> Float in
                        let other = k.pointer + (b * length + key) * width + head * d
                        return (0..<d).reduce(Float(0)) { $0 + own[$1] * other[$1] } / Float(d).squareRoot()
                    }
                    let top = scores.max() ?? 0
                    let weights = scores.map { exp($0 - top) }
                    let total = weights.reduce(0, +) * Float(batch)
                    for (key, weight) in weights.enumerated() { maps[place * length + key] += weight / total }
                }
            }
        }
    }
}
