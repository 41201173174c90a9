/// Traced forms of `Rotary.swift`.
extension Program {
    func rotaryNorm(_ x: Tensor, weight w: Tensor, table: RotaryTable, heads: Int) -> Tensor {
        let norm = RotaryNorm(node(x), weight: node(w), table: table, heads: heads, first: 0)
        return record(norm.value, from: [x, w]) { dy in
            let (dx, dw) = norm.gradients(dy)
            return [dx.padded(2, low: 0, high: x.width - dx.width), dw.reshaped(w.shape)]
        }
    }
}

/// Per-head RMS norm and rotation of heads·d columns of x [B, L, stride], from column `first` on → [B, L, heads·d].
struct RotaryNorm {
    /// [B, L, heads·d], of the type of x.
    let value: Node
    private let norm: UnitRows
    private let scale, cosine, sine: Node
    private let root: Double

    init(_ x: Node, weight: Node, table: RotaryTable, heads: Int, first: Int) {
        let (program, d) = (x.program, weight.shape.elementCount)
        let own = x.sliced(2, first..<first + heads * d)
        let shape = [own.shape[0], own.shape[1], heads, d]
        norm = UnitRows(own.reshaped(shape).wide)
        root = Double(d).squareRoot()
        scale = (1 + weight.reshaped([d])).alongColumns(of: norm.unit)
        // Pairs: y·cos + swap(y)·(∓sin).
        let pairs: Shape = shape.dropLast() + [d / 2, 2]
        let angles = (cosine: program.node(table.cosine), sine: program.node(table.sine).reshaped([shape[1], d / 2, 1]))
        cosine = angles.cosine.broadcast(to: pairs, axes: [1, 3])
        sine = Node.concatenated([-angles.sine, angles.sine], axis: 2).broadcast(to: pairs, axes: [1, 3, 4])
        let y = (norm.unit * root * scale).reshaped(pairs)
        value = (y * cosine + y.reversed([4]) * sine).reshaped(own.shape).converted(to: x.element)
    }

    /// Of the used columns [B, L, heads·d] and of the weight [d], given that of the value; all float32.
    func gradients(_ dy: Node) -> (x: Node, weight: Node) {
        let e = dy.reshaped(cosine.shape)
        let rotatedBack = (e * cosine - e.reversed([4]) * sine).reshaped(norm.unit.shape)
        return ((norm.gradient(rotatedBack * scale) * root).reshaped(dy.shape), (rotatedBack * norm.unit * root).columnSums)
    }
}
