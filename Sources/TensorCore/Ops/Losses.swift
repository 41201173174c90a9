import CKernels

/// Σ weight·x, a scalar; weights of the same count, not differentiated. Summed in double precision.
public func weightedSum(_ x: Tensor, weights: [Float]) -> Tensor {
    require(weights.count == x.count, "weightedSum: \(weights.count) weights for shape \(x.shape)")
    if let program = Program.tracing(x) { return program.weightedSum(x, weights: weights) }
    var sum = 0.0
    for i in 0..<x.count { sum += Double(x.pointer[i]) * Double(weights[i]) }
    let slot = x.slot
    let shape = x.shape
    return Tape.record(Tensor([Float(sum)], shape: [1]), from: [x]) { dy, tape in
        if let slot { tape.add(scaled(Tensor(weights, shape: shape), by: dy.scalar), to: slot) }
    }
}

/// Mean of all entries, a scalar.
public func mean(_ x: Tensor) -> Tensor {
    if let program = Program.tracing(x) { return program.mean(x) }
    let value = Float(sum_of(x.pointer, x.count) / Double(x.count))
    let (slot, shape) = (x.slot, x.shape)
    return Tape.record(Tensor([value], shape: [1]), from: [x]) { dy, tape in
        if let slot {
            tape.add(Tensor(repeating: dy.scalar / Float(shape.elementCount), shape: shape), to: slot)
        }
    }
}

/// Mean of |a − b| over all entries, a scalar.
public func meanAbsoluteDifference(_ a: Tensor, _ b: Tensor) -> Tensor {
    requireEqualShapes(a, b)
    if let program = Program.tracing(a, b) { return program.meanAbsoluteDifference(a, b) }
    return meanDifference(a, b, total: sum_abs_difference) { d, a, b, scale in
        sign_difference(d.pointer, a.pointer, b.pointer, scale, d.count)
    }
}

/// Mean of (a − b)² over all entries, a scalar.
public func meanSquaredDifference(_ a: Tensor, _ b: Tensor) -> Tensor {
    requireEqualShapes(a, b)
    if let program = Program.tracing(a, b) { return program.meanSquaredDifference(a, b) }
    return meanDifference(a, b, total: sum_squared_difference) { d, a, b, scale in
        subtract_out(d.pointer, a.pointer, b.pointer, d.count)
        scale_out(d.pointer, d.pointer, 2 * scale, d.count)
    }
}

/// The common part of the two: a sum over chunks of fixed size, and a slope that is antisymmetric in a and b.
private func meanDifference(
    _ a: Tensor, _ b: Tensor, op: StaticString = #function,
    total: (UnsafePointer<Float>, UnsafePointer<Float>, Int) -> Double,
    slope: @escaping (_ d: Tensor, _ a: Tensor, _ b: Tensor, _ scale: Float) -> Void
) -> Tensor {
    let value = Float(total(a.pointer, b.pointer, a.count) / Double(a.count))
    let (aSlot, bSlot, a0, b0) = (a.slot, b.slot, a.detached(), b.detached())
    return Tape.record(Tensor([value], shape: [1]), from: [a, b], op: op) { dy, tape in
        let scale = dy.scalar / Float(a0.count)
        if let aSlot {
            let da = Tensor(uninitialized: a0.shape)
            slope(da, a0, b0, scale)
            tape.add(da, to: aSlot)
        }
        if let bSlot {
            let db = Tensor(uninitialized: b0.shape)
            slope(db, b0, a0, scale)
            tape.add(db, to: bSlot)
        }
    }
}

/// Straight-through: the values of `value`, the gradient as if it were `x`: x + sg(value − x).
public func straightThrough(_ x: Tensor, value: Tensor) -> Tensor {
    require(x.shape == value.shape, "straightThrough: shapes \(x.shape) and \(value.shape) differ")
    if let program = Program.tracing(x, value) { return program.straightThrough(x, value: value) }
    let slot = x.slot
    return Tape.record(value.detached(), from: [x]) { dy, tape in
        if let slot { tape.add(dy, to: slot) }
    }
}

private func requireEqualShapes(_ a: Tensor, _ b: Tensor, op: StaticString = #function) {
    require(a.shape == b.shape, "\(op): shapes \(a.shape) and \(b.shape) differ")
}
