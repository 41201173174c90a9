import CKernels
import Foundation

extension Tensor {
    /// a + b, equal shapes.
    public static func + (a: Tensor, b: Tensor) -> Tensor {
        require(a.shape == b.shape, "+: shapes \(a.shape) and \(b.shape) differ")
        if let program = Program.tracing(a, b) { return program.sum(a, b, op: "+") }
        let y = Tensor(uninitialized: a.shape)
        Parallel.elements(y.count) { r in
            add_out(y.pointer + r.lowerBound, a.pointer + r.lowerBound, b.pointer + r.lowerBound, r.count)
        }
        let (aSlot, bSlot) = (a.slot, b.slot)
        return Tape.record(y, from: [a, b]) { dy, tape in
            if let aSlot { tape.add(dy, to: aSlot) }
            if let bSlot { tape.add(dy, to: bSlot) }
        }
    }

    /// a − b, equal shapes.
    public static func - (a: Tensor, b: Tensor) -> Tensor {
        require(a.shape == b.shape, "-: shapes \(a.shape) and \(b.shape) differ")
        if let program = Program.tracing(a, b) { return program.difference(a, b, op: "-") }
        let y = Tensor(uninitialized: a.shape)
        Parallel.elements(y.count) { r in
            subtract_out(y.pointer + r.lowerBound, a.pointer + r.lowerBound, b.pointer + r.lowerBound, r.count)
        }
        let (aSlot, bSlot) = (a.slot, b.slot)
        return Tape.record(y, from: [a, b]) { dy, tape in
            if let aSlot { tape.add(dy, to: aSlot) }
            if let bSlot { tape.add(scaled(dy, by: -1), to: bSlot) }
        }
    }

    /// a·b, equal shapes.
    public static func * (a: Tensor, b: Tensor) -> Tensor {
        require(a.shape == b.shape, "*: shapes \(a.shape) and \(b.shape) differ")
        if let program = Program.tracing(a, b) { return program.product(a, b, op: "*") }
        let (aSlot, bSlot, a0, b0) = (a.slot, b.slot, a.detached(), b.detached())
        return Tape.record(product(a, b), from: [a, b]) { dy, tape in
            if let aSlot { tape.add(product(dy, b0), to: aSlot) }
            if let bSlot { tape.add(product(dy, a0), to: bSlot) }
        }
    }

    /// scale·x.
    public static func * (scale: Float, x: Tensor) -> Tensor {
        if let program = Program.tracing(x) { return program.scaled(x, by: scale, op: "*") }
        let slot = x.slot
        return Tape.record(scaled(x, by: scale), from: [x]) { dy, tape in
            if let slot { tape.add(scaled(dy, by: scale), to: slot) }
        }
    }
}

func scaled(_ x: Tensor, by scale: Float) -> Tensor {
    let y = Tensor(uninitialized: x.shape)
    Parallel.elements(y.count) { r in scale_out(y.pointer + r.lowerBound, x.pointer + r.lowerBound, scale, r.count) }
    return y
}

private func product(_ a: Tensor, _ b: Tensor) -> Tensor {
    let y = Tensor(uninitialized: a.shape)
    Parallel.elements(y.count) { r in
        multiply_out(y.pointer + r.lowerBound, a.pointer + r.lowerBound, b.pointer + r.lowerBound, r.count)
    }
    return y
}

/// GELU, tanh approximation: ½x(1 + tanh(√(2/π)(x + 0.044715x³))).
public func gelu(_ x: Tensor) -> Tensor {
    if let program = Program.tracing(x) { return program.gelu(x) }
    return pointwise(x, gelu_forward, gelu_backward)
}

/// GELU itself, x·Φ(x) with the normal distribution function Φ, to about 1e-7.
public func exactGELU(_ x: Tensor) -> Tensor {
    if let program = Program.tracing(x) { return program.exactGELU(x) }
    return pointwise(x, exact_gelu_forward, exact_gelu_backward)
}

