/// Traced form of `HeadCrossEntropy.swift`. Logits lie in memory, in bfloat16; their number is made a multiple of 64, which
/// products and reductions of accelerators want.
extension Program {
    func headCrossEntropy(_ x: Tensor, scale: Tensor, weight: Tensor, targets: TokenTensor) -> Tensor {
        let vocabulary = weight.shape[0]
        let padding = (vocabulary + 63) / 64 * 64 - vocabulary
        let norm = BlockNorm(node(x), scale: node(scale))
        let rows = node(weight).padded(0, low: 0, high: padding).rounded
        let stored = barrier([norm.normed.timesRows(of: rows, .bf16)])[0]
        let logits = stored.wide
        let ids = iota(logits.shape, .i32, axis: 1)
        let known = ids.compare(.less, Double(vocabulary)).select(logits, -1e30)
        let entropy = CrossEntropyRows(known, targets: node(targets).reshaped([targets.count]), stored: stored)
        return record(entropy.loss.reshaped(targets.shape), from: [x, scale, weight]) { dloss in
            let slope = entropy.gradient(dloss.reshaped([targets.count])).rounded
            let (dx, dscale) = norm.leave(self.constant(0, norm.x.shape), slope.times(rows, .bf16).wide)
            return [dx.reshaped(x.shape), dscale.reshaped(scale.shape), slope.outer(norm.normedAgain).sliced(0, 0..<vocabulary)]
        }
    }
}
