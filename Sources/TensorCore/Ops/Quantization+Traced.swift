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
        let entropies = AssignmentNodes(node(x), scale: scale)
        let (p, logP, means, ofRows) = (entropies.p, entropies.logP, entropies.means, entropies.ofRows)
        return record((entropies.sample - entropies.batch).reshaped([1]), from: [x]) { dy in
            let slopes = (-entropies.logMeans - means / (means + epsilon)).alongColumns(of: p)
            // Rows of other devices, too, have the batch's entropy in their loss.
            let (own, all) = (dy.reshaped([]), self.meanOverReplicas(dy).reshaped([]))
            let ofSample = p * (-logP - ofRows.alongRows(of: p))
            let ofBatch = p * ((p * slopes).rowSums.alongRows(of: p) - slopes)
            return [(Double(scale) / rows * (own * ofSample + all * ofBatch)).reshaped(x.shape)]
        }
    }

    /// What the entropies of `AssignmentEntropy` are made of, off the tape: means over rows, the sample entropy [1] and P̄ [codes],
    /// the latter over the rows of all replicas.
    package func assignmentMeans(_ x: Tensor, scale: Float) -> (sample: Tensor, assignment: Tensor) {
        let entropies = AssignmentNodes(node(x), scale: scale)
        return (Tensor(entropies.sample.reshaped([1])), Tensor(entropies.means))
    }

    /// The batch entropy [1] of P̄ [codes].
    package func batchEntropy(_ assignment: Tensor) -> Tensor {
        let means = node(assignment)
        return Tensor((-(means * (means + 1e-5).log).sum).reshaped([1]))
    }
}

/// The parts of `AssignmentEntropy`, traced.
private struct AssignmentNodes {
    let p, logP, means, logMeans, ofRows, sample, batch: Node

    init(_ x: Node, scale: Float) {
        let width = x.shape[x.shape.count - 1]
        let rows = x.shape.reduce(1, *) / width
        let logits = x.reshaped([rows, width]) * Double(scale)
        let shifted = logits - logits.rowMaxima.alongRows(of: logits)
        logP = shifted - shifted.exp.rowSums.log.alongRows(of: shifted)
        p = logP.exp
        ofRows = -(p * logP).rowSums
        means = x.program.meanOverReplicas(p.columnSums / Double(rows))
        logMeans = (means + 1e-5).log
        sample = ofRows.sum / Double(rows)
        batch = -(means * logMeans).sum
    }
}
