import CKernels

/// Conditional RMS norm (method §3.2): y = x/max(‖x‖,1e-12)·√D·(1+w); x [B, L, D], w [1 or B, D].
public func rmsNorm(_ x: Tensor, weight w: Tensor) -> Tensor {
    if let program = Program.tracing(x, w) { return program.rmsNorm(x, weight: w) }
    let (rows, width, rowsPerWeight) = (x.rows, x.width, rowsPerRow(of: w, in: x, op: "rmsNorm"))
    let y = Tensor(uninitialized: x.shape)
    let inverse = Tensor(uninitialized: [rows])
    Parallel.rows(rows, width: width) { r in
        let at = r.lowerBound * width
        rms_norm_forward(
            y.pointer + at, inverse.pointer + r.lowerBound, x.pointer + at, w.pointer, r.lowerBound, r.count, width,
            rowsPerWeight)
    }

    let (xSlot, wSlot, x0, w0) = (x.slot, w.slot, x.detached(), w.detached())
    return Tape.record(y, from: [x, w]) { dy, tape in
        let dx = xSlot.map { _ in Tensor(uninitialized: x0.shape) }
        func run(_ dw: UnsafeMutablePointer<Float>?, _ r: Range<Int>) {
            let at = r.lowerBound * width
            rms_norm_backward(
                dx.map { $0.pointer + at }, dw, dy.pointer + at, x0.pointer + at, inverse.pointer + r.lowerBound,
                w0.pointer, r.lowerBound, r.count, width, rowsPerWeight)
        }
        if let wSlot {
            tape.accumulate(wSlot, shape: w0.shape) { dw, accumulates in
                Parallel.rowSums(rows: rows, width: w0.count, into: dw.pointer, accumulates: accumulates, run)
            }
        } else {
            Parallel.rows(rows, width: width) { run(nil, $0) }
        }
        if let xSlot, let dx { tape.add(dx, to: xSlot) }
    }
}

/// x/max(‖x‖₂,1e-12) over the last axis.
public func l2Normalize(_ x: Tensor) -> Tensor {
    if let program = Program.tracing(x) { return program.l2Normalize(x) }
    let (rows, width) = (x.rows, x.width)
    let y = Tensor(uninitialized: x.shape)
    let inverse = Tensor(uninitialized: [rows])
    Parallel.rows(rows, width: width) { r in
        l2_normalize_forward(
            y.pointer + r.lowerBound * width, inverse.pointer + r.lowerBound, x.pointer + r.lowerBound * width,
            r.count, width)
    }

    // dx = (dy − y⟨dy, y⟩)/‖x‖
    let (slot, y0) = (x.slot, y)
    return Tape.record(y, from: [x]) { dy, tape in
        guard let slot else { return }
        let dx = Tensor(uninitialized: y0.shape)
        Parallel.rows(rows, width: width) { r in
            let at = r.lowerBound * width
            l2_normalize_backward(
                dx.pointer + at, dy.pointer + at, y0.pointer + at, inverse.pointer + r.lowerBound, r.count, width)
        }
        tape.add(dx, to: slot)
    }
}

/// Layer norm (Ba et al. 2016): (x − mean)/√(variance + ε)·weight + bias over the last axis; weight and bias [D].
public func layerNorm(_ x: Tensor, weight: Tensor, bias: Tensor, epsilon: Double = 1e-6) -> Tensor {
    let (rows, width) = (x.rows, x.width)
    require(
        weight.count == width && bias.count == width,
        "layerNorm: x \(x.shape), weight \(weight.shape), bias \(bias.shape) do not fit")
    if let program = Program.tracing(x, weight, bias) { return program.layerNorm(x, weight: weight, bias: bias, epsilon: epsilon) }
    let (y, units, inverse) = (Tensor(uninitialized: x.shape), Tensor(uninitialized: x.shape), Tensor(uninitialized: [rows]))
    Parallel.rows(rows, width: width) { r in
        let at = r.lowerBound * width
        layer_norm_forward(
            y.pointer + at, units.pointer + at, inverse.pointer + r.lowerBound, x.pointer + at, weight.pointer, bias.pointer,
            Float(epsilon), r.count, width)
    }
    let (xSlot, weightSlot, biasSlot, weight0) = (x.slot, weight.slot, bias.slot, weight.detached())
    return Tape.record(y, from: [x, weight, bias]) { dy, tape in
        if let xSlot {
            let dx = Tensor(uninitialized: dy.shape)
            Parallel.rows(rows, width: width) { r in
                let at = r.lowerBound * width
                layer_norm_backward(
                    dx.pointer + at, dy.pointer + at, units.pointer + at, inverse.pointer + r.lowerBound, weight0.pointer, r.count,
                    width)
            }
            tape.add(dx, to: xSlot)
        }
        guard weightSlot != nil || biasSlot != nil else { return }
        let sums = Tensor(uninitialized: [2, width])
        Parallel.rowSums(rows: rows, width: 2 * width, into: sums.pointer, accumulates: false) { sum, r in
            layer_norm_sums(sum, dy.pointer + r.lowerBound * width, units.pointer + r.lowerBound * width, r.count, width)
        }
        if let biasSlot { tape.add(Tensor(Array(sums.values[..<width]), shape: [width]), to: biasSlot) }
        if let weightSlot { tape.add(Tensor(Array(sums.values[width...]), shape: [width]), to: weightSlot) }
    }
}
