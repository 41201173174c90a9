/// Traced forms of `Tangents.swift`.
extension Program {
    func leakyReLUTangent(_ x: Tensor, along tangent: Tensor, slope: Float) -> Tensor {
        let isPositive = node(x).compare(.greater, 0)
        let u = node(tangent)
        return record(isPositive.select(u, Double(slope) * u), from: [tangent]) { dy in
            [isPositive.select(dy, Double(slope) * dy)]
        }
    }

    func batchNormTangent(
        _ x: Tensor, along tangent: Tensor, weight: Tensor, moments: ChannelMoments, epsilon: Double
    ) -> Tensor {
        let (value, u, rows, channels) = (node(x), node(tangent), Double(x.rows), x.width)
        func columns(_ sums: Node) -> Node { sums.reshaped([channels]).alongColumns(of: value) }
        let inverse = columns(1 / (node(moments.variance).reshaped([channels]) + epsilon).squareRoot)
        let unit = (value - columns(node(moments.mean))) * inverse
        let w = columns(node(weight))
        func mean(_ values: Node) -> Node { columns(meanOverReplicas(values.columnSums / rows)) }
        func derivative(_ u: Node) -> Node { inverse * (u - mean(u) - unit * mean(unit * u)) }
        let t = derivative(u)
        return record(w * t, from: [x, tangent, weight]) { dy in
            let (du, dw) = (w * derivative(dy), (dy * t).columnSums)
            let dx = -inverse * (mean(unit * u) * du + w * mean(unit * dy) * t + unit * w * columns(self.meanOverReplicas(dw)) / rows)
            return [dx, du, dw.reshaped(weight.shape)]
        }
    }
}
