import CKernels
import Foundation

/// scale·tanh(x + shift) − offset, column by column: bounds what finite scalar quantization rounds.
/// x [..., D]; scale, shift and offset [D], not differentiated.
public func scaledTanh(_ x: Tensor, scale: [Float], shift: [Float], offset: [Float]) -> Tensor {
    let width = x.width
    require(
        scale.count == width && shift.count == width && offset.count == width,
        "scaledTanh: \(scale.count) scales, \(shift.count) shifts and \(offset.count) offsets for \(x.shape)")
    if let program = Program.tracing(x) { return program.scaledTanh(x, scale: scale, shift: shift, offset: offset) }
    let squashed = Tensor(uninitialized: x.shape)
    let y = Tensor(uninitialized: x.shape)
    for i in 0..<x.count {
        let column = i % width
        squashed.pointer[i] = tanhf(x.pointer[i] + shift[column])
        y.pointer[i] = scale[column] * squashed.pointer[i] - offset[column]
    }

    // dx = dy·scale·(1 − tanh²)
    let slot = x.slot
    return Tape.record(y, from: [x]) { dy, tape in
        guard let slot else { return }
        let dx = Tensor(uninitialized: squashed.shape)
        for i in 0..<dx.count {
            let t = squashed.pointer[i]
            dx.pointer[i] = dy.pointer[i] * scale[i % width] * (1 - t * t)
        }
        tape.add(dx, to: slot)
    }
}

/// Sample entropy minus batch entropy, in nats, of P = softmax(scale·x) over the last axis (method §3.9): the
/// mean over rows of −ΣP log P, less −ΣP̄ log(P̄ + 1e-5) with P̄ the mean of P over all rows. x [..., codes] → a scalar.
public func assignmentEntropyLoss(_ x: Tensor, scale: Float = 1) -> Tensor {
    let (rows, width) = (x.rows, x.width)
    if let program = Program.tracing(x) { return program.assignmentEntropyLoss(x, scale: scale) }
    let entropies = AssignmentEntropy(x, scale: scale)
    let (p, logP, means, ofRows) = (entropies.p, entropies.logP, entropies.means, entropies.ofRows)

    // With H the entropy of a row and g = ∂batch/∂P̄ = −log(P̄ + ε) − P̄/(P̄ + ε):
    // dx = scale/rows · P∘(−(log P + H) − (g − ΣP g)).
    let (slot, shape) = (x.slot, x.shape)
    let slopes = means.map { Float(-log($0 + 1e-5) - $0 / ($0 + 1e-5)) }
    return Tape.record(Tensor([Float(entropies.loss)], shape: [1]), from: [x]) { dy, tape in
        guard let slot else { return }
        let dx = Tensor(uninitialized: shape)
        let factor = dy.scalar * scale / Float(rows)
        Parallel.rows(rows, width: width) { r in
            for row in r {
                let (p, logP, dx) = (p.pointer + row * width, logP.pointer + row * width, dx.pointer + row * width)
                var mean: Float = 0
                for code in 0..<width { mean += p[code] * slopes[code] }
                let constant = mean - Float(ofRows[row])
                for code in 0..<width { dx[code] = factor * p[code] * (constant - logP[code] - slopes[code]) }
            }
        }
        tape.add(dx, to: slot)
    }
}
