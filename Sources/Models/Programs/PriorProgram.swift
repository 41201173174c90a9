import NN
import Settings
import TensorCore

/// A training step of an AR model as a program: loss, gradients, clipping, AdamW and averages; the optimiser's state stays on the
/// device.
///
/// Inputs: `targets` [batch, T] and `labels` [batch], `dropout` where there is any, `prior/numbers` (`AdamW.numbers`), and the state
/// under the names of `AdamW.state` after `prior/`. Outputs: `loss`, `gradient_norm`, `replaced`, [1] each, and the state.
public enum PriorProgram {
    /// - Parameters:
    ///   - optimizer: settings of the update; the rate comes with each step.
    ///   - dropout: share of embeddings and branches, and of attention weights.
    public static func step(
        _ config: ARConfig, _ optimizer: OptimizerSettings, averageHalfLife: Double?, batch: Int, dropout p: (Float, attention: Float)
    ) -> TracedProgram {
        let program = Program("prior_step")
        let model = ARModel(config, parameters: .program(program, prefix: "prior/value/"))
        let input = ARInput(
            targets: program.tokens("targets", [batch, config.layout.length]), labels: program.tokens("labels", [batch]))
        let tape = Tape(differentiating: model.parameters)
        let loss = model.meanCrossEntropy(
            input, on: tape,
            dropout: max(p.0, p.attention) > 0
                ? Dropout(p: p.0, attention: p.attention, stream: program.stream("dropout")) : .none)
        tape.backward(from: loss)
        let (norm, replaced) = AdamW.trace(
            model.parameters, optimizer, averageHalfLife: averageHalfLife, tape, in: program, name: "prior")
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
