import CKernels

/// y = x·Wᵀ + b over the last axis; x [..., in], weight [out, in], bias [out] → [..., out].
public func linear(_ x: Tensor, weight: Tensor, bias: Tensor? = nil) -> Tensor {
    require(
        weight.rank == 2 && x.width == weight.shape[1],
        "linear: x \(x.shape) does not fit weight \(weight.shape)")
    require(
        bias.map { $0.count == weight.shape[0] } ?? true,
        "linear: bias \(bias?.shape ?? []) does not fit weight \(weight.shape)")
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

/// Batched product: a [..., m, k] · b [..., k, n] → [..., m, n], leading axes equal.
public func matmul(_ a: Tensor, _ b: Tensor) -> Tensor {
    require(
        a.rank >= 2 && a.rank == b.rank && a.shape.dropLast(2) == b.shape.dropLast(2)
            && a.width == b.shape[b.rank - 2],
        "matmul: \(a.shape) and \(b.shape) do not fit")
    let (m, k, n) = (a.shape[a.rank - 2], a.width, b.width)
    let batch = a.count / (m * k)
    let y = Tensor(uninitialized: a.shape.dropLast() + [n])
    Parallel.chunks(batch) { i in
        MatrixProduct.serial(
            y.pointer + i * m * n, a.pointer + i * m * k, b.pointer + i * k * n,
            m: m, n: n, k: k, lda: k, ldb: n, ldc: n)
    }

    // da = dy·bᵀ, db = aᵀ·dy
    let (aSlot, bSlot, a0, b0) = (a.slot, b.slot, a.detached(), b.detached())
    return Tape.record(y, from: [a, b]) { dy, tape in
        if let aSlot {
            let da = Tensor(uninitialized: a0.shape)
            Parallel.chunks(batch) { i in
                MatrixProduct.serial(
                    da.pointer + i * m * k, dy.pointer + i * m * n, b0.pointer + i * k * n,
                    m: m, n: k, k: n, lda: n, ldb: n, ldc: k, transposeB: true)
            }
            tape.add(da, to: aSlot)
        }
        if let bSlot {
            let db = Tensor(uninitialized: b0.shape)
            Parallel.chunks(batch) { i in
                MatrixProduct.serial(
                    db.pointer + i * k * n, a0.pointer + i * m * k, dy.pointer + i * m * n,
                    m: k, n: n, k: m, lda: k, ldb: n, ldc: n, transposeA: true)
            }
            tape.add(db, to: bSlot)
        }
    }
}
