import CKernels

/// Multi-head attention over q [B, L, H·d], k [B, S, H·d] and v inside kv [B, S, ≥ offset + H·d] at column
/// `valueOffset` → [B, L, H·d]; scale d^-½. Causal: query i sees keys 0…i (L = S).
///
/// The scores of one head are kept only while that head is worked on, and computed again for the gradient.
/// `dropout` acts on the probabilities, its mask drawn from the key.
public func attention(
    q: Tensor, k: Tensor, values kv: Tensor, valueOffset: Int = 0, heads: Int, causal: Bool,
    dropout: (p: Float, key: MaskKey)? = nil
) -> Tensor {
    let (batch, width, stride) = (q.shape[0], q.width, kv.width)
    require(
        q.rank == 3 && k.rank == 3 && kv.rank == 3 && k.width == width && width % heads == 0
            && k.shape[0] == batch && kv.shape[0] == batch && k.shape[1] == kv.shape[1]
            && valueOffset + width <= stride && (!causal || q.shape[1] == k.shape[1]),
        "attention: q \(q.shape), k \(k.shape), values \(kv.shape) at \(valueOffset), \(heads) heads do not fit")
    if let program = Program.tracing(q, k, kv) {
        return program.attention(
            q: q, k: k, values: kv, valueOffset: valueOffset, heads: heads, causal: causal, dropout: dropout)
    }
    let job = AttentionJob(
        batch: batch, heads: heads, queries: q.shape[1], keys: k.shape[1], headWidth: width / heads, width: width,
        valueStride: stride, valueOffset: valueOffset, causal: causal, dropout: dropout)
    let y = Tensor(uninitialized: q.shape)
    let lse = Tensor(uninitialized: [batch, heads, job.queries])
    job.forward(y, lse, q, k, kv)

    let (qSlot, kSlot, vSlot) = (q.slot, k.slot, kv.slot)
    let (q0, k0, v0, y0) = (q.detached(), k.detached(), kv.detached(), y)
    return Tape.record(y, from: [q, k, kv]) { dy, tape in
        let dq = qSlot.map { _ in Tensor(uninitialized: q0.shape) }
        let dk = kSlot.map { _ in Tensor(uninitialized: k0.shape) }
        let dv = vSlot.map { _ in
            stride == width ? Tensor(uninitialized: v0.shape) : Tensor.zeros(v0.shape)
        }
        job.backward((dq, dk, dv), dy, y0, lse, q0, k0, v0)
        if let qSlot, let dq { tape.add(dq, to: qSlot) }
        if let kSlot, let dk { tape.add(dk, to: kSlot) }
        if let vSlot, let dv { tape.add(dv, to: vSlot) }
    }
}

