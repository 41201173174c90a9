import CKernels

/// Cross-entropy of `targets` under softmax(x̂·Wᵀ), x̂ the RMS norm of x with weight `scale`, in bfloat16: what ends an AR
/// model, without logits of all rows. x [B, L, D], scale [1, D], W [V, D] → [B, L], in nats.
///
/// Saved for the gradient is softmax − onehot, rounded.
public func headCrossEntropy(_ x: Tensor, scale: Tensor, weight: Tensor, targets: TokenTensor) -> Tensor {
    let (rows, width, vocabulary) = (x.rows, x.width, weight.shape[0])
    require(
        scale.count == width && weight.width == width && width % 2 == 0 && Array(x.shape.dropLast()) == targets.shape,
        "headCrossEntropy: x \(x.shape), scale \(scale.shape), weight \(weight.shape), targets \(targets.shape) do not fit")
    targets.requireBelow(vocabulary, "headCrossEntropy")
    if let program = Program.tracing(x, scale, weight, tokens: targets) {
        return program.headCrossEntropy(x, scale: scale, weight: weight, targets: targets)
    }
    let (x0, scale0, weight0) = (x.detached(), scale.detached(), weight.detached())
    let tiles = Tiles(rows: rows)
    let isRecorded = [x, scale, weight].contains { $0.slot != nil }
    let loss = Tensor(uninitialized: targets.shape)
    let inverse = Tensor(uninitialized: [rows])
    let slope = BFloat16Matrix(rows: isRecorded ? rows : 0, width: BFloat16Matrix.even(vocabulary))
    let forward = PackedWeights(transposing: WeightRows(weight0))
    targets.ids.withUnsafeBufferPointer { buffer in
        nonisolated(unsafe) let ids = buffer.baseAddress!
        tiles.forEach { _, row, rows in
            let normed = BFloat16Matrix(rows: rows, width: width)
            let (logits, lse) = (Storage(count: rows * vocabulary), Storage(count: rows))
            bf16_rms_norm(
                normed.pointer, nil, inverse.pointer + row, x0.pointer + row * width, scale0.pointer, rows, width)
            forward.multiply(normed.pointer, stride: width, rows: rows, into: logits.pointer)
            cross_entropy_forward(loss.pointer + row, lse.pointer, logits.pointer, ids + row, rows, vocabulary)
            guard isRecorded else { return }
            bf16_cross_entropy_slope(
                slope.row(row), slope.width, logits.pointer, lse.pointer, ids + row, rows, vocabulary)
        }
    }

    // With G = softmax − onehot and g = dloss: dx̂ = g∘(G·W), dW = Gᵀ·(g∘x̂).
    let (xSlot, scaleSlot, weightSlot) = (x.slot, scale.slot, weight.slot)
    return Tape.record(loss, from: [x, scale, weight]) { dloss, tape in
        let panels = PackedWeights(WeightRows(weight0))
        let dx = Tensor(uninitialized: x0.shape)
        let normed = BFloat16Matrix(rows: rows, width: width)
        let partials = PartialSums(parts: tiles.count, width: width)
        tiles.forEach { tile, row, rows in
            let at = row * width
            let (dnormed, unused) = (Storage(count: rows * width), Storage(count: rows))
            panels.multiply(slope.row(row), stride: slope.width, rows: rows, into: dnormed.pointer)
            scale_rows(dnormed.pointer, dloss.pointer + row, rows, width)
            rms_norm_backward(
                dx.pointer + at, partials.part(tile), dnormed.pointer, x0.pointer + at, inverse.pointer + row,
                scale0.pointer, 0, rows, width, rows)
            bf16_rms_norm(normed.row(row), nil, unused.pointer, x0.pointer + at, scale0.pointer, rows, width)
            bf16_scale_rows(normed.row(row), normed.row(row), dloss.pointer + row, rows, width)
        }
        if let weightSlot {
            tape.accumulate(weightSlot, shape: weight0.shape) { dw, accumulates in
                outerProduct(
                    dw.pointer, slope.pointer, stride: slope.width, columns: vocabulary, normed, accumulates: accumulates)
            }
        }
        partials.add(0..<width, to: scaleSlot, shape: scale0.shape, tape)
        if let xSlot { tape.add(dx, to: xSlot) }
    }
}
