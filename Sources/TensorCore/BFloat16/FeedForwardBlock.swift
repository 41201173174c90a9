import CKernels

/// One weight [out, in] of a block and its bias [out].
public struct BlockWeight {
    let weight: Tensor
    let bias: Tensor?

    public init(_ weight: Tensor, bias: Tensor?) {
        (self.weight, self.bias) = (weight, bias)
    }

    /// The weight's rows with both halves padded to an even height.
    var paddedHalves: WeightRows { WeightRows(halvesOf: weight) }

    /// The bias padded alike.
    var paddedBias: Tensor? {
        bias.map { bias in
            let (hidden, padded) = (bias.count / 2, BFloat16Matrix.even(bias.count / 2))
            let result = Tensor.zeros([2 * padded])
            for half in 0..<2 {
                (result.pointer + half * padded).update(from: bias.pointer + half * hidden, count: hidden)
            }
            return result
        }
    }

    var inputs: [Tensor] { [weight] + (bias.map { [$0] } ?? []) }

    /// The same off the tape.
    func detached() -> BlockWeight { BlockWeight(weight.detached(), bias: bias?.detached()) }
}

/// The second half of a transformer layer in bfloat16: x + gate·fc2(gelu(value)·gate'), [gate' ; value] = fc1(x̂), x̂ the
/// RMS norm of x with weight `scale` (method §3.2). x [B, L, D], scale and gate [1, D], fc1 [2H, D], fc2 [D, H].
///
/// Tiles of rows go through the whole of it within a core's cache. Saved for the gradient are the normalised input and fc1's
/// output, rounded; the rest is computed again. `dropout` acts on the branch.
public func feedForwardBlock(
    _ x: Tensor, scale: Tensor, gate: Tensor, up: BlockWeight, down: BlockWeight,
    dropout: (p: Float, key: MaskKey)? = nil
) -> Tensor {
    FeedForwardJob.requireFitting(x, scale, gate, up, down)
    if let program = Program.tracing(x, scale, gate, up.weight, down.weight) {
        return program.feedForwardBlock(x, scale: scale, gate: gate, up: up, down: down, dropout: dropout)
    }
    let job = FeedForwardJob(rows: x.rows, width: x.width, scale, gate, up.detached(), down.detached(), dropout)
    let inputs = [x, scale, gate] + up.inputs + down.inputs
    let isRecorded = inputs.contains { $0.slot != nil }
    let (y, saved) = job.forward(x.detached(), saving: isRecorded)
    let slots = FeedForwardJob.Slots(
        branch: BranchSlots(
            x: x.slot, scale: scale.slot, gate: gate.slot, weight: down.weight.slot, bias: down.bias?.slot),
        up: up.weight.slot, upBias: up.bias?.slot)
    return Tape.record(y, from: inputs) { dy, tape in
        guard let saved else { return }
        job.backward(dy, saved, slots, tape)
    }
}

private struct FeedForwardJob {
    struct Slots {
        let branch: BranchSlots
        let up, upBias: Int?
    }

    /// What the forward pass leaves for the gradient.
    struct Saved {
        let norm: SavedNorm
        let hidden: BFloat16Matrix
    }

    let scale, gate: Tensor
    let up, down: BlockWeight
    let dropout: (p: Float, key: MaskKey)?
    private let width, hidden, padded: Int
    private let tiles: Tiles

    static func requireFitting(_ x: Tensor, _ scale: Tensor, _ gate: Tensor, _ up: BlockWeight, _ down: BlockWeight) {
        let (width, hidden) = (x.width, down.weight.width)
        require(
            scale.count == width && gate.count == width && width % 2 == 0 && up.weight.shape == [2 * hidden, width]
                && down.weight.shape == [width, hidden],
            "feedForwardBlock: x of width \(width), scale \(scale.shape), gate \(gate.shape), weights \(up.weight.shape) and \(down.weight.shape) do not fit"
        )
    }

