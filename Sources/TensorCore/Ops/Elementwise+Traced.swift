/// Traced forms of `Elementwise.swift`.
extension Program {
    func sum(_ a: Tensor, _ b: Tensor, op: StaticString) -> Tensor {
        record(node(a) + node(b), from: [a, b], op: op) { [$0, $0] }
    }

    func difference(_ a: Tensor, _ b: Tensor, op: StaticString) -> Tensor {
        record(node(a) - node(b), from: [a, b], op: op) { [$0, -$0] }
    }

    func product(_ a: Tensor, _ b: Tensor, op: StaticString) -> Tensor {
        let (x, y) = (node(a), node(b))
        return record(x * y, from: [a, b], op: op) { [$0 * y, $0 * x] }
    }

    func scaled(_ x: Tensor, by scale: Float, op: StaticString = #function) -> Tensor {
        record(node(x) * Double(scale), from: [x], op: op) { [$0 * Double(scale)] }
    }

    func gelu(_ x: Tensor) -> Tensor {
        let value = node(x)
        return record(value * geluGate(value), from: [x]) { [$0 * self.geluSlope(value)] }
    }

    private static let geluFactor = Double(1.595_769_1 as Float)

    /// What GELU multiplies its operand with: ½(1 + tanh(√(2/π)(x + 0.044715x³))).
    func geluGate(_ x: Node) -> Node { 0.5 * (1 + (0.5 * Self.geluFactor * (x + 0.044715 * x * x * x)).tanh) }

    /// The same by another formula, for gradients: what went by tanh then needs not be kept for them.
    func geluGateAgain(_ x: Node) -> Node { (Self.geluFactor * (x + 0.044715 * x * x * x)).logistic }

    func geluSlope(_ x: Node) -> Node { geluSlope(x, gate: geluGateAgain(x)) }

    func geluSlope(_ x: Node, gate: Node) -> Node {
        gate + x * gate * (1 - gate) * Self.geluFactor * (1 + 0.134145 * x * x)
    }

    func exactGELU(_ x: Tensor) -> Tensor {
        let value = node(x)
        let share = normalShare(value)
        return record(value * share, from: [x]) { dy in
            [dy * (share + value * (-0.5 * value.squared).exp * 0.398_942_280_401_432_7)]
        }
    }

    /// The normal distribution function, by the fit that the kernel uses: `normal_tail` in elementwise.c.
    private func normalShare(_ x: Node) -> Node {
        let z = x.abs * 0.5.squareRoot()
        let t = 1 / (1 + 0.5 * z)
        let factors = [
            -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368, -1.26551223,
        ]
        let fit = factors.reduce(t.constant(0.17087277)) { $0 * t + $1 }
        let tail = 0.5 * t * (fit - z.squared).exp
        return x.compare(.less, 0).select(tail, 1 - tail)
    }

    func relu(_ x: Tensor) -> Tensor {
        let y = node(x).maximum(0)
        return record(y, from: [x]) { [y.compare(.greater, 0).select($0, 0)] }
    }

    func leakyReLU(_ x: Tensor, slope: Float) -> Tensor {
        let value = node(x)
        let isPositive = value.compare(.greater, 0)
        return record(isPositive.select(value, Double(slope) * value), from: [x]) { [isPositive.select($0, Double(slope) * $0)] }
    }

    func softplus(_ x: Tensor) -> Tensor {
        let value = node(x)
        return record(value.maximum(0) + (-value.abs).exp.apply(.logPlusOne), from: [x]) { [$0 * value.logistic] }
    }

    func dropout(_ x: Tensor, p: Float, key: MaskKey) -> Tensor {
        let keeps = keeps(p, key, counters: counters(x.shape))
        return record(dropped(node(x), p, keeps: keeps), from: [x]) { [self.dropped($0, p, keeps: keeps)] }
    }

    func geglu(_ x: Tensor) -> Tensor {
        let (value, axis, hidden) = (node(x), x.rank - 1, x.width / 2)
        return record(gegluValue(value), from: [x]) { dy in
            let (gate, inner) = (value.sliced(axis, 0..<hidden), value.sliced(axis, hidden..<2 * hidden))
            let share = self.geluGateAgain(inner)
            return [Node.concatenated([dy * inner * share, dy * gate * self.geluSlope(inner, gate: share)], axis: axis)]
        }
    }

    /// gelu(value)·gate of [gate ; value].
    func gegluValue(_ x: Node) -> Node {
        let (axis, hidden) = (x.rank - 1, x.width / 2)
        let (gate, inner) = (x.sliced(axis, 0..<hidden), x.sliced(axis, hidden..<2 * hidden))
        return inner * geluGate(inner) * gate
    }

    func gatedResidual(_ x: Tensor, gate: Tensor, branch: Tensor) -> Tensor {
        let rows = GroupedRows(x, gate, op: "gatedResidual")
        let (g, b) = (rows.repeated(node(gate)), node(branch))
        return record(node(x) + g * b, from: [x, gate, branch]) { dy in [dy, rows.summed(dy * b, gate.shape), dy * g] }
    }
}

/// Rows of x of which consecutive ones share a row of a vector [1 or B, D].
struct GroupedRows {
    private let shape, grouped: Shape

    init(_ x: Tensor, _ vector: Tensor, op: String) {
        let rows = rowsPerRow(of: vector, in: x, op: op)
        (shape, grouped) = (x.shape, [x.rows / rows, rows, x.width])
    }

    /// The vector's rows in the shape of x.
    func repeated(_ vector: Node) -> Node {
        vector.reshaped([grouped[0], grouped[2]]).broadcast(to: grouped, axes: [0, 2]).reshaped(shape)
    }

    /// Sums over the rows that share one of the vector's, which has `shape`.
    func summed(_ x: Node, _ shape: Shape) -> Node { x.reshaped(grouped).sum([1]).reshaped(shape) }
}
