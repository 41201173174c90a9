/// Traced form of `FeedForwardBlock.swift`.
extension Program {
    func feedForwardBlock(
        _ x: Tensor, scale: Tensor, gate: Tensor, up: BlockWeight, down: BlockWeight, dropout: (p: Float, key: MaskKey)?
    ) -> Tensor {
        let hidden = down.weight.width
        let norm = BlockNorm(node(x), scale: node(scale))
        let (weight, bias) = (node(up.weight).rounded, up.bias.map { node($0).reshaped([2 * hidden]) })
        var wide = norm.normed.timesRows(of: weight, bias == nil ? .bf16 : .f32)
        if let bias { wide = (wide + bias.alongColumns(of: wide)).rounded }
        let h = wide
        let gated = barrier([gegluValue(h.wide).rounded])[0]
        let branch = BlockBranch(norm, gate: node(gate), down, inner: gated, dropout: dropout)
        return record(branch.value.reshaped(x.shape), from: [x, scale, gate] + up.inputs + down.inputs) { dy in
            let gradient = branch.enter(dy)
            let (dgated, values) = (gradient.inner.wide, h.wide)
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
