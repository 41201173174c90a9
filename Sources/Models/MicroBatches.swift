import NN
import TensorCore

extension ARModel {
    /// Gradients of the mean cross-entropy, on `tape`, of a batch that is computed `rows` sequences at a time: the activations of one
    /// part are not held beside those of the next. To rounding all is as with the whole batch at once, masks of dropout too.
    ///
    /// - Returns: the mean cross-entropy, in nats.
    public func backwardMeanCrossEntropy(
        targets: TokenTensor, labels: TokenTensor, rows: Int, on tape: Tape, dropout: Dropout = .none
    ) -> Float {
        let (batch, length) = (labels.count, targets.shape[1])
        var sum: Float = 0
        for (number, first) in stride(from: 0, to: batch, by: rows).enumerated() {
            let part = first..<min(batch, first + rows)
            let input = ARInput(
                targets: TokenTensor(
                    Array(targets.ids[part.lowerBound * length..<part.upperBound * length]), shape: [part.count, length]),
                labels: TokenTensor(Array(labels.ids[part]), shape: [part.count]))
            let start = tape.mark
            let loss = meanCrossEntropy(
                input, on: tape, dropout: dropout.part(TokenTensor([Int32(number)], shape: [1]), of: rows))
            sum += tape.playBack(to: start, from: Float(part.count) / Float(batch) * loss).scalar
        }
        return sum
    }
}
