/// Traced form of `AttentionBlock.swift`.
///
/// Barriers stand behind what is kept for the gradient: those values are made once and together. The rest is computed again from
/// them. Queries, keys and values come from one product.
extension Program {
    func attentionBlock(
        _ x: Tensor, scale: Tensor, gate: Tensor, queries: Tensor, keysValues: Tensor, queryNorm: Tensor, keyNorm: Tensor,
        projection: BlockWeight, table: RotaryTable, heads: Int, causal: Bool, dropout: (p: Float, key: MaskKey)?,
        outputDropout: (p: Float, key: MaskKey)?
    ) -> Tensor {
        let (batch, length, width) = (x.shape[0], x.shape[1], x.width)
        let norm = BlockNorm(node(x), scale: node(scale))
        let weight = Node.concatenated([node(queries), node(keysValues)], axis: 0).rounded
        let qkv = norm.normed.timesRows(of: weight, .bf16).reshaped([batch, length, 3 * width])
        let q = RotaryNorm(qkv, weight: node(queryNorm), table: table, heads: heads, first: 0)
        let k = RotaryNorm(qkv, weight: node(keyNorm), table: table, heads: heads, first: width)
        let operands = barrier([q.value, k.value])
        let v = qkv.sliced(2, 2 * width..<3 * width)
        let attention: any TracedAttention =
            dropout == nil
            ? FusedAttention(q: operands[0], k: operands[1], v: v, heads: heads, causal: causal)
            : HeadAttention(
                q: operands[0], k: operands[1], v: v, heads: heads, causal: causal, dropout: dropout,
                block: BFloat16Attention.blockRows(causal: causal))
        let mixed = attention.value.reshaped([batch * length, width])
        let branch = BlockBranch(norm, gate: node(gate), projection, inner: mixed, dropout: outputDropout)
        let inputs = [x, scale, gate, queries, keysValues, queryNorm, keyNorm] + projection.inputs
        return record(branch.value.reshaped(x.shape), from: inputs) { dy in
            let gradient = branch.enter(dy)
            let (dqr, dkr, dv) = attention.gradients(gradient.inner.reshaped([batch, length, width]))
            let (dq, dqw) = q.gradients(dqr)
            let (dk, dkw) = k.gradients(dkr)
            let dqkv = self.barrier([
                Node.concatenated([dq.rounded, dk.rounded, dv.rounded], axis: 2).reshaped([batch * length, 3 * width])
            ])[0]
            let dw = dqkv.outer(norm.normedAgain)
            let (dx, dscale) = norm.leave(gradient.dy, dqkv.times(weight, .bf16).wide)
            return [
                dx.reshaped(x.shape), dscale.reshaped(scale.shape), gradient.gate.reshaped(gate.shape), dw.sliced(0, 0..<width),
                dw.sliced(0, width..<3 * width), dqw.reshaped(queryNorm.shape), dkw.reshaped(keyNorm.shape),
            ] + gradient.projection
        }
    }
}

/// The RMS norm that a residual branch begins with: x/‖x‖·√D·(1 + scale), in bfloat16.
struct BlockNorm {
    /// x [rows, D] in float32.
    let x: Node
    /// What products read, and what gradients do: the same before the scale.
    let normed: Node
    private let unit, inverse, scale: Node

    init(_ x: Node, scale: Node) {
        let (program, width) = (x.program, x.width)
        let rows = x.reshaped([x.shape.elementCount / width, width])
        let factor = (1 + scale.reshaped([width])).alongColumns(of: rows)
        let inverse = 1 / rows.squared.rowSums.squareRoot.maximum(1e-12)
        let unit = rows * inverse.alongRows(of: rows) * Double(width).squareRoot()
        let kept = program.barrier([rows, (unit * factor).rounded, unit.rounded, inverse])
        (self.x, normed, self.unit, self.inverse) = (kept[0], kept[1], kept[2], kept[3])
        self.scale = factor
    }

    /// `normed`, from what is kept.
    var normedAgain: Node { (unit.wide * scale).rounded }

    /// Gradients of x, past the branch and through it, and of the scale, given that of the norm's value.
    func leave(_ dy: Node, _ d: Node) -> (x: Node, scale: Node) {
        let (width, wide) = (Double(x.width), unit.wide)
        let t = d * scale
        // The norm of a row that is nearly 0 is a constant.
        let projection = inverse.compare(.less, 1e12).select((t * wide).rowSums / width, 0)
        let factor = (inverse * width.squareRoot()).alongRows(of: t)
        return (dy + factor * (t - wide * projection.alongRows(of: t)), (d * wide).columnSums)
    }
}

/// The end of a residual branch: x + gate·(W·inner + b), inner in bfloat16.
struct BlockBranch {
    /// [rows, D], float32.
    let value: Node
    private let gate, inner, weight: Node
    private let bias: Node?
    private let dropout: (p: Float, keeps: Node)?
    private let shapes: [Shape]

    init(_ norm: BlockNorm, gate: Node, _ output: BlockWeight, inner: Node, dropout: (p: Float, key: MaskKey)?) {
        let program = inner.program
        let rows = norm.x.shape
        self.gate = gate.reshaped([rows[1]])
        self.inner = inner
        weight = program.node(output.weight)
        bias = output.bias.map { program.node($0).reshaped([rows[1]]) }
        shapes = output.inputs.map(\.shape)
        self.dropout = dropout.map { ($0.p, program.keeps($0.p, $0.key, counters: program.counters(rows))) }
        let product = inner.timesRows(of: weight.rounded, .bf16)
        // Without the barrier a bias would be added within the product, whose result then lies in memory as float32.
        var branch = (bias == nil ? product : program.barrier([product])[0]).wide
        if let bias { branch = branch + bias.alongColumns(of: branch) }
        if let dropout = self.dropout { branch = program.dropped(branch, dropout.p, keeps: dropout.keeps) }
        value = norm.x + branch * self.gate.alongColumns(of: branch)
    }

    /// Given the gradient dy of the value: itself, and those of `inner` in bfloat16, of the gate, and of weight and bias.
    func enter(_ dy: Node) -> (dy: Node, inner: Node, gate: Node, projection: [Node]) {
        let program = dy.program
        let dy = dy.reshaped(value.shape)
        let dropped = dropout.map { program.dropped(dy, $0.p, keeps: $0.keeps) } ?? dy
        let kept = program.barrier([dy, dropped.rounded])
        let slope = kept[1]
        // With G = slopeᵀ·inner: dW = gate·G, and the gate's own gradient Σ slope∘(W·inner + b) is Σ W∘G + b·Σ slope.
        let g = slope.outer(inner)
        var dgate = (g * weight).rowSums
        var projection = [(g * gate.alongRows(of: g)).reshaped(shapes[0])]
        if let bias {
            let sums = slope.wide.columnSums
            dgate = dgate + bias * sums
            projection.append((gate * sums).reshaped(shapes[1]))
        }
        return (kept[0], slope.times((weight * gate.alongRows(of: weight)).rounded, .bf16), dgate, projection)
    }
}
