import CKernels

/// What the gradients of both halves of a transformer layer share: y = x + gate·branch(x̂), branch(x̂) = W·inner(x̂) + b,
/// x̂ = unit·(1 + scale) the RMS norm of x; worked through tile by tile.
///
/// The branch itself is not saved. With d = dy after dropout and G = Σ d·innerᵀ over rows: dW = gate·G, db = gate·Σ d, and
/// the gate's own gradient Σ d∘branch is Σ W∘G + b·Σ d. The gradient of inner is d·(gate·W).
struct BranchGradient {
    /// d, and x̂ again; both rounded, for the weights' gradients.
    let slope, normed: BFloat16Matrix
    /// Takes the gradient of x̂ first and becomes that of x.
    let dx: Tensor
    private let partials: PartialSums
    private let width, extra: Int

    /// `sums` more numbers are summed over rows for the caller.
    init(rows: Int, width: Int, sums: Int, tiles: Tiles) {
        slope = BFloat16Matrix(rows: rows, width: width)
        normed = BFloat16Matrix(rows: rows, width: width)
        dx = Tensor(uninitialized: [rows, width])
        (self.width, extra) = (width, sums)
        partials = PartialSums(parts: tiles.count, width: 2 * width + sums)
    }

    /// The caller's own sums of a tile.
    func sums(_ tile: Int) -> UnsafeMutablePointer<Float> { partials.part(tile) + 2 * width }

    /// d of these rows, and its sum.
    func enter(_ tile: Int, _ row: Int, _ rows: Int, _ dy: Tensor, _ dropout: (p: Float, key: MaskKey)?) {
        let at = row * width
        bf16_round(slope.row(row), width, dy.pointer + at, width, rows, width, width)
        if let dropout { bf16_dropout(slope.row(row), dropout.p, dropout.key.number, UInt64(at), rows * width) }
        bf16_add_row_sum(partials.part(tile), slope.row(row), width, rows, width)
    }

    /// dx = dy + the norm's gradient of what is in dx; the norm weight's gradient of these rows; x̂ again.
    func leave(_ tile: Int, _ row: Int, _ rows: Int, _ dy: Tensor, _ norm: SavedNorm, _ scale: Tensor) {
        let at = row * width
        bf16_rms_norm_backward(
            dx.pointer + at, partials.part(tile) + width, normed.row(row), dy.pointer + at, norm.unit.row(row),
            norm.inverse.pointer + row, scale.pointer, rows, width)
    }

    /// Hands the collected gradients over; `rest` gets the caller's own sums.
    ///
    /// - Parameter inner: what W was multiplied with, whose first columns are W's.
    func finish(
        _ slots: BranchSlots, _ tape: Tape, shape: Shape, scale: Tensor, gate: Tensor, output: BlockWeight, inner: BFloat16Matrix,
        rest: (_ sums: UnsafePointer<Float>) -> Void = { _ in }
    ) {
        let sum = Storage(count: width)
        partials.total(0..<width, into: sum.pointer, accumulates: false)
        if slots.weight != nil || slots.gate != nil {
            let dgate = outputGradient(slots.weight, tape, gate, output, inner)
            if let bias = output.bias {
                for i in 0..<width { dgate.pointer[i] += bias.pointer[i] * sum.pointer[i] }
            }
            if let slot = slots.gate { tape.add(dgate.reshaped(gate.shape), to: slot) }
        }
        if let slot = slots.bias {
            for i in 0..<width { sum.pointer[i] *= gate.pointer[i] }
            tape.accumulate(slot, shape: [width]) { db, accumulates in
                if !accumulates { db.pointer.update(repeating: 0, count: width) }
                add_into(db.pointer, sum.pointer, width)
            }
        }
        partials.add(width..<2 * width, to: slots.scale, shape: scale.shape, tape)
        if extra > 0 {
            let total = Storage(count: extra)
            partials.total(2 * width..<2 * width + extra, into: total.pointer, accumulates: false)
            rest(total.pointer)
        }
        if let slot = slots.x { tape.add(dx.reshaped(shape), to: slot) }
    }

    /// Gives the weight its gradient; returns Σ W∘G, [width].
    private func outputGradient(
        _ slot: Int?, _ tape: Tape, _ gate: Tensor, _ output: BlockWeight, _ inner: BFloat16Matrix
    ) -> Tensor {
        let (weight, dgate) = (output.weight, Tensor(uninitialized: [width]))
        func work(_ g: UnsafeMutablePointer<Float>, addingTo sum: UnsafeMutablePointer<Float>?) {
            outerProduct(
                g, slope.pointer, stride: width, columns: width, inner, columnsOfB: weight.width, accumulates: false)
            Parallel.rows(width, width: weight.width) { rows in
                let (first, at) = (rows.lowerBound, rows.lowerBound * weight.width)
                gate_weight_gradient(
                    dgate.pointer + first, g + at, sum.map { $0 + at }, weight.pointer + at, gate.pointer + first,
                    rows.count, weight.width)
            }
        }
        guard let slot else {
            work(Storage(count: weight.count).pointer, addingTo: nil)
            return dgate
        }
        tape.accumulate(slot, shape: weight.shape) { dw, accumulates in
            if accumulates {
                let g = Storage(count: weight.count)
                work(g.pointer, addingTo: dw.pointer)
            } else {
                work(dw.pointer, addingTo: nil)
            }
        }
        return dgate
    }
}

/// Where the gradients of a residual branch's own inputs, and of its last weight and bias, go.
struct BranchSlots {
    let x, scale, gate, weight, bias: Int?
}

/// What the gradient of an RMS norm needs of its input: unit [rows, D], the input over its root mean square, rounded, and
/// inverse [rows], 1 over its length.
struct SavedNorm {
    let unit: BFloat16Matrix
    let inverse: Tensor

    init(rows: Int, width: Int, isRecorded: Bool) {
        unit = BFloat16Matrix(rows: isRecorded ? rows : 0, width: width)
        inverse = Tensor(uninitialized: [rows])
    }

    /// Fills both for these rows, and y with the norm.
    func fill(_ row: Int, _ rows: Int, _ y: UnsafeMutablePointer<bfloat16>, _ x: Tensor, _ scale: Tensor) {
        bf16_rms_norm(
            y, unit.rows == 0 ? nil : unit.row(row), inverse.pointer + row, x.pointer + row * x.width, scale.pointer, rows,
            x.width)
    }
}
