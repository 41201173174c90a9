import CKernels

/// x [rows, 1, D] for both guidance branches, the copy below the original: [2·rows, 1, D].
public func repeatedForBothBranches(_ x: Tensor) -> Tensor {
    if let program = Program.tracing(x) {
        let one = program.node(x)
        return Tensor(Node.concatenated([one, one], axis: 0))
    }
    let both = Tensor(uninitialized: [2 * x.shape[0]] + x.shape.dropFirst())
    for branch in 0..<2 { (both.pointer + branch * x.count).update(from: x.pointer, count: x.count) }
    return both
}

/// The first `count` rows of x [rows, 1, D]; with a `scale` s, s·a + (1 − s)·b of rows i and count + i, the two guidance
/// branches.
public func mixedBranches(_ x: Tensor, count: Int, scale: Double?) -> Tensor {
    requireValues(x)
    require(count * (scale == nil ? 1 : 2) <= x.rows, "\(x.rows) rows do not hold \(count) sequences")
    if scale == nil && count == x.rows { return x }
    let result = Tensor(uninitialized: [count, 1, x.width])
    if let scale {
        mix(result.pointer, x.pointer, x.pointer + result.count, Float(scale), result.count)
    } else {
        result.pointer.update(from: x.pointer, count: result.count)
    }
    return result
}