/// A function of each number: `forward` writes y of x, `backward` dx of dy and x.
private func pointwise(
    _ x: Tensor, _ forward: @escaping (UnsafeMutablePointer<Float>?, UnsafePointer<Float>?, Int) -> Void,
    _ backward: @escaping (UnsafeMutablePointer<Float>?, UnsafePointer<Float>?, UnsafePointer<Float>?, Int) -> Void
) -> Tensor {
    let y = Tensor(uninitialized: x.shape)
    Parallel.elements(y.count) { r in forward(y.pointer + r.lowerBound, x.pointer + r.lowerBound, r.count) }
    let (slot, x0) = (x.slot, x.detached())
    return Tape.record(y, from: [x]) { dy, tape in
        guard let slot else { return }
        let dx = Tensor(uninitialized: x0.shape)
        Parallel.elements(dx.count) { r in
            backward(dx.pointer + r.lowerBound, dy.pointer + r.lowerBound, x0.pointer + r.lowerBound, r.count)
        }
        tape.add(dx, to: slot)
    }
}

/// max(x, 0).
public func relu(_ x: Tensor) -> Tensor {
    if let program = Program.tracing(x) { return program.relu(x) }
    let y = Tensor(uninitialized: x.shape)
    Parallel.elements(y.count) { r in relu_forward(y.pointer + r.lowerBound, x.pointer + r.lowerBound, r.count) }
    let (slot, y0) = (x.slot, y)
    return Tape.record(y, from: [x]) { dy, tape in
        guard let slot else { return }
        let dx = Tensor(uninitialized: y0.shape)
        Parallel.elements(dx.count) { r in
            relu_backward(dx.pointer + r.lowerBound, dy.pointer + r.lowerBound, y0.pointer + r.lowerBound, r.count)
        }
        tape.add(dx, to: slot)
    }
}

/// x where it is positive, slope·x elsewhere.
public func leakyReLU(_ x: Tensor, slope: Float) -> Tensor {
    if let program = Program.tracing(x) { return program.leakyReLU(x, slope: slope) }
    let y = Tensor(uninitialized: x.shape)
    Parallel.elements(y.count) { r in
        leaky_relu_forward(y.pointer + r.lowerBound, x.pointer + r.lowerBound, slope, r.count)
    }
    let (slot, x0) = (x.slot, x.detached())
    return Tape.record(y, from: [x]) { dy, tape in
        guard let slot else { return }
        let dx = Tensor(uninitialized: x0.shape)
        Parallel.elements(dx.count) { r in
            leaky_relu_backward(
                dx.pointer + r.lowerBound, dy.pointer + r.lowerBound, x0.pointer + r.lowerBound, slope, r.count)
        }
        tape.add(dx, to: slot)
    }
}

/// log(1 + eˣ), for few values such as logits.
public func softplus(_ x: Tensor) -> Tensor {
    if let program = Program.tracing(x) { return program.softplus(x) }
    let y = Tensor(x.values.map { max($0, 0) + log1p(exp(-abs($0))) }, shape: x.shape)
    let (slot, x0) = (x.slot, x.detached())
    return Tape.record(y, from: [x]) { dy, tape in
        guard let slot else { return }
        let slopes = Tensor(x0.values.map { 1 / (1 + exp(-$0)) }, shape: x0.shape)
        tape.add(product(dy, slopes), to: slot)
    }
}

/// Inverted dropout with share `p` set to 0; the mask comes from `key`, the same forwards and backwards.
public func dropout(_ x: Tensor, p: Float, key: MaskKey) -> Tensor {
    require(p >= 0 && p < 1, "dropout: p = \(p) is not in [0, 1)")
    guard p > 0 else { return x }
    if let program = Program.tracing(x) { return program.dropout(x, p: p, key: key) }
    let number = key.number
    func masked(_ x: Tensor) -> Tensor {
        let y = Tensor(uninitialized: x.shape)
        Parallel.elements(y.count) { r in
            dropout_apply(
                y.pointer + r.lowerBound, x.pointer + r.lowerBound, p, number, UInt64(r.lowerBound), r.count)
        }
        return y
    }
    let slot = x.slot
    return Tape.record(masked(x), from: [x]) { dy, tape in
        if let slot { tape.add(masked(dy), to: slot) }
    }
}

