/// Traced forms of `ImageNorms.swift`.
extension Program {
    func moments(of x: Tensor) -> (mean: Tensor, variance: Tensor) {
        let (value, rows) = (node(x), Double(x.rows))
        let mean = meanOverReplicas(value.columnSums / rows)
        return (Tensor(mean), Tensor(meanOverReplicas((value - mean.alongColumns(of: value)).squared.columnSums / rows)))
    }

    func channelNorm(
        _ x: Tensor, _ weight: Tensor, _ bias: Tensor, _ moments: ChannelMoments, _ epsilon: Double, momentsFollow: Bool,
        op: StaticString
    ) -> Tensor {
        let (value, rows, channels) = (node(x), Double(x.rows), x.width)
        func columns(_ tensor: Tensor) -> Node { node(tensor).reshaped([channels]).alongColumns(of: value) }
        let inverse = (1 / (node(moments.variance).reshaped([channels]) + epsilon).squareRoot).alongColumns(of: value)
        let unit = (value - columns(moments.mean)) * inverse
        let w = columns(weight)
        return record(unit * w + columns(bias), from: [x, weight, bias], op: op) { dy in
            let (db, dw) = (dy.columnSums, (dy * unit).columnSums)
            func all(_ sums: Node) -> Node { self.meanOverReplicas(sums).alongColumns(of: dy) }
            let own = momentsFollow ? (all(db) + unit * all(dw)) / rows : nil
            return [w * inverse * (own.map { dy - $0 } ?? dy), dw.reshaped(weight.shape), db.reshaped(bias.shape)]
        }
    }
}
