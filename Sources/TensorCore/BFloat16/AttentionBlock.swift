import CKernels

/// The first half of a transformer layer in bfloat16: x + gate·proj(attention(q, k, v)), q = to_q(x̂), [k ; v] = to_kv(x̂),
/// x̂ the RMS norm of x with weight `scale`; q and k normalised per head and rotated (method §3.4). x [B, L, D], scale and
/// gate [1, D], to_q [D, D], to_kv [2D, D], head norms [D / heads].
///
/// Saved for the gradient are the normalised input, q, k, v as they leave their product and the mixed values, rounded; scores
/// and probabilities are computed again. `dropout` acts on the probabilities, `outputDropout` on the branch.
public func attentionBlock(
    _ x: Tensor, scale: Tensor, gate: Tensor, queries: Tensor, keysValues: Tensor, queryNorm: Tensor, keyNorm: Tensor,
    projection: BlockWeight, table: RotaryTable, heads: Int, causal: Bool, dropout: (p: Float, key: MaskKey)? = nil,
    outputDropout: (p: Float, key: MaskKey)? = nil
) -> Tensor {
    let width = x.width
    require(
        x.rank == 3 && width % heads == 0 && width / heads % 2 == 0 && scale.count == width && gate.count == width
            && queries.shape == [width, width] && keysValues.shape == [2 * width, width]
            && projection.weight.shape == [width, width],
        "attentionBlock: x \(x.shape), \(heads) heads, weights \(queries.shape), \(keysValues.shape) and \(projection.weight.shape) do not fit"
    )
    if let program = Program.tracing(x, scale, gate, queries, keysValues) {
        return program.attentionBlock(
            x, scale: scale, gate: gate, queries: queries, keysValues: keysValues, queryNorm: queryNorm, keyNorm: keyNorm,
            projection: projection, table: table, heads: heads, causal: causal, dropout: dropout, outputDropout: outputDropout)
    }
    let job = AttentionBlockJob(
        scale: scale.detached(), gate: gate.detached(), queries: queries.detached(),
        keysValues: keysValues.detached(), projection: projection.detached(), outputDropout: outputDropout,
        heads: BFloat16Attention(
            batch: x.shape[0], length: x.shape[1], heads: heads, width: width, causal: causal, dropout: dropout,
            queryNorm: queryNorm.detached(), keyNorm: keyNorm.detached(), table: table))
    let inputs = [x, scale, gate, queries, keysValues, queryNorm, keyNorm] + projection.inputs
    let (y, saved) = job.forward(x.detached(), saving: inputs.contains { $0.slot != nil })
    let slots = AttentionBlockJob.Slots(
        branch: BranchSlots(
            x: x.slot, scale: scale.slot, gate: gate.slot, weight: projection.weight.slot, bias: projection.bias?.slot),
        queries: queries.slot, keysValues: keysValues.slot, queryNorm: queryNorm.slot, keyNorm: keyNorm.slot)
    return Tape.record(y, from: inputs) { dy, tape in
        guard let saved else { return }
        job.backward(dy, saved, slots, tape)
    }
}

private struct AttentionBlockJob {
    struct Slots {
        let branch: BranchSlots
        let queries, keysValues, queryNorm, keyNorm: Int?
    }

    /// What the forward pass leaves for the gradient.
    struct Saved {
        let norm: SavedNorm
        let lse: Tensor
        /// q, k and v beside one another; attention's output.
        let qkv, mixed: BFloat16Matrix
    }

    let scale, gate, queries, keysValues: Tensor
    let projection: BlockWeight
    let outputDropout: (p: Float, key: MaskKey)?
    let heads: BFloat16Attention

    private var width: Int { heads.width }
    private var rows: Int { heads.batch * heads.length }
    private var tiles: Tiles { Tiles(rows: rows) }

    func forward(_ x: Tensor, saving isRecorded: Bool) -> (Tensor, Saved?) {
        let inner = PackedWeights(transposing: WeightRows(queries, keysValues))
        let outer = PackedWeights(transposing: WeightRows(projection.weight))
        let norm = SavedNorm(rows: rows, width: width, isRecorded: isRecorded)
        let qkv = BFloat16Matrix(rows: rows, width: 3 * width)
        tiles.forEach { _, row, rows in
            let normed = BFloat16Matrix(rows: rows, width: width)
            norm.fill(row, rows, normed.pointer, x, scale)
            inner.multiply(normed.pointer, stride: width, rows: rows, rounding: qkv.row(row))
        }
        let mixed = BFloat16Matrix(rows: rows, width: width)
        let lse = Tensor(uninitialized: [heads.count, heads.length])
        heads.forward(mixed, lse, qkv)
        let y = Tensor(uninitialized: x.shape)
        tiles.forEach { _, row, rows in
            let branch = Storage(count: rows * width)
            outer.multiply(
                mixed.row(row), stride: width, rows: rows, bias: projection.bias?.pointer, into: branch.pointer)
            if let outputDropout {
                dropout_apply(
                    branch.pointer, branch.pointer, outputDropout.p, outputDropout.key.number, UInt64(row * width), rows * width)
            }
            gated_residual_rows(
                y.pointer + row * width, x.pointer + row * width, branch.pointer, gate.pointer, rows, width)
        }
        return (y, isRecorded ? Saved(norm: norm, lse: lse, qkv: qkv, mixed: mixed) : nil)
    }

    func backward(_ dy: Tensor, _ saved: Saved, _ slots: Slots, _ tape: Tape) {
        let inner = PackedWeights(WeightRows(queries, keysValues))
        let outer = PackedWeights(WeightRows(projection.weight, times: gate))
        let gradient = BranchGradient(rows: rows, width: width, sums: 0, tiles: tiles)
        let dmixed = BFloat16Matrix(rows: rows, width: width)
        tiles.forEach { tile, row, rows in
            gradient.enter(tile, row, rows, dy, outputDropout)
            outer.multiply(gradient.slope.row(row), stride: width, rows: rows, rounding: dmixed.row(row))
        }
        let dqkv = BFloat16Matrix(rows: rows, width: 3 * width)
        let norms = heads.backward(dqkv, dmixed, saved.mixed, saved.lse, saved.qkv)
        tiles.forEach { tile, row, rows in
            inner.multiply(dqkv.row(row), stride: 3 * width, rows: rows, into: gradient.dx.pointer + row * width)
            gradient.leave(tile, row, rows, dy, saved.norm, scale)
        }
        for (slot, weight, column) in [(slots.queries, queries, 0), (slots.keysValues, keysValues, width)] {
            guard let slot else { continue }
            tape.accumulate(slot, shape: weight.shape) { dw, accumulates in
                outerProduct(
                    dw.pointer, dqkv.pointer + column, stride: 3 * width, columns: weight.shape[0], gradient.normed,
                    accumulates: accumulates)
            }
        }
        let d = heads.headWidth
        norms.add(0..<d, to: slots.queryNorm, shape: heads.queryNorm.shape, tape)
        norms.add(d..<2 * d, to: slots.keyNorm, shape: heads.keyNorm.shape, tape)
        gradient.finish(
            slots.branch, tape, shape: dy.shape, scale: scale, gate: gate, output: projection, inner: saved.mixed)
    }
}
