import CKernels

/// Attention between the projections of an `attentionBlock`, head by head, in bfloat16 with float32 scores.
struct BFloat16Attention {
    let batch, length, heads, width: Int
    let causal: Bool
    let dropout: (p: Float, key: MaskKey)?
    let queryNorm, keyNorm: Tensor
    let table: RotaryTable

    init(
        batch: Int, length: Int, heads: Int, width: Int, causal: Bool, dropout: (p: Float, key: MaskKey)?,
        queryNorm: Tensor, keyNorm: Tensor, table: RotaryTable
    ) {
        (self.batch, self.length, self.heads, self.width) = (batch, length, heads, width)
        (self.causal, self.dropout) = (causal, dropout)
        (self.queryNorm, self.keyNorm, self.table) = (queryNorm, keyNorm, table)
        require(
            queryNorm.count == headWidth && keyNorm.count == headWidth && table.tokens == length
                && table.cosine.width * 2 == headWidth && headWidth <= 1024,
            "attentionBlock: head norms \(queryNorm.shape), \(keyNorm.shape) and a table of \(table.cosine.shape) do not fit \(heads) heads of \(length) x \(width)"
        )
    }

    var headWidth: Int { width / heads }
    /// Heads of all sequences.
    var count: Int { batch * heads }

    /// Query rows handled at once: where causal, few enough to skip many keys that they cannot see.
    static func blockRows(causal: Bool) -> Int { causal ? 48 : 96 }

    private var blockRows: Int { Self.blockRows(causal: causal) }

    /// Calls `body` with ranges of heads, each of which one thread works through with memory of its own.
    private func forEachRange(_ body: (Range<Int>) -> Void) { Parallel.ranges(count, grain: 4, body) }

    private var scale: Float { 1 / Float(headWidth).squareRoot() }

    /// First row, rows, and keys that are seen, of every block of queries.
    private var blocks: [(first: Int, rows: Int, visible: Int)] {
        stride(from: 0, to: length, by: blockRows).map { first in
            let rows = min(blockRows, length - first)
            return (first, rows, causal ? first + rows : length)
        }
    }

    /// Queries and keys of one head, normalised and rotated.
    private struct Rotated {
        let q, k: BFloat16Matrix
        let inverseQ, inverseK: Storage
    }

    private func rotated(_ qkv: UnsafePointer<bfloat16>) -> Rotated {
        let result = Rotated(
            q: BFloat16Matrix(rows: length, width: headWidth), k: BFloat16Matrix(rows: length, width: headWidth),
            inverseQ: Storage(count: length), inverseK: Storage(count: length))
        bf16_rotary_norm_forward(
            result.q.pointer, result.inverseQ.pointer, qkv, queryNorm.pointer, table.cosine.pointer, table.sine.pointer,
            length, headWidth, 3 * width, headWidth / 2)
        bf16_rotary_norm_forward(
            result.k.pointer, result.inverseK.pointer, qkv + width, keyNorm.pointer, table.cosine.pointer,
            table.sine.pointer, length, headWidth, 3 * width, headWidth / 2)
        return result
    }

    /// Where a head's columns begin in rows of `stride`.
    private func start(_ index: Int, stride: Int) -> Int { index / heads * length * stride + index % heads * headWidth }

    private func mask(_ p: UnsafeMutablePointer<Float>, _ index: Int, _ first: Int, _ count: Int) {
        guard let dropout else { return }
        dropout_apply(p, p, dropout.p, dropout.key.number, UInt64((index * length + first) * length), count)
    }

    /// Fills mixed [B·L, D] and lse [heads, L] from qkv [B·L, 3D].
    func forward(_ mixed: BFloat16Matrix, _ lse: Tensor, _ qkv: BFloat16Matrix) {
        forEachRange { range in
            let scores = Storage(count: blockRows * length)
            let probabilities = BFloat16Matrix(rows: blockRows, width: BFloat16Matrix.even(length))
            let blocks = blocks
            for index in range {
                let own = qkv.pointer + start(index, stride: 3 * width)
                let rotated = rotated(own)
                let keys = PackedWeights(transposing: rotated.k)
                let values = PackedWeights(own + 2 * width, stride: 3 * width, summed: length, columns: headWidth)
                for (first, rows, visible) in blocks {
                    keys.multiply(
                        rotated.q.row(first), stride: headWidth, rows: rows, into: scores.pointer, columns: visible)
                    attention_softmax(
                        scores.pointer, lse.pointer + index * length + first, scale, rows, visible, visible, first,
                        causal ? 1 : 0)
                    mask(scores.pointer, index, first, rows * visible)
                    let stride = BFloat16Matrix.even(visible)
                    bf16_round(probabilities.pointer, stride, scores.pointer, visible, rows, visible, stride)
                    values.multiply(
                        probabilities.pointer, stride: stride, rows: rows,
                        rounding: mixed.row(first) + start(index, stride: width), rowOfC: width, pairs: stride / 2)
                }
            }
        }
    }

