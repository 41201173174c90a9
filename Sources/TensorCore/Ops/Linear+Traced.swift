/// Traced forms of `Linear.swift`.
extension Program {
    func linear(_ x: Tensor, weight: Tensor, bias: Tensor?) -> Tensor {
        let (value, w) = (node(x), node(weight))
        let y = value.timesRows(of: w)
        let biased = bias.map { y + node($0).reshaped([y.width]).alongColumns(of: y) }
        return record(biased ?? y, from: [x, weight] + (bias.map { [$0] } ?? [])) { dy in
            [dy.times(w), dy.outer(value)] + (bias.map { [dy.columnSums.reshaped($0.shape)] } ?? [])
        }
    }
}
