/// Traced forms of `Quantization.swift`.
extension Program {
    func scaledTanh(_ x: Tensor, scale: [Float], shift: [Float], offset: [Float]) -> Tensor {
        let value = node(x)
        func columns(_ numbers: [Float]) -> Node { constant(numbers, [numbers.count]).alongColumns(of: value) }
        let (squashed, factor) = ((value + columns(shift)).tanh, columns(scale))
        return record(factor * squashed - columns(offset), from: [x]) { [$0 * factor * (1 - squashed.squared)] }
    }

    func assignmentEntropyLoss(_ x: Tensor, scale: Float) -> Tensor {
        let (rows, epsilon) = (Double(x.rows), 1e-5)
        let logits = node(x).reshaped([x.rows, x.width]) * Double(scale)
        let shifted = logits - logits.rowMaxima.alongRows(of: logits)
        let logP = shifted - shifted.exp.rowSums.log.alongRows(of: shifted)
        let p = logP.exp
        let entropies = -(p * logP).rowSums
        let means = p.columnSums / rows
        let logMeans = (means + epsilon).log
        let loss = entropies.sum / rows + (means * logMeans).sum
        return record(loss.reshaped([1]), from: [x]) { dy in
            let slopes = (-logMeans - means / (means + epsilon)).alongColumns(of: p)
            let constants = ((p * slopes).rowSums - entropies).alongRows(of: p)
            return [(dy * Double(scale) / rows).reshaped([]) * p * (constants - logP - slopes)].map { $0.reshaped(x.shape) }
        }
    }
}