/// Self-attention with everything between the projections (method §3.4): q [B, L, H·d] and kv = [k ; v] [B, L, 2·H·d],
/// per-head RMS norms with weights [d] and rotation on q and k, then attention → [B, L, H·d].
///
/// The same as `rotaryNorm` twice and `attention`, but the gradient of kv is written once, where it belongs.
public func selfAttention(
    q: Tensor, kv: Tensor, queryNorm: Tensor, keyNorm: Tensor, table: RotaryTable, heads: Int, causal: Bool,
    dropout: (p: Float, key: MaskKey)? = nil
) -> Tensor {
    let (batch, length, width) = (q.shape[0], q.shape[1], q.width)
    require(
        q.rank == 3 && kv.shape == [batch, length, 2 * width] && width % heads == 0,
        "selfAttention: q \(q.shape), kv \(kv.shape), \(heads) heads do not fit")
    if let program = Program.tracing(q, kv, queryNorm, keyNorm) {
        RotaryNormJob.requireFitting(q, weight: queryNorm, table: table, heads: heads)
        return program.selfAttention(
            q: q, kv: kv, queryNorm: queryNorm, keyNorm: keyNorm, table: table, heads: heads, causal: causal,
            dropout: dropout)
    }
    let job = AttentionJob(
        batch: batch, heads: heads, queries: length, keys: length, headWidth: width / heads, width: width,
        valueStride: 2 * width, valueOffset: width, causal: causal, dropout: dropout)
    let rotatedQ = RotaryNormJob(q, weight: queryNorm, table: table, heads: heads)
    let rotatedK = RotaryNormJob(kv, weight: keyNorm, table: table, heads: heads)
    let (qr, kr) = (rotatedQ.forward(), rotatedK.forward())
    let y = Tensor(uninitialized: q.shape)
    let lse = Tensor(uninitialized: [batch, heads, length])
    job.forward(y, lse, qr, kr, kv.detached())

    let (qSlot, kvSlot, qwSlot, kwSlot) = (q.slot, kv.slot, queryNorm.slot, keyNorm.slot)
    let kv0 = kv.detached()
    return Tape.record(y, from: [q, kv, queryNorm, keyNorm]) { dy, tape in
        let dqr = Tensor(uninitialized: qr.shape)
        let dkr = Tensor(uninitialized: kr.shape)
        let dkv = Tensor(uninitialized: kv0.shape)
        job.backward((dqr, dkr, dkv), dy, y, lse, qr, kr, kv0)
        let dq = Tensor(uninitialized: dqr.shape)
        rotatedQ.backward(dq, qwSlot, dqr, tape)
        rotatedK.backward(dkv, kwSlot, dkr, tape)
        if let qSlot { tape.add(dq, to: qSlot) }
        if let kvSlot { tape.add(dkv, to: kvSlot) }
    }
}

/// Sizes of one attention, and its work for one head of one sequence.
private struct AttentionJob {
    let batch, heads, queries, keys, headWidth, width, valueStride, valueOffset: Int
    let causal: Bool
    let dropout: (p: Float, key: MaskKey)?

    /// Query rows handled at once: bounds the scores to a few hundred kilobytes and lets causal blocks skip keys.
    private static let block = 128

    private var scale: Float { 1 / Float(headWidth).squareRoot() }

    /// Calls `body` with each block of query rows and the number of keys it can see.
    private func blocks(_ body: (_ first: Int, _ rows: Int, _ visible: Int) -> Void) {
        for first in stride(from: 0, to: queries, by: Self.block) {
            let rows = min(Self.block, queries - first)
            body(first, rows, causal ? min(keys, first + rows) : keys)
        }
    }

    private func offsets(_ index: Int) -> (query: Int, key: Int, value: Int) {
        let (b, h) = (index / heads, index % heads)
        return (
            b * queries * width + h * headWidth, b * keys * width + h * headWidth,
            b * keys * valueStride + valueOffset + h * headWidth
        )
    }

    private func mask(_ p: UnsafeMutablePointer<Float>, _ index: Int, _ first: Int, _ count: Int) {
        guard let dropout else { return }
        dropout_apply(p, p, dropout.p, dropout.key.number, UInt64((index * queries + first) * keys), count)
    }

    /// Fills y and lse, heads in parallel.
    func forward(_ y: Tensor, _ lse: Tensor, _ q: Tensor, _ k: Tensor, _ v: Tensor) {
        Parallel.chunks(batch * heads) { forward($0, y, lse, q, k, v) }
    }

    /// Fills the gradients that are wanted, heads in parallel; of the values' only their own columns.
    func backward(
        _ gradients: (q: Tensor?, k: Tensor?, v: Tensor?), _ dy: Tensor, _ y: Tensor, _ lse: Tensor, _ q: Tensor,
        _ k: Tensor, _ v: Tensor
    ) {
        Parallel.chunks(batch * heads) { backward($0, gradients, dy, y, lse, q, k, v) }
    }

