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

    /// What tells steps with different programs apart.
    public struct StepKind: Hashable, Sendable {
        fileprivate let hasAdversary, isPenalized: Bool
    }

    public func kind(of step: Int) -> StepKind {
        let active = imageLosses?.adversary.flatMap { $0.isActive(at: step) ? $0 : nil }
        return StepKind(hasAdversary: active != nil, isPenalized: active?.isPenalized(at: step) ?? false)
    }

    /// What programs change from step to step, by the names there.
    public var tracedState: [(name: String, tensor: Tensor)] {
        func state(_ name: String, _ optimizer: AdamW) -> [(name: String, tensor: Tensor)] {
            optimizer.state.map { ("\(name)/\($0.name)", $0.tensor) }
        }
        let adversary = imageLosses?.adversary
        return state("autoencoder", autoencoder) + (joint.map { state("joint", $0.optimizer) } ?? [])
            + (adversary.map { state("discriminator", $0.optimizer) } ?? [])
            + (adversary?.state.map { (Adversary.tracedPrefix + $0.name, $0.tensor) } ?? [])
    }

    /// What they read and no step changes: parameters that are not trained, weights of a perceptual loss.
    public var tracedConstants: [(name: String, tensor: Tensor)] {
        let trained = Set(autoencoder.parameters.map(\.name))
        return tokenizer.parameters.filter { !trained.contains($0.name) }.map { ("autoencoder/value/\($0.name)", $0.value) }
            + (imageLosses?.perceptual?.loss.tensors.map { (ImageLosses.tracedPrefix + $0.name, $0.tensor) } ?? [])
    }

    /// What the optimisers' programs are told of this step, which is counted here; rates as in an update.
    public func tracedNumbers(rate: Double, adversaryRate: Double = 0, step: Int = 0) -> [(name: String, tensor: Tensor)] {
        var numbers = [("autoencoder/numbers", autoencoder.numbers(rate: rate))]
        if let joint { numbers.append(("joint/numbers", joint.optimizer.numbers(rate: rate))) }
        if let adversary = imageLosses?.adversary, adversary.isActive(at: step) {
            numbers.append(("discriminator/numbers", adversary.optimizer.numbers(rate: adversaryRate)))
        }
        return numbers
    }

    /// This update as a program: steps A and B with clipping, AdamW and averages.
    ///
    /// Inputs: `patches` [batch, N, p·p·C]; `labels` and `visual_dropped` [batch] and the streams `visual_noise` and
    /// `prologue_noise`, as `given` says; `autoencoder/numbers` and `joint/numbers` (`AdamW.numbers`); the states of both optimisers
    /// under the names of `AdamW.state` after `autoencoder/` and `joint/`; parameters that are not trained as
    /// `autoencoder/value/…`. With a discriminator `discriminator/numbers`, its optimiser's state after `discriminator/`, and what it keeps
    /// beside that as `discriminator/value/…`; weights of a perceptual loss as `perceptual/…`.
    ///
    /// Outputs: the state; `indices` [batch, K + N]; `loss`, `l1`, `l2`, `quantizer`, `gradient_norm`, where there is
    /// an AR model `ce_prologue`, `ce_eos`, `ce_visual`, `ce_joint`, with losses of whole images `perceptual`, `gan_generator`,
    /// `gan_discriminator`, `gan_real`, `gan_rebuilt`, [1] each.
    ///
    /// - Parameter step: one of those that the program is for: all of its kind.
    public func traced(batch: Int, given: TracedInputs, extras: TracedExtras = [], step: Int = 0) -> TracedProgram {
        let program = Program("tokenizer_update")
        let (config, source) = (tokenizer.config, ParameterSource.program(program, prefix: "autoencoder/value/"))
        let model = Tokenizer(config, parameters: source)
        let names = Set(autoencoder.parameters.map(\.name))
        let trained = model.parameters.filter { names.contains($0.name) }
        let ar = joint.map { ARModel($0.model.config, parameters: .program(program, prefix: "joint/value/")) }
        let imageLosses = imageLosses?.traced(in: program)
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
            noise: inputs.noise, imageLosses: imageLosses, step: step)
        tape.backward(from: a.total)
        let (norm, _) = AdamW.trace(
            trained, autoencoder.settings, averageHalfLife: autoencoder.averageHalfLife, tape, in: program, name: "autoencoder")
        if let ar, let joint {
            program.output("ce_joint", stepB(ar, joint.optimizer, inputs, a, tape, in: program))
        }
        var scalars: [(String, Tensor?)] = []
        if let adversary = imageLosses?.adversary, adversary.isActive(at: step), let images = a.images {
            scalars += traced(adversary, images, step, in: program)
        }
        program.output("indices", a.encoding.indices)
        scalars += [
            ("loss", a.total), ("l1", a.l1), ("l2", a.l2), ("quantizer", a.quantizer), ("gradient_norm", norm),
            ("ce_prologue", a.crossEntropy?.prologue), ("ce_eos", a.crossEntropy?.eos), ("ce_visual", a.crossEntropy?.visual),
            ("perceptual", a.images?.perceptual), ("gan_generator", a.images?.generator),
        ]
        for case (let name, let value?) in scalars { program.output(name, value.detached()) }
        output(extras, of: a.encoding.visual, as: "visual", in: program)
        if let prologue = a.encoding.prologue { output(extras, of: prologue, as: "prologue", in: program) }
        return program.traced()
    }

    /// The discriminator's step.
    private func traced(
        _ adversary: Adversary, _ images: ImageLosses.Terms, _ step: Int, in program: Program
    ) -> [(name: String, Tensor?)] {
        let b = adversary.stepB(real: images.real, rebuilt: images.rebuilt, step: step)
        _ = AdamW.trace(
            adversary.discriminator.parameters, adversary.optimizer.settings, b.tape, in: program, name: "discriminator")
        for (name, next) in adversary.state { program.output(Adversary.tracedPrefix + name, next) }
        return [("gan_discriminator", b.loss), ("gan_real", b.real), ("gan_rebuilt", b.rebuilt)]
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
