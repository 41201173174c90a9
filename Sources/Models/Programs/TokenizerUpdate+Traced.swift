import NN
import Settings
import TensorCore

extension TokenizerUpdate {
    /// Which inputs an update has beside patches and state.
    public struct TracedInputs: Equatable, Sendable {
        public var labels = false
        public var visualDropped = false
        /// Streams of Gumbel noise.
        public var visualNoise = false
        public var prologueNoise = false

        public init() {}
    }

    /// What a program of an update gives beside losses and indices.
    public struct TracedExtras: OptionSet, Sendable {
        /// `visual_entropy`, `visual_batch_entropy` and the prologue's, [1] each, where codes are compared one by one.
        public static let entropies = TracedExtras(rawValue: 1)
        /// `visual_points` and `prologue_points` [batch, L, z]: `Quantized.points`.
        public static let points = TracedExtras(rawValue: 2)

        public let rawValue: Int

        public init(rawValue: Int) { self.rawValue = rawValue }
    }

    /// This update as a program: steps A and B with clipping, AdamW and averages.
    ///
    /// Inputs: `patches` [batch, N, p·p·C]; `labels` and `visual_dropped` [batch] and the streams `visual_noise` and
    /// `prologue_noise`, as `given` says; `autoencoder/numbers` and `joint/numbers` (`AdamW.numbers`); the states of both optimisers
    /// under the names of `AdamW.state` after `autoencoder/` and `joint/`; parameters that are not trained as
    /// `autoencoder/value/…`. Outputs: the state; `indices` [batch, K + N]; `loss`, `l1`, `l2`, `quantizer`, `gradient_norm`, and where there is
    /// an AR model `ce_prologue`, `ce_eos`, `ce_visual`, `ce_joint`, [1] each.
    ///
    /// Losses of whole images have no program yet.
    public func traced(batch: Int, given: TracedInputs, extras: TracedExtras = []) -> TracedProgram {
        require(imageLosses == nil, "losses of whole images have no traced form")
        let program = Program("tokenizer_update")
        let (config, source) = (tokenizer.config, ParameterSource.program(program, prefix: "autoencoder/value/"))
        let model = Tokenizer(config, parameters: source)
        let names = Set(autoencoder.parameters.map(\.name))
        let trained = model.parameters.filter { names.contains($0.name) }
        let ar = joint.map { ARModel($0.model.config, parameters: .program(program, prefix: "joint/value/")) }
        let inputs = Inputs(
            patches: program.input("patches", [batch, config.visualTokens, config.patchWidth]),
            labels: given.labels ? program.tokens("labels", [batch]) : nil,
            dropped: given.visualDropped ? program.tokens("visual_dropped", [batch]) : nil,
            noise: GumbelNoise(
                visual: given.visualNoise ? program.stream("visual_noise") : nil,
                prologue: given.prologueNoise ? program.stream("prologue_noise") : nil))

        let tape = Tape(differentiating: trained + (sharedWeight == nil ? [] : ar?.parameters ?? []))
        let a = model.stepA(
            patches: tape.constant(inputs.patches), weights: weights, ar: ar, labels: inputs.labels, visualDropped: inputs.dropped,
            noise: inputs.noise)
        tape.backward(from: a.total)
        let (norm, _) = AdamW.trace(
            trained, autoencoder.settings, averageHalfLife: autoencoder.averageHalfLife, tape, in: program, name: "autoencoder")
        if let ar, let joint {
            program.output("ce_joint", stepB(ar, joint.optimizer, inputs, a, tape, in: program))
        }
        program.output("indices", a.encoding.indices)
        let scalars: [(String, Tensor?)] = [
            ("loss", a.total), ("l1", a.l1), ("l2", a.l2), ("quantizer", a.quantizer), ("gradient_norm", norm),
            ("ce_prologue", a.crossEntropy?.prologue), ("ce_eos", a.crossEntropy?.eos), ("ce_visual", a.crossEntropy?.visual),
        ]
        for case (let name, let value?) in scalars { program.output(name, value.detached()) }
        output(extras, of: a.encoding.visual, as: "visual", in: program)
        if let prologue = a.encoding.prologue { output(extras, of: prologue, as: "prologue", in: program) }
        return program.traced()
    }

    private func output(_ extras: TracedExtras, of quantized: Quantized, as name: String, in program: Program) {
        if extras.contains(.entropies), let similarities = quantized.similarities {
            let entropies = program.assignmentEntropies(similarities, scale: AssignmentEntropy.reportedScale)
            program.output("\(name)_entropy", entropies.sample)
            program.output("\(name)_batch_entropy", entropies.batch)
        }
        if extras.contains(.points) { program.output("\(name)_points", quantized.points) }
    }

    private struct Inputs {
        let patches: Tensor
        let labels, dropped: TokenTensor?
        let noise: GumbelNoise
    }

    /// Step B's loss. Where both steps share one weight of all cross-entropies, step A's tape has its gradients.
    private func stepB(
        _ ar: ARModel, _ optimizer: AdamW, _ inputs: Inputs, _ a: Tokenizer.StepA, _ shared: Tape, in program: Program
    ) -> Tensor {
        var (loss, tape, scale) = (a.crossEntropy?.total ?? .zeros([1]), shared, 1.0)
        if let weight = sharedWeight {
            scale = 1 / weight
        } else {
            tape = Tape(differentiating: ar.parameters)
            let indices = a.encoding.indices
            let labels = inputs.labels ?? TokenTensor(repeating: ar.unconditionalLabel, shape: [indices.shape[0]])
            loss = ar.meanCrossEntropy(
                ARInput(targets: tokenizer.config.layout.targets(indices), labels: labels, visualDropped: inputs.dropped), on: tape)
            tape.backward(from: loss)
        }
        _ = AdamW.trace(
            ar.parameters, optimizer.settings, averageHalfLife: optimizer.averageHalfLife, tape, in: program, name: "joint",
            gradientScale: scale)
        return loss.detached()
    }
}
