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
