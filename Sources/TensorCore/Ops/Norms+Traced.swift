/// Traced forms of `Norms.swift`.
extension Program {
    func rmsNorm(_ x: Tensor, weight w: Tensor) -> Tensor {
        let rows = GroupedRows(x, w, op: "rmsNorm")
        let (value, scale) = (node(x), 1 + rows.repeated(node(w)))
        let norm = UnitRows(value)
        let unit = norm.unit * Double(x.width).squareRoot()
        return record(unit * scale, from: [x, w]) { dy in
            [norm.gradient(dy * scale) * Double(x.width).squareRoot(), rows.summed(dy * unit, w.shape)]
        }
    }

    func layerNorm(_ x: Tensor, weight: Tensor, bias: Tensor, epsilon: Double) -> Tensor {
        let (value, width) = (node(x), Double(x.width))
        func mean(_ x: Node) -> Node { (x.rowSums / width).alongRows(of: x) }
        func columns(_ tensor: Tensor) -> Node { node(tensor).reshaped([x.width]).alongColumns(of: value) }
        let centred = value - mean(value)
        let inverse = 1 / (mean(centred.squared) + epsilon).squareRoot
        let (unit, w) = (centred * inverse, columns(weight))
        return record(unit * w + columns(bias), from: [x, weight, bias]) { dy in
            let scaled = dy * w
            let dx = inverse * (scaled - mean(scaled) - unit * mean(scaled * unit))
            return [dx, (dy * unit).columnSums.reshaped(weight.shape), dy.columnSums.reshaped(bias.shape)]
        }
    }

    func l2Normalize(_ x: Tensor) -> Tensor {
        let norm = UnitRows(node(x))
        return record(norm.unit, from: [x]) { [norm.gradient($0)] }
    }
}

/// x/max(‖x‖, 10⁻¹²) over the last axis, and its gradient.
struct UnitRows {
    let unit: Node
    /// 1/max(‖x‖, 10⁻¹²), and whether the norm is larger: else the division is by a constant.
    let inverse, isLarge: Node

    init(_ x: Node) {
        let norm = x.squared.rowSums.squareRoot
        isLarge = norm.compare(.greater, 1e-12)
        inverse = 1 / norm.maximum(1e-12)
        unit = x * inverse.alongRows(of: x)
    }

    /// (d − u⟨d, u⟩)/‖x‖
    func gradient(_ d: Node) -> Node {
        let projection = isLarge.select((d * unit).rowSums, 0)
        return inverse.alongRows(of: d) * (d - unit * projection.alongRows(of: d))
    }
}