/// The GEGLU of the feed-forward layer: x = [gate ; value] along the last axis → gelu(value)·gate, half as wide.
public func geglu(_ x: Tensor) -> Tensor {
    require(x.width % 2 == 0, "geglu: last axis of \(x.shape) is not even")
    if let program = Program.tracing(x) { return program.geglu(x) }
    let (rows, hidden) = (x.rows, x.width / 2)
    let y = Tensor(uninitialized: x.shape.dropLast() + [hidden])
    Parallel.rows(rows, width: hidden) { r in
        geglu_forward(y.pointer + r.lowerBound * hidden, x.pointer + r.lowerBound * 2 * hidden, r.count, hidden)
    }
    let (slot, x0) = (x.slot, x.detached())
    return Tape.record(y, from: [x]) { dy, tape in
        guard let slot else { return }
        let dx = Tensor(uninitialized: x0.shape)
        Parallel.rows(rows, width: hidden) { r in
            geglu_backward(
                dx.pointer + r.lowerBound * 2 * hidden, dy.pointer + r.lowerBound * hidden,
                x0.pointer + r.lowerBound * 2 * hidden, r.count, hidden)
        }
        tape.add(dx, to: slot)
    }
}

/// x + gate·branch, the gated residual of a transformer layer; x, branch [B, L, D], gate [1 or B, D].
public func gatedResidual(_ x: Tensor, gate: Tensor, branch: Tensor) -> Tensor {
    require(x.shape == branch.shape, "gatedResidual: shapes \(x.shape) and \(branch.shape) differ")
    if let program = Program.tracing(x, gate, branch) { return program.gatedResidual(x, gate: gate, branch: branch) }
    let (rows, width, rowsPerGate) = (x.rows, x.width, rowsPerRow(of: gate, in: x, op: "gatedResidual"))
    let y = Tensor(uninitialized: x.shape)
    Parallel.rows(rows, width: width) { r in
        let at = r.lowerBound * width
        gated_residual_forward(
            y.pointer + at, x.pointer + at, branch.pointer + at, gate.pointer, r.lowerBound, r.count, width, rowsPerGate)
    }

    // dx = dy, dbranch = dy·gate, dgate = Σ dy·branch
    let (xSlot, gateSlot, branchSlot) = (x.slot, gate.slot, branch.slot)
    let (gate0, branch0) = (gate.detached(), branch.detached())
    return Tape.record(y, from: [x, gate, branch]) { dy, tape in
        if let xSlot { tape.add(dy, to: xSlot) }
        let dbranch = branchSlot.map { _ in Tensor(uninitialized: branch0.shape) }
        func run(_ dgate: UnsafeMutablePointer<Float>?, _ r: Range<Int>) {
            let at = r.lowerBound * width
            gated_residual_backward(
                dbranch.map { $0.pointer + at }, dgate, dy.pointer + at, branch0.pointer + at, gate0.pointer,
                r.lowerBound, r.count, width, rowsPerGate)
        }
        if let gateSlot {
            tape.accumulate(gateSlot, shape: gate0.shape) { dgate, accumulates in
                Parallel.rowSums(rows: rows, width: gate0.count, into: dgate.pointer, accumulates: accumulates, run)
            }
        } else {
            Parallel.rows(rows, width: width) { run(nil, $0) }
        }
        if let branchSlot, let dbranch { tape.add(dbranch, to: branchSlot) }
    }
}

/// How many consecutive rows of `x` [B, L, D] share a row of `vector` [1 or B, D].
func rowsPerRow(of vector: Tensor, in x: Tensor, op: String) -> Int {
    let vectors = vector.count / x.width
    require(
        vector.width == x.width && (vectors == 1 || vectors == x.shape[0]),
        "\(op): vector \(vector.shape) does not fit \(x.shape)")
    return x.rows / vectors
}
