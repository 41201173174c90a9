/// Traced form of `FeedForwardBlock.swift`.
extension Program {
    func feedForwardBlock(
        _ x: Tensor, scale: Tensor, gate: Tensor, up: BlockWeight, down: BlockWeight, dropout: (p: Float, key: MaskKey)?
    ) -> Tensor {
        let hidden = down.weight.width
        let norm = BlockNorm(node(x), scale: node(scale))
        let (weight, bias) = (node(up.weight).rounded, up.bias.map { node($0).reshaped([2 * hidden]) })
        let product = norm.normed.timesRows(of: weight, .bf16)
        // The product is kept and its bias added again wherever it is read. Without the barrier both would be kept in float32.
        let h = bias == nil ? product : barrier([product])[0]
        func values(_ h: Node) -> Node { bias.map { h.wide + $0.alongColumns(of: h) } ?? h.wide }
        let gated = barrier([gegluValue(values(h)).rounded])[0]
        let branch = BlockBranch(norm, gate: node(gate), down, inner: gated, dropout: dropout)
        return record(branch.value.reshaped(x.shape), from: [x, scale, gate] + up.inputs + down.inputs) { dy in
            let gradient = branch.enter(dy)
            // Sums with a bias wait for the gradient: what forward pass and gradient have in common would lie in memory as float32.
            let tied = bias == nil ? [gradient.inner, h] : self.barrier([gradient.inner, h])
            let (dgated, values) = (tied[0].wide, values(tied[1]))
            let (outer, inner) = (values.sliced(1, 0..<hidden), values.sliced(1, hidden..<2 * hidden))
            let share = self.geluGateAgain(inner)
            let dh = self.barrier([
                Node.concatenated([dgated * inner * share, dgated * outer * self.geluSlope(inner, gate: share)], axis: 1).rounded
            ])[0]
            let (dx, dscale) = norm.leave(gradient.dy, dh.times(weight, .bf16).wide)
            return [dx.reshaped(x.shape), dscale.reshaped(scale.shape), gradient.gate.reshaped(gate.shape), dh.outer(norm.normedAgain)]
                + (up.bias.map { [dh.wide.columnSums.reshaped($0.shape)] } ?? []) + gradient.projection
        }
    }
}
