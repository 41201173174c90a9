import CKernels

/// Rows of `table` [V, D] for each id → tokens' shape + [D]; recorded where the table is on a tape.
public func embedding(_ tokens: TokenTensor, table: Tensor) -> Tensor {
    let (size, width) = (table.shape[0], table.width)
    require(table.rank == 2, "embedding: table \(table.shape) is not [ids, width]")
    tokens.requireBelow(size, "embedding")
    if let program = Program.tracing(table, tokens: tokens) { return program.embedding(tokens, table: table) }
    let y = Tensor(uninitialized: tokens.shape + [width])
    Parallel.rows(tokens.count, width: width) { r in
        for i in r {
            (y.pointer + i * width).update(from: table.pointer + Int(tokens.ids[i]) * width, count: width)
        }
    }

    // All tokens of one id are added up by one thread, in token order, so the sum depends on neither timing nor threads.
    let slot = table.slot
    return Tape.record(y, from: [table]) { dy, tape in
        guard let slot else { return }
        tape.accumulate(slot, shape: [size, width]) { dtable, accumulates in
            if !accumulates { dtable.pointer.update(repeating: 0, count: dtable.count) }
            let parts = tokens.count * width < 65536 ? 1 : Parallel.threads
            tokens.ids.withUnsafeBufferPointer { ids in
                nonisolated(unsafe) let ids = ids
                Parallel.chunks(parts) { part in
                    for (i, id) in ids.enumerated() where Int(id) % parts == part {
                        add_into(dtable.pointer + Int(id) * width, dy.pointer + i * width, width)
                    }
                }
            }
        }
    }
}

/// Joins along the token axis: [B, L₁, D], [B, L₂, D], … → [B, ΣL, D]. A part with B = 1 is repeated over the batch.
public func concatTokens(_ parts: [Tensor]) -> Tensor {
    let batch = parts.map { $0.shape[0] }.max() ?? 0
    let width = parts[0].width
    for part in parts {
        require(
            part.rank == 3 && part.width == width && (part.shape[0] == batch || part.shape[0] == 1),
            "concatTokens: parts \(parts.map(\.shape)) do not fit")
    }
    if let program = Program.tracing(parts) { return program.concatTokens(parts) }
    let total = parts.reduce(0) { $0 + $1.shape[1] }
    let y = Tensor(uninitialized: [batch, total, width])
    var starts: [Int] = []
    var start = 0
    for part in parts {
        starts.append(start)
        let size = part.shape[1] * width
        for b in 0..<batch {
            (y.pointer + (b * total + start) * width).update(
                from: part.pointer + (part.shape[0] == 1 ? 0 : b * size), count: size)
        }
        start += part.shape[1]
    }
    let (slots, shapes) = (parts.map(\.slot), parts.map(\.shape))
    return Tape.record(y, from: parts) { dy, tape in
        for ((slot, shape), start) in zip(zip(slots, shapes), starts) {
            guard let slot else { continue }
            let size = shape[1] * width
            let shared = shape[0] == 1 && batch > 1
            let gradient = shared ? Tensor.zeros(shape) : Tensor(uninitialized: shape)
            for b in 0..<batch {
                let from = dy.pointer + (b * total + start) * width
                if shared {
                    add_into(gradient.pointer, from, size)
                } else {
                    (gradient.pointer + b * size).update(from: from, count: size)
                }
            }
            tape.add(gradient, to: slot)
        }
    }
}

/// Tokens `range` of x [B, L, D] → [B, range.count, D].
public func sliceTokens(_ x: Tensor, _ range: Range<Int>) -> Tensor {
    require(
        x.rank == 3 && range.lowerBound >= 0 && range.upperBound <= x.shape[1],
        "sliceTokens: \(range) is not within \(x.shape)")
    if let program = Program.tracing(x) { return program.sliceTokens(x, range) }
    let (batch, tokens, width, size) = (x.shape[0], x.shape[1], x.width, range.count * x.width)
    let y = Tensor(uninitialized: [batch, range.count, width])
    for b in 0..<batch {
        (y.pointer + b * size).update(from: x.pointer + (b * tokens + range.lowerBound) * width, count: size)
    }
    let (slot, shape) = (x.slot, x.shape)
    return Tape.record(y, from: [x]) { dy, tape in
        guard let slot else { return }
        let dx = Tensor.zeros(shape)
        for b in 0..<batch {
            (dx.pointer + (b * tokens + range.lowerBound) * width).update(from: dy.pointer + b * size, count: size)
        }
        tape.add(dx, to: slot)
    }
}

/// Rows `range` of x [N, ...] along the first axis → [range.count, ...].
public func sliceRows(_ x: Tensor, _ range: Range<Int>) -> Tensor {
    sliceTokens(x.reshaped([1, x.shape[0], x.count / x.shape[0]]), range)
        .reshaped([range.count] + x.shape.dropFirst())
}

/// Index of the largest entry of the last axis, the first of equals.
public func argmax(_ x: Tensor) -> TokenTensor {
    if let program = Program.tracing(x) { return program.argmax(x) }
    let (rows, width) = (x.rows, x.width)
    var ids = [Int32](repeating: 0, count: rows)
    ids.withUnsafeMutableBufferPointer { buffer in
        nonisolated(unsafe) let ids = buffer.baseAddress!
        Parallel.rows(rows, width: width) { r in
            argmax_rows(ids + r.lowerBound, x.pointer + r.lowerBound * width, r.count, width)
        }
    }
    return TokenTensor(ids, shape: Array(x.shape.dropLast()))
}

/// Lookup whose gradient goes through the probabilities the ids were chosen from (straight-through one-hot
/// times the table, method §3.10): probabilities [..., V], ids of the leading shape, table [V, D] → [..., D].
public func straightThroughEmbedding(_ probabilities: Tensor, ids: TokenTensor, table: Tensor) -> Tensor {
    let (size, width) = (table.shape[0], table.width)
    require(
        probabilities.width == size && Array(probabilities.shape.dropLast()) == ids.shape,
        "straightThroughEmbedding: probabilities \(probabilities.shape), ids \(ids.shape) and table \(table.shape) do not fit")
    if let program = Program.tracing(probabilities, table, tokens: ids) {
        return program.straightThroughEmbedding(probabilities, ids: ids, table: table)
    }
    let rows = probabilities.rows
    let lookup = embedding(ids, table: table)
    let (slot, table0) = (probabilities.slot, table.detached())
    guard slot != nil else { return lookup }
    // dp = dy·Wᵀ; the table's own gradient is the lookup's.
    let lookupSlot = lookup.slot
    return Tape.record(lookup.detached(), from: [probabilities, lookup]) { dy, tape in
        if let lookupSlot { tape.add(dy, to: lookupSlot) }
        guard let slot else { return }
        tape.accumulate(slot, shape: ids.shape + [size]) { dp, accumulates in
            MatrixProduct.parallel(
                dp.pointer, dy.pointer, table0.pointer, m: rows, n: size, k: width, transposeB: true,
                accumulates: accumulates)
        }
    }
}
