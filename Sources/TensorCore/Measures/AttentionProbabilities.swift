import Foundation

/// softmax(q·kᵀ/√d) averaged over the batch: q and k [B, L, heads·d], normalised and rotated → [heads, L, L], rows summing to
/// one. For looking at trained models: it stores every score, which training never does.
public func meanAttentionProbabilities(q: Tensor, k: Tensor, heads: Int, causal: Bool) -> Tensor {
    require(
        q.rank == 3 && q.shape == k.shape && q.width % heads == 0,
        "meanAttentionProbabilities: q \(q.shape), k \(k.shape), \(heads) heads do not fit")
    if let program = Program.tracing(q, k) { return program.meanAttentionProbabilities(q: q, k: k, heads: heads, causal: causal) }
    let (batch, length, width, d) = (q.shape[0], q.shape[1], q.width, q.width / heads)
    let maps = Tensor.zeros([heads, length, length])
    Parallel.ranges(heads * length, grain: 1) { range in
        for place in range {
            let (head, query) = (place / length, place % length)
            let visible = causal ? query + 1 : length
            for b in 0..<batch {
                let own = q.pointer + (b * length + query) * width + head * d
                let scores = (0..<visible).map { key -> Float in
                    let other = k.pointer + (b * length + key) * width + head * d
                    return (0..<d).reduce(Float(0)) { $0 + own[$1] * other[$1] } / Float(d).squareRoot()
                }
                let top = scores.max() ?? 0
                let weights = scores.map { exp($0 - top) }
                let total = weights.reduce(0, +) * Float(batch)
                for (key, weight) in weights.enumerated() { maps.pointer[place * length + key] += weight / total }
            }
        }
    }
    return maps
}