    init(
        rows: Int, width: Int, _ scale: Tensor, _ gate: Tensor, _ up: BlockWeight, _ down: BlockWeight,
        _ dropout: (p: Float, key: MaskKey)?
    ) {
        (self.width, hidden) = (width, down.weight.width)
        (self.scale, self.gate) = (scale.detached(), gate.detached())
        (self.up, self.down, self.dropout) = (up, down, dropout)
        padded = BFloat16Matrix.even(hidden)
        tiles = Tiles(rows: rows)
    }

    func forward(_ x: Tensor, saving isRecorded: Bool) -> (Tensor, Saved?) {
        let (first, second) = (PackedWeights(transposing: up.paddedHalves), PackedWeights(transposing: WeightRows(down.weight)))
        let bias = up.paddedBias
        let y = Tensor(uninitialized: x.shape)
        let norm = SavedNorm(rows: x.rows, width: width, isRecorded: isRecorded)
        let saved = isRecorded ? Saved(norm: norm, hidden: BFloat16Matrix(rows: x.rows, width: 2 * padded)) : nil
        tiles.forEach { _, row, rows in
            let normed = BFloat16Matrix(rows: rows, width: width)
            let wide = BFloat16Matrix(rows: saved == nil ? rows : 0, width: 2 * padded)
            let gated = BFloat16Matrix(rows: rows, width: padded)
            let branch = Storage(count: rows * width)
            let at = row * width
            norm.fill(row, rows, normed.pointer, x, scale)
            let h = saved?.hidden.row(row) ?? wide.pointer
            first.multiply(normed.pointer, stride: width, rows: rows, bias: bias?.pointer, rounding: h)
            bf16_geglu_forward(gated.pointer, h, rows, padded)
            second.multiply(gated.pointer, stride: padded, rows: rows, bias: down.bias?.pointer, into: branch.pointer)
            if let dropout {
                dropout_apply(branch.pointer, branch.pointer, dropout.p, dropout.key.number, UInt64(at), rows * width)
            }
            gated_residual_rows(y.pointer + at, x.pointer + at, branch.pointer, gate.pointer, rows, width)
        }
        return (y, saved)
    }

    func backward(_ dy: Tensor, _ saved: Saved, _ slots: Slots, _ tape: Tape) {
        let (first, second) = (PackedWeights(up.paddedHalves), PackedWeights(WeightRows(down.weight, times: gate)))
        let gradient = BranchGradient(rows: tiles.rows, width: width, sums: 2 * padded, tiles: tiles)
        // A tape is played once, so fc1's output gives its place to its gradient.
        let dh = saved.hidden
        let gated = BFloat16Matrix(rows: tiles.rows, width: padded)
        tiles.forEach { tile, row, rows in
            gradient.enter(tile, row, rows, dy, dropout)
            let dgated = BFloat16Matrix(rows: rows, width: padded)
            second.multiply(gradient.slope.row(row), stride: width, rows: rows, rounding: dgated.pointer, rowOfC: padded)
            bf16_geglu_backward(dh.row(row), gated.row(row), dgated.pointer, rows, padded)
            bf16_add_row_sum(gradient.sums(tile), dh.row(row), 2 * padded, rows, 2 * padded)
            first.multiply(dh.row(row), stride: 2 * padded, rows: rows, into: gradient.dx.pointer + row * width)
            gradient.leave(tile, row, rows, dy, saved.norm, scale)
        }
        if let slot = slots.up {
            tape.accumulate(slot, shape: up.weight.shape) { dw, accumulates in
                for half in 0..<2 {
                    outerProduct(
                        dw.pointer + half * hidden * width, dh.pointer + half * padded, stride: 2 * padded,
                        columns: hidden, gradient.normed, accumulates: accumulates)
                }
            }
        }
        gradient.finish(
            slots.branch, tape, shape: dy.shape, scale: scale, gate: gate, output: down, inner: gated
        ) { sums in
            guard let slot = slots.upBias, let bias = up.bias else { return }
            let total = Tensor(uninitialized: bias.shape)
            for half in 0..<2 {
                (total.pointer + half * hidden).update(from: sums + half * padded, count: hidden)
            }
            tape.add(total, to: slot)
        }
    }
}
