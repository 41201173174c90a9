import CKernels

/// softmax(scale·x) over the last axis.
public func softmax(_ x: Tensor, scale: Float = 1) -> Tensor {
    if let program = Program.tracing(x) { return program.softmax(x, scale: scale) }
    let (rows, width) = (x.rows, x.width)
    let y = Tensor(uninitialized: x.shape)
    Parallel.rows(rows, width: width) { r in
        softmax_rows(y.pointer + r.lowerBound * width, x.pointer + r.lowerBound * width, scale, r.count, width)
    }
    let (slot, y0) = (x.slot, y)
    return Tape.record(y, from: [x]) { dy, tape in
        guard let slot else { return }
        let dx = Tensor(uninitialized: y0.shape)
        Parallel.rows(rows, width: width) { r in
            let at = r.lowerBound * width
            softmax_rows_backward(dx.pointer + at, dy.pointer + at, y0.pointer + at, scale, r.count, width)
        }
        tape.add(dx, to: slot)
    }
}

/// −log softmax(logits)[target] per row: logits [..., V], targets of the leading shape → that shape, in nats.
public func crossEntropy(_ logits: Tensor, targets: TokenTensor) -> Tensor {
    let (rows, width) = (logits.rows, logits.width)
    require(
        Array(logits.shape.dropLast()) == targets.shape,
        "crossEntropy: logits \(logits.shape) do not fit targets \(targets.shape)")
    targets.requireBelow(width, "crossEntropy")
    if let program = Program.tracing(logits, tokens: targets) { return program.crossEntropy(logits, targets: targets) }
    let loss = Tensor(uninitialized: targets.shape)
    let lse = Tensor(uninitialized: [rows])
    targets.ids.withUnsafeBufferPointer { buffer in
        nonisolated(unsafe) let ids = buffer.baseAddress!
        Parallel.rows(rows, width: width) { r in
            cross_entropy_forward(
                loss.pointer + r.lowerBound, lse.pointer + r.lowerBound, logits.pointer + r.lowerBound * width,
                ids + r.lowerBound, r.count, width)
        }
    }

    // dlogits = (softmax − onehot)·dloss
    let (slot, logits0) = (logits.slot, logits.detached())
    return Tape.record(loss, from: [logits]) { dloss, tape in
        guard let slot else { return }
        let dx = Tensor(uninitialized: logits0.shape)
        targets.ids.withUnsafeBufferPointer { buffer in
            nonisolated(unsafe) let ids = buffer.baseAddress!
            Parallel.rows(rows, width: width) { r in
                cross_entropy_backward(
                    dx.pointer + r.lowerBound * width, logits0.pointer + r.lowerBound * width,
                    lse.pointer + r.lowerBound, ids + r.lowerBound, dloss.pointer + r.lowerBound, r.count, width)
            }
        }
        tape.add(dx, to: slot)
    }
}
