/// Traced forms of `Losses.swift`. Sums are of float32 numbers.
extension Program {
    func weightedSum(_ x: Tensor, weights: [Float]) -> Tensor {
        let factors = constant(weights, x.shape)
        return record((node(x) * factors).sum.reshaped([1]), from: [x]) { [$0.reshaped([]) * factors] }
    }

    func mean(_ x: Tensor) -> Tensor {
        let count = Double(x.count)
        return record((node(x).sum / count).reshaped([1]), from: [x]) {
            [($0 / count).reshaped([]).broadcast(to: x.shape, axes: [])]
        }
    }

    func meanAbsoluteDifference(_ a: Tensor, _ b: Tensor) -> Tensor {
        let (d, count) = (node(a) - node(b), Double(a.count))
        return record((d.abs.sum / count).reshaped([1]), from: [a, b]) { dy in
            let slope = (dy / count).reshaped([]) * d.apply(.sign)
            return [slope, -slope]
        }
    }

    func meanSquaredDifference(_ a: Tensor, _ b: Tensor) -> Tensor {
        let (d, count) = (node(a) - node(b), Double(a.count))
        return record((d.squared.sum / count).reshaped([1]), from: [a, b]) { dy in
            let slope = (2 * dy / count).reshaped([]) * d
            return [slope, -slope]
        }
    }

    func straightThrough(_ x: Tensor, value: Tensor) -> Tensor { record(node(value), from: [x]) { [$0] } }
}
