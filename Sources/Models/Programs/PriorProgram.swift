import NN
import Settings
import TensorCore

/// A training step of an AR model as a program: loss, gradients, clipping, AdamW and averages; the optimiser's state stays on the
/// device.
///
/// Inputs: `targets` [rows, T] and `labels` [rows] of a device's share of the batch, `dropout` where there is any, `prior/numbers` (`AdamW.numbers`), and the state
/// under the names of `AdamW.state` after `prior/`. Outputs: `loss`, `gradient_norm`, `replaced`, [1] each, and the state.
public enum PriorProgram {
    /// - Parameters:
    ///   - optimizer: settings of the update; the rate comes with each step.
    ///   - microBatch: sequences that a device computes at a time, a divisor of its share unless that is smaller: less memory, the same
    ///     result to rounding.
    ///   - replicas: devices that have equal shares of the batch.
    ///   - dropout: share of embeddings and branches, and of attention weights.
    public static func step(
        _ config: ARConfig, _ optimizer: OptimizerSettings, averageHalfLife: Double?, batch: Int, microBatch: Int? = nil,
        dropout p: (Float, attention: Float), replicas: Replicas = .one
    ) -> TracedProgram {
        let program = Program("prior_step", replicas: replicas)
        let share = batch / replicas.count
        let model = ARModel(config, parameters: .program(program, prefix: "prior/value/"))
        let (targets, labels) = (program.tokens("targets", [share, config.layout.length]), program.tokens("labels", [share]))
        let dropout =
            max(p.0, p.attention) > 0 ? Dropout(p: p.0, attention: p.attention, stream: program.stream("dropout")) : .none
        /// Loss and gradients of some sequences.
        func differentiated(_ targets: TokenTensor, _ labels: TokenTensor, _ dropout: Dropout) -> [Tensor] {
            let tape = Tape(differentiating: model.parameters)
            let loss = model.meanCrossEntropy(ARInput(targets: targets, labels: labels), on: tape, dropout: dropout)
            tape.backward(from: loss)
            return [loss.detached()] + model.parameters.map { tape.gradient(of: $0)?.reshaped($0.shape) ?? program.zeros($0.shape) }
        }
        let rows = min(microBatch ?? share, share)
        require(
            batch % replicas.count == 0 && rows > 0 && share % rows == 0,
            "parts of \(rows) on each of \(replicas.count) devices do not make up a batch of \(batch)")
        let parts = share / rows
        // Masks are those of the whole batch.
        func masks(_ index: TokenTensor) -> Dropout { dropout.part(program.part(index, amongAll: parts), of: rows) }
        var results: [Tensor]
        if parts == 1 {
            let isWhole = replicas.count == 1
            results = differentiated(targets, labels, isWhole ? dropout : masks(TokenTensor([0], shape: [1])))
        } else {
            let zeros = [program.zeros([1])] + model.parameters.map { program.zeros($0.shape) }
            results =
                program.loop(parts, zeros, []) { index, sums, _ in
                    let part = differentiated(
                        targets.part(index, rows: rows), labels.part(index, rows: rows), masks(index))
                    return (zip(sums, part).map { $0 + Float(rows) / Float(share) * $1 }, [])
                }.tensors
        }
        let loss = results.removeFirst().meanOverReplicas
        let (norm, replaced) = AdamW.trace(
            model.parameters, optimizer, averageHalfLife: averageHalfLife, gradients: results, in: program, name: "prior")
        program.output("loss", loss)
        program.output("gradient_norm", norm)
        program.output("replaced", replaced)
        return program.traced()
    }

    /// Cross-entropy `nats` [batch, T] of `targets` [batch, T] with `labels` [batch]; parameters `prior/value/…`.
    public static func crossEntropy(_ config: ARConfig, batch: Int) -> TracedProgram {
        let program = Program("prior_cross_entropy")
        let model = ARModel(config, parameters: .program(program, prefix: "prior/value/"))
        let input = ARInput(
            targets: program.tokens("targets", [batch, config.layout.length]), labels: program.tokens("labels", [batch]))
        program.output("nats", model.crossEntropy(input, on: nil))
        return program.traced()
    }

    /// Attention `maps` [layers, heads, T, T] of the same inputs, as `ARModel.attentionMaps`.
    public static func attentionMaps(_ config: ARConfig, batch: Int) -> TracedProgram {
        let program = Program("prior_attention")
        let model = ARModel(config, parameters: .program(program, prefix: "prior/value/"))
        let input = ARInput(
            targets: program.tokens("targets", [batch, config.layout.length]), labels: program.tokens("labels", [batch]))
        program.output("maps", model.attentionMaps(input))
        return program.traced()
    }
}