    /// Fills dqkv [B·L, 3D]; returns the head norms' gradients, queries' and keys' beside one another, by head.
    ///
    /// With P the probabilities and P' the same after dropout: dV = P'ᵀ·dY, dP' = dY·Vᵀ,
    /// dS = P∘(dP − Σ dY∘Y)·scale, dQ = dS·K, dK = dSᵀ·Q.
    func backward(_ dqkv: BFloat16Matrix, _ dmixed: BFloat16Matrix, _ mixed: BFloat16Matrix, _ lse: Tensor, _ qkv: BFloat16Matrix)
        -> PartialSums
    {
        let norms = PartialSums(parts: count, width: 2 * headWidth)
        forEachRange { range in
            let scratch = Scratch(blockRows: blockRows, length: length, headWidth: headWidth)
            for index in range { backward(index, scratch, norms.part(index), dqkv, dmixed, mixed, lse, qkv) }
        }
        return norms
    }

    /// What the gradient of a head is worked out in.
    private struct Scratch {
        let p, ds, delta, dq, dk, dv: Storage
        let rounded: BFloat16Matrix

        init(blockRows: Int, length: Int, headWidth: Int) {
            (p, ds) = (Storage(count: blockRows * length), Storage(count: blockRows * length))
            rounded = BFloat16Matrix(rows: blockRows, width: BFloat16Matrix.even(length))
            delta = Storage(count: blockRows)
            let size = length * headWidth
            (dq, dk, dv) = (Storage(count: size), Storage(count: size), Storage(count: size))
        }
    }

    private func backward(
        _ index: Int, _ scratch: Scratch, _ dnorms: UnsafeMutablePointer<Float>, _ dqkv: BFloat16Matrix, _ dmixed: BFloat16Matrix,
        _ mixed: BFloat16Matrix,
        _ lse: Tensor, _ qkv: BFloat16Matrix
    ) {
        let (own, at, d) = (qkv.pointer + start(index, stride: 3 * width), start(index, stride: width), headWidth)
        let rotated = rotated(own)
        let keys = PackedWeights(transposing: rotated.k)
        let keyRows = PackedWeights(rotated.k)
        let values = PackedWeights(transposing: own + 2 * width, stride: 3 * width, columns: length, summed: d)
        let (p, ds, rounded, delta) = (scratch.p, scratch.ds, scratch.rounded, scratch.delta)
        let (dq, dk, dv) = (scratch.dq, scratch.dk, scratch.dv)
        // Later blocks see all the keys of earlier ones, so going backwards the first product overwrites all rows.
        for (number, block) in blocks.reversed().enumerated() {
            let (first, rows, visible) = block
            let stride = BFloat16Matrix.even(visible)
            let dy = dmixed.row(first) + at
            keys.multiply(rotated.q.row(first), stride: d, rows: rows, into: p.pointer, columns: visible)
            attention_probabilities(
                p.pointer, lse.pointer + index * length + first, scale, rows, visible, visible, first, causal ? 1 : 0)
            values.multiply(dy, stride: width, rows: rows, into: ds.pointer, columns: visible)
            mask(ds.pointer, index, first, rows * visible)
            bf16_row_dots(delta.pointer, dy, mixed.row(first) + at, rows, d, width)
            attention_score_gradient(ds.pointer, p.pointer, delta.pointer, scale, rows, visible, visible)
            mask(p.pointer, index, first, rows * visible)
            bf16_round(rounded.pointer, stride, p.pointer, visible, rows, visible, stride)
            Profile.count(2 * visible, d, rows)
            bf16_outer(
                dv.pointer, d, rounded.pointer, stride, dy, width, visible, d, rows, number > 0 ? 1 : 0)
            bf16_round(rounded.pointer, stride, ds.pointer, visible, rows, visible, stride)
            keyRows.multiply(
                rounded.pointer, stride: stride, rows: rows, into: dq.pointer + first * d, pairs: stride / 2)
            bf16_outer(
                dk.pointer, d, rounded.pointer, stride, rotated.q.row(first), d, visible, d, rows, number > 0 ? 1 : 0)
        }
        let target = dqkv.pointer + start(index, stride: 3 * width)
        bf16_rotary_norm_backward(
            target, dnorms, dq.pointer, own, rotated.inverseQ.pointer, queryNorm.pointer, table.cosine.pointer,
            table.sine.pointer, length, d, 3 * width)
        bf16_rotary_norm_backward(
            target + width, dnorms + d, dk.pointer, own + width, rotated.inverseK.pointer, keyNorm.pointer,
            table.cosine.pointer, table.sine.pointer, length, d, 3 * width)
        bf16_round(target + 2 * width, 3 * width, dv.pointer, d, length, d, d)
    }
}
