/// Traced forms of `Attention.swift`.
extension Program {
    func attention(
        q: Tensor, k: Tensor, values kv: Tensor, valueOffset: Int, heads: Int, causal: Bool, dropout: (p: Float, key: MaskKey)?
    ) -> Tensor {
        let width = q.width
        let scores = HeadAttention(
            q: node(q), k: node(k), v: node(kv).sliced(2, valueOffset..<valueOffset + width), heads: heads, causal: causal,
            dropout: dropout, block: HeadAttention.float32Block)
        return record(scores.value, from: [q, k, kv]) { dy in
            let (dq, dk, dv) = scores.gradients(dy)
            return [dq, dk, dv.padded(2, low: valueOffset, high: kv.width - valueOffset - width)]
        }
    }

    func selfAttention(
        q: Tensor, kv: Tensor, queryNorm: Tensor, keyNorm: Tensor, table: RotaryTable, heads: Int, causal: Bool,
        dropout: (p: Float, key: MaskKey)?
    ) -> Tensor {
        let (width, both) = (q.width, node(kv))
        let rotatedQ = RotaryNorm(node(q), weight: node(queryNorm), table: table, heads: heads, first: 0)
        let rotatedK = RotaryNorm(both, weight: node(keyNorm), table: table, heads: heads, first: 0)
        let scores = HeadAttention(
            q: rotatedQ.value, k: rotatedK.value, v: both.sliced(2, width..<2 * width), heads: heads, causal: causal,
            dropout: dropout, block: HeadAttention.float32Block)
        return record(scores.value, from: [q, kv, queryNorm, keyNorm]) { dy in
            let (dqr, dkr, dv) = scores.gradients(dy)
            let (dq, dqw) = rotatedQ.gradients(dqr)
            let (dk, dkw) = rotatedK.gradients(dkr)
            return [dq, Node.concatenated([dk, dv], axis: 2), dqw.reshaped(queryNorm.shape), dkw.reshaped(keyNorm.shape)]
        }
    }
}

/// softmax(q·kᵀ/√d)·v, head by head; q [B, L, H·d], k and v [B, S, H·d] → [B, L, H·d].
protocol TracedAttention {
    /// Of the type of q.
    var value: Node { get }
    /// Of q, k and v in their shapes, float32, given that of the value.
    func gradients(_ dy: Node) -> (q: Node, k: Node, v: Node)
}

/// Attention of whose weights some may be dropped, all of which lie in memory.
struct HeadAttention: TracedAttention {
    /// Query rows that the CPU's form handles at once, which masks are numbered by.
    static let float32Block = 128

    let value: Node
    private let q, k, v, p, dropped: Node
    /// [B, H, L, S], before dropout.
    var probabilities: Node { p }
    private let scale: Double
    private let dropout: (p: Float, keeps: Node)?

    init(
        q: Node, k: Node, v: Node, heads: Int, causal: Bool, dropout: (p: Float, key: MaskKey)?, block: Int
    ) {
        let (program, element, shape) = (q.program, q.element, q.shape)
        let d = q.width / heads
        func byHead(_ x: Node) -> Node { x.reshaped([x.shape[0], x.shape[1], heads, d]) }
        (self.q, self.k, self.v) = (byHead(q), byHead(k), byHead(v))
        scale = Double(1 / Float(d).squareRoot())
        var scores = self.q.dot(self.k, ([3], [3]), batch: ([0, 2], [0, 2])) * scale
        if causal {
            let (row, column) = (program.iota(scores.shape, .i32, axis: 2), program.iota(scores.shape, .i32, axis: 3))
            scores = column.compare(.lessOrEqual, row).select(scores, -1e30)
        }
        p = program.softmaxRows(scores)
        self.dropout = dropout.map { p, key in
            (p, program.keeps(p, key, counters: Self.counters(program, scores.shape, causal: causal, block: block)))
        }
        dropped = (self.dropout.map { [p] in program.dropped(p, $0.p, keeps: $0.keeps) } ?? p).converted(to: element)
        value = dropped.dot(self.v, ([3], [1]), batch: ([0, 1], [0, 2])).transposed([0, 2, 1, 3]).reshaped(shape)
            .converted(to: element)
    }

    /// Numbers of scores [B, H, L, S] in the order in which the CPU's form goes through them: blocks of query rows, of which
    /// those of a causal attention have the keys that they see.
    private static func counters(_ program: Program, _ shape: Shape, causal: Bool, block: Int) -> Node {
        let (queries, keys) = (shape[2], shape[3])
        let starts = (0..<queries).map { row -> Int32 in
            let first = row / block * block
            let visible = causal ? min(keys, min(queries, first + block)) : keys
            return Int32(first * keys + (row - first) * visible)
        }
        let rows = program.node(program.function.constant(starts, [queries])).converted(to: .ui64).broadcast(to: shape, axes: [2])
        let head = program.counters([shape[0], shape[1]]).broadcast(to: shape, axes: [0, 1])
        return head * Double(queries * keys) + rows + program.iota(shape, .ui64, axis: 3)
    }

    func gradients(_ dy: Node) -> (q: Node, k: Node, v: Node) {
        let element = q.element
        let d = dy.converted(to: element).reshaped(q.shape)
        // [B, H, S, d] by [B, L, H, d] → [B, S, H·d]
        func flat(_ x: Node) -> Node { x.transposed([0, 2, 1, 3]).reshaped([x.shape[0], x.shape[2], x.shape[1] * x.shape[3]]) }
        let dv = dropped.dot(d, ([2], [1]), batch: ([0, 1], [0, 2]))
        var dp = d.dot(v, ([3], [3]), batch: ([0, 2], [0, 2]))
        if let dropout { dp = d.program.dropped(dp, dropout.p, keeps: dropout.keeps) }
        let ds = (softmaxGradient(dp, p) * scale).converted(to: element)
        return (
            flat(ds.dot(k, ([3], [1]), batch: ([0, 1], [0, 2]))), flat(ds.dot(q, ([2], [1]), batch: ([0, 1], [0, 2]))), flat(dv)
        )
    }
}
