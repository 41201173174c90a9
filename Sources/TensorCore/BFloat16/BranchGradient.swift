import CKernels

/// What the gradients of both halves of a transformer layer share: y = x + gate·branch(x̂), x̂ the RMS norm of x with
/// weight `scale`; worked through tile by tile.
struct BranchGradient {
    /// Gradient of the branch, and x̂ again; both rounded, for the weights' gradients.
    let dbranch, normed: Rounded
    /// Takes the gradient of x̂ first and becomes that of x.
    let dx: Tensor
    private let partials: PartialSums
    private let width, extra: Int

    /// `sums` more numbers are summed over rows for the caller.
    init(rows: Int, width: Int, sums: Int, tiles: Tiles) {
        dbranch = Rounded(rows: rows, width: width)
        normed = Rounded(rows: rows, width: width)
        dx = Tensor(uninitialized: [rows, width])
        (self.width, extra) = (width, sums)
        partials = PartialSums(parts: tiles.count, width: 3 * width + sums)
    }

    /// The caller's own sums of a tile.
    func sums(_ tile: Int) -> UnsafeMutablePointer<Float> { partials.part(tile) + 3 * width }

    /// dbranch = dy·gate; the gate's and the last bias's gradient of these rows.
    func enter(
        _ tile: Int, _ row: Int, _ rows: Int, _ dy: Tensor, _ branch: Rounded, _ gate: Tensor,
        _ dropout: (p: Float, key: UInt64)?
    ) {
        let sums = partials.part(tile)
        bf16_gated_residual_backward(
            dbranch.row(row), sums, dy.pointer + row * width, branch.row(row), gate.pointer, rows, width)
        if let dropout { bf16_dropout(dbranch.row(row), dropout.p, dropout.key, UInt64(row * width), rows * width) }
        bf16_add_row_sum(sums + width, dbranch.row(row), width, rows, width)
    }

    /// dx = dy + the norm's gradient of what is in dx; the norm weight's gradient of these rows; x̂ again.
    func leave(
        _ tile: Int, _ row: Int, _ rows: Int, _ dy: Tensor, _ x: Tensor, _ inverse: Tensor, _ scale: Tensor
    ) {
        let at = row * width
        let dnormed = Storage(count: rows * width)
        dnormed.pointer.update(from: dx.pointer + at, count: rows * width)
        rms_norm_backward(
            dx.pointer + at, partials.part(tile) + 2 * width, dnormed.pointer, x.pointer + at, inverse.pointer + row,
            scale.pointer, 0, rows, width, rows)
        add_into(dx.pointer + at, dy.pointer + at, rows * width)
        bf16_rms_norm(normed.row(row), dnormed.pointer, x.pointer + at, scale.pointer, rows, width)
    }

    /// Hands the collected gradients over; `rest` gets the caller's own sums.
    func finish(
        _ slots: BranchSlots, bias: Int?, _ tape: Tape, x: Tensor, scale: Tensor, gate: Tensor,
        rest: (_ sums: UnsafePointer<Float>) -> Void
    ) {
        partials.add(0..<width, to: slots.gate, shape: gate.shape, tape)
        partials.add(width..<2 * width, to: bias, shape: [width], tape)
        partials.add(2 * width..<3 * width, to: slots.scale, shape: scale.shape, tape)
        if extra > 0 {
            let total = Storage(count: extra)
            partials.total(3 * width..<3 * width + extra, into: total.pointer, accumulates: false)
            rest(total.pointer)
        }
        if let slot = slots.x { tape.add(dx.reshaped(x.shape), to: slot) }
    }
}
