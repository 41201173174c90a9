import NN
import TensorCore

extension ARModel {
    /// Gradients of the mean cross-entropy, on `tape`, of a batch that is computed `rows` sequences at a time: the activations of one
    /// part are not held beside those of the next. To rounding all is as with the whole batch at once, masks of dropout too.
    ///
    /// - Returns: the mean cross-entropy, in nats.
    public func backwardMeanCrossEntropy(
        targets: TokenTensor, labels: TokenTensor, visualDropped: TokenTensor? = nil, rows: Int, on tape: Tape, dropout: Dropout = .none
    ) -> Float {
        let (batch, length) = (labels.count, targets.shape[1])
        var sum: Float = 0
        for (number, first) in stride(from: 0, to: batch, by: rows).enumerated() {
            let part = first..<min(batch, first + rows)
            var input = ARInput(
                targets: TokenTensor(
                    Array(targets.ids[part.lowerBound * length..<part.upperBound * length]), shape: [part.count, length]),
                labels: TokenTensor(Array(labels.ids[part]), shape: [part.count]))
            input.visualDropped = visualDropped.map { TokenTensor(Array($0.ids[part]), shape: [part.count]) }
            let start = tape.mark
            let loss = meanCrossEntropy(
                input, on: tape, dropout: dropout.part(TokenTensor([Int32(number)], shape: [1]), of: rows))
            sum += tape.playBack(to: start, from: Float(part.count) / Float(batch) * loss).scalar
        }
        return sum
    }
}

extension Tokenizer.StepA {
    /// Of a batch whose equal `parts` gave these, off the tape: means of losses, codes one after another.
    init(joining parts: [Tokenizer.StepA]) {
        func mean(_ values: [Tensor]) -> Tensor { Tensor([values.reduce(0) { $0 + $1.scalar } / Float(values.count)], shape: [1]) }
        func optional(_ value: (Tokenizer.StepA) -> Tensor?, _ join: ([Tensor]) -> Tensor) -> Tensor? {
            let values = parts.compactMap(value)
            return values.isEmpty ? nil : join(values)
        }
        self.init(
            encoding: Encoding(joining: parts.map(\.encoding)),
            reconstruction: optional(\.reconstruction, Tensor.init(joining:)), l1: mean(parts.map(\.l1)), l2: mean(parts.map(\.l2)),
            quantizer: mean(parts.map(\.quantizer)),
            images: parts[0].images.map { _ in
                let terms = parts.compactMap(\.images)
                return ImageLosses.Terms(
                    real: Tensor(joining: terms.map(\.real)), rebuilt: Tensor(joining: terms.map(\.rebuilt)), generator: nil,
                    perceptual: optional({ $0.images?.perceptual }, mean), total: optional({ $0.images?.total }, mean))
            },
            crossEntropy: parts[0].crossEntropy.map { _ in
                SegmentedCrossEntropy(
                    prologue: mean(parts.compactMap(\.crossEntropy?.prologue)), eos: mean(parts.compactMap(\.crossEntropy?.eos)),
                    visual: mean(parts.compactMap(\.crossEntropy?.visual)))
            },
            total: mean(parts.map(\.total)))
    }
}

extension Encoding {
    fileprivate init(joining parts: [Encoding]) {
        let prologues = parts.compactMap(\.prologue)
        self.init(
            visual: Quantized(joining: parts.map(\.visual)), prologue: prologues.isEmpty ? nil : Quantized(joining: prologues))
    }
}

extension Quantized {
    /// What a report reads of them: codes, points and similarities.
    fileprivate init(joining parts: [Quantized]) {
        let similarities = parts.compactMap(\.similarities)
        self.init(
            indices: TokenTensor(joining: parts.map(\.indices)), codes: Tensor(joining: parts.map(\.codes)),
            points: Tensor(joining: parts.map(\.points)), similarities: similarities.isEmpty ? nil : Tensor(joining: similarities),
            loss: nil, entropyLoss: nil, probabilities: nil)
    }
}
