import CKernels

/// y = x·Wᵀ + b over the last axis; x [..., in], weight [out, in], bias [out] → [..., out].
public func linear(_ x: Tensor, weight: Tensor, bias: Tensor? = nil) -> Tensor {
    require(
        weight.rank == 2 && x.width == weight.shape[1],
        "linear: x \(x.shape) does not fit weight \(weight.shape)")
    require(
        bias.map { $0.count == weight.shape[0] } ?? true,
        "linear: bias \(bias?.shape ?? []) does not fit weight \(weight.shape)")
    if let program = Program.tracing(x, weight, bias) { return program.linear(x, weight: weight, bias: bias) }
    let (rows, input, output) = (x.rows, x.width, weight.shape[0])
    let y = Tensor(uninitialized: x.shape.dropLast() + [output])
    MatrixProduct.parallel(
        y.pointer, x.pointer, weight.pointer, m: rows, n: output, k: input, transposeB: true,
        accumulates: bias != nil,
        before: bias.map { bias in
            { rows in fill_rows(y.pointer + rows.lowerBound * output, bias.pointer, rows.count, output) }
        })

    // dx = dy·W, dW = dyᵀ·x, db = Σ dy
    let (xSlot, weightSlot, biasSlot) = (x.slot, weight.slot, bias?.slot)
    let (xValue, weightValue) = (x.detached(), weight.detached())
    return Tape.record(y, from: [x, weight] + (bias.map { [$0] } ?? [])) { dy, tape in
        if let xSlot {
            tape.accumulate(xSlot, shape: xValue.shape) { dx, accumulates in
                MatrixProduct.parallel(
                    dx.pointer, dy.pointer, weightValue.pointer, m: rows, n: input, k: output,
                    accumulates: accumulates)
            }
        }
        if let weightSlot {
            tape.accumulate(weightSlot, shape: weightValue.shape) { dw, accumulates in
                MatrixProduct.parallel(
                    dw.pointer, dy.pointer, xValue.pointer, m: output, n: input, k: rows, transposeA: true,
                    accumulates: accumulates)
            }
        }
        if let biasSlot {
            tape.accumulate(biasSlot, shape: [output]) { db, accumulates in
                Parallel.rowSums(rows: rows, width: output, into: db.pointer, accumulates: accumulates) { sum, rows in
                    add_row_sum(sum, dy.pointer + rows.lowerBound * output, rows.count, output)
                }
            }
        }
    }
}
