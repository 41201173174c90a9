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
        /// `visual_points` and `prologue_points` [rows, L, z]: `Quantized.points`.
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
    /// Inputs: `patches` [rows, N, p·p·C] of a device's share of the batch; `labels` and `visual_dropped` [rows] and the streams
    /// `visual_noise` and `prologue_noise`, as `given` says; `autoencoder/numbers` and `joint/numbers` (`AdamW.numbers`); the states of both optimisers
    /// under the names of `AdamW.state` after `autoencoder/` and `joint/`; parameters that are not trained as
    /// `autoencoder/value/…`. With a discriminator `discriminator/numbers`, its optimiser's state after `discriminator/`, and what it keeps
    /// beside that as `discriminator/value/…`; weights of a perceptual loss as `perceptual/…`.
    ///
    /// Outputs: the state; `indices` [rows, K + N]; `loss`, `l1`, `l2`, `quantizer`, `gradient_norm`, where there is
    /// an AR model `ce_prologue`, `ce_eos`, `ce_visual`, `ce_joint`, with losses of whole images `perceptual`, `gan_generator`,
    /// `gan_discriminator`, `gan_real`, `gan_rebuilt`, [1] each.
    ///
    /// - Parameters:
    ///   - step: one of those that the program is for: all of its kind.
    ///   - replicas: devices that have equal shares of the batch.
    public func traced(
        batch: Int, given: TracedInputs, extras: TracedExtras = [], step: Int = 0, replicas: Replicas = .one
    ) -> TracedProgram {
        require(batch % replicas.count == 0, "a batch of \(batch) on \(replicas.count) devices")
        let rows = batch / replicas.count
        let program = Program(
            "tokenizer_update", replicas: replicas, convolutions: tokenizer.config.precision == .bfloat16 ? .bf16 : .f32)
        let (networks, inputs) = (TracedNetworks(of: self, in: program), TracedBatch(given, tokenizer.config, rows: rows, in: program))
        let parts = parts(of: rows)
        let results =
            parts == 1
            ? results(networks, inputs.whole, extras, step, in: program)
            : inParts(parts, networks, inputs, given, extras, step, in: program)
        let (norm, _) = AdamW.trace(
            networks.trained, autoencoder.settings, averageHalfLife: autoencoder.averageHalfLife, gradients: results.ofTokenizer,
            in: program, name: "autoencoder", gradientScale: 1 / Double(parts))
        if let ar = networks.ar, let joint {
            _ = AdamW.trace(
                ar.parameters, joint.optimizer.settings, averageHalfLife: joint.optimizer.averageHalfLife, gradients: results.ofJoint,
                in: program, name: "joint", gradientScale: 1 / ((sharedWeight ?? 1) * Double(parts)))
        }
        var scalars = results.scalars.map { ($0.name, $0.value.meanOverReplicas) } + [("gradient_norm", norm)]
        if let adversary = networks.imageLosses?.adversary, adversary.isActive(at: step), let images = results.images {
            scalars += traced(adversary, images, step, in: program)
        }
        for use in results.use {
            scalars += [
                ("\(use.name)_entropy", use.sample.meanOverReplicas), ("\(use.name)_batch_entropy", program.batchEntropy(use.assignment)),
            ]
        }
        program.output("indices", results.indices)
        for (name, value) in scalars { program.output(name, value) }
        for (name, points) in results.points { program.output("\(name)_points", points) }
        return program.traced()
    }

    /// The discriminator's step.
    private func traced(
        _ adversary: Adversary, _ images: ImageLosses.Terms, _ step: Int, in program: Program
    ) -> [(name: String, value: Tensor)] {
        let b = adversary.stepB(real: images.real, rebuilt: images.rebuilt, step: step)
        _ = AdamW.trace(
            adversary.discriminator.parameters, adversary.optimizer.settings, b.tape, in: program, name: "discriminator")
        for (name, next) in adversary.state { program.output(Adversary.tracedPrefix + name, next) }
        return [("gan_discriminator", b.loss), ("gan_real", b.real), ("gan_rebuilt", b.rebuilt)].map { ($0, $1.meanOverReplicas) }
    }
}