    private func forward(_ index: Int, _ y: Tensor, _ lse: Tensor, _ q: Tensor, _ k: Tensor, _ v: Tensor) {
        let at = offsets(index)
        let scores = Storage(count: min(Self.block, queries) * keys)
        blocks { first, rows, visible in
            MatrixProduct.serial(
                scores.pointer, q.pointer + at.query + first * width, k.pointer + at.key, m: rows, n: visible,
                k: headWidth, lda: width, ldb: width, ldc: visible, transposeB: true)
            attention_softmax(
                scores.pointer, lse.pointer + index * queries + first, scale, rows, visible, visible, first,
                causal ? 1 : 0)
            mask(scores.pointer, index, first, rows * visible)
            MatrixProduct.serial(
                y.pointer + at.query + first * width, scores.pointer, v.pointer + at.value, m: rows, n: headWidth,
                k: visible, lda: visible, ldb: valueStride, ldc: width)
        }
    }

    /// With P the probabilities and P' the same after dropout: dV = P'ᵀ·dY, dP' = dY·Vᵀ,
    /// dS = P∘(dP − Σ dY∘Y)·scale, dQ = dS·K, dK = dSᵀ·Q.
    private func backward(
        _ index: Int, _ gradients: (q: Tensor?, k: Tensor?, v: Tensor?), _ dy: Tensor, _ y: Tensor, _ lse: Tensor,
        _ q: Tensor, _ k: Tensor, _ v: Tensor
    ) {
        let at = offsets(index)
        let size = min(Self.block, queries) * keys
        let (p, ds, dropped) = (
            Storage(count: size), Storage(count: size), dropout.map { _ in Storage(count: size) }
        )
        let delta = Storage(count: Self.block)
        // Later blocks see all the keys of earlier ones, so going backwards the first product overwrites all rows.
        var overwritten = false
        var list: [(Int, Int, Int)] = []
        blocks { list.append(($0, $1, $2)) }
        for (first, rows, visible) in list.reversed() {
            let row = at.query + first * width
            MatrixProduct.serial(
                p.pointer, q.pointer + row, k.pointer + at.key, m: rows, n: visible, k: headWidth, lda: width,
                ldb: width, ldc: visible, transposeB: true)
            attention_probabilities(
                p.pointer, lse.pointer + index * queries + first, scale, rows, visible, visible, first,
                causal ? 1 : 0)
            if let dv = gradients.v {
                var weights = p
                if let dropped {
                    dropped.pointer.update(from: p.pointer, count: rows * visible)
                    mask(dropped.pointer, index, first, rows * visible)
                    weights = dropped
                }
                MatrixProduct.serial(
                    dv.pointer + at.value, weights.pointer, dy.pointer + row, m: visible, n: headWidth, k: rows,
                    lda: visible, ldb: width, ldc: valueStride, transposeA: true, accumulates: overwritten)
            }
            if gradients.q != nil || gradients.k != nil {
                MatrixProduct.serial(
                    ds.pointer, dy.pointer + row, v.pointer + at.value, m: rows, n: visible, k: headWidth,
                    lda: width, ldb: valueStride, ldc: visible, transposeB: true)
                mask(ds.pointer, index, first, rows * visible)
                row_dots(delta.pointer, dy.pointer + row, y.pointer + row, rows, headWidth, width)
                attention_score_gradient(ds.pointer, p.pointer, delta.pointer, scale, rows, visible, visible)
                if let dq = gradients.q {
                    MatrixProduct.serial(
                        dq.pointer + row, ds.pointer, k.pointer + at.key, m: rows, n: headWidth, k: visible,
                        lda: visible, ldb: width, ldc: width)
                }
                if let dk = gradients.k {
                    MatrixProduct.serial(
                        dk.pointer + at.key, ds.pointer, q.pointer + row, m: visible, n: headWidth, k: rows,
                        lda: visible, ldb: width, ldc: width, transposeA: true, accumulates: overwritten)
                }
            }
            overwritten = true
        }
    }
}
