import Files
import Foundation
import ImageData
import Models
import NN
import RunStore
import Settings
import TensorCore

/// Stage 1 (method §4): trains a tokenizer; with a prologue, alternates step A (encoder, decoder; joint AR frozen) and
/// step B (joint AR on step A's indices) on the same batch. So do the coupled controls. A discriminator, where there is one,
/// learns in step B from step A's images.
struct TokenizerTraining {
    static let columns = [
        "loss", "l1", "l2", "quantizer", "ce_prologue", "ce_eos", "ce_visual", "ce_joint", "rate", "gradient_norm",
        "visual_usage", "prologue_usage", "visual_entropy", "visual_batch_entropy", "prologue_entropy",
        "prologue_batch_entropy", "visual_restarts", "prologue_restarts",
    ]

    let settings: TokenizerSettings
    let seed: Int
    let dataset: Dataset
    /// The joint AR model of `prologue-onestage` is the final one: these are its sizes and its label drop.
    let prior: PriorSettings
    /// Averaged weights of the frozen 2D tokenizer that `prologue-post` builds on.
    let base: SafetensorsFile?
    /// The perceptual loss, where its weight is not 0.
    let perceptual: PerceptualLoss?

    func run(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        // Models.
        let config = TokenizerConfig(settings, for: dataset)
        let tokenizer = Tokenizer(config, seed: seed)
        let joint = jointModel(config.layout)
        if let base { try loadFrozen(tokenizer, from: base) }

        // Optimisers and schedule.
        let optimizer = settings.optimizer
        let schedule = LearningRateSchedule(optimizer, steps: settings.steps)
        let trained = base == nil ? tokenizer.parameters : tokenizer.encoder.prologueParameters
        let autoencoderStep = AdamW(
            trained, .init(optimizer, decay: optimizer.weightDecay, averageHalfLife: settings.emaHalfLife))
        let jointStep = joint.map {
            AdamW(
                $0.parameters,
                .init(optimizer, decay: settings.jointAr.weightDecay, averageHalfLife: settings.emaHalfLife))
        }

        let adversary = self.adversary
        let update = TokenizerUpdate(
            tokenizer, weights: .init(settings), autoencoder: autoencoderStep,
            joint: joint.flatMap { model in jointStep.map { (model, $0) } },
            imageLosses: ImageLosses(
                adversary: adversary, perceptual: perceptual.map { ($0, settings.perceptual.weight) }))
        // The discriminator's rate follows the same schedule.
        let adversaryRate = (settings.gan.learningRate ?? optimizer.lr) / optimizer.lr

        // Codes that go out of use begin anew; those of a frozen visual path are left alone.
        let (visualCodes, prologueCodes) = tokenizer.encoder.codebooks
        func restart(_ codebook: Parameter?, _ patience: Int?) -> CodeRestart? {
            codebook.flatMap { codebook in patience.map { CodeRestart(codebook, patience: $0) } }
        }
        let visualRestart = restart(base == nil ? visualCodes : nil, settings.visualRestart)
        let prologueRestart = restart(prologueCodes, settings.prologueRestart)

        // Data order.
        let batch = settings.batch
        var orderStream = RandomStream(seed: seed, "tokenizer/order")
        let augmentation = Augmentation(settings, seed: seed, imageSize: dataset.imageSize)
        let batches = TrainingBatches(
            dataset, order: BatchOrder(seed: orderStream.nextKey(), count: dataset.train.count), batch: batch,
            steps: settings.steps, views: { augmentation.views($0) })

        let loop = TrainingLoop(
            name: "tokenizer \(settings.variant.rawValue)", steps: settings.steps,
            checkpointEvery: settings.checkpointEvery, logEvery: settings.logEvery, keeps: settings.keepCheckpoints,
            columns: columns,
            optimizers: [("autoencoder", autoencoderStep)] + (jointStep.map { [("joint", $0)] } ?? [])
                + (adversary.map { [("discriminator", $0.optimizer)] } ?? []),
            state: (adversary?.state ?? [])
                + [("restart/visual", visualRestart), ("restart/prologue", prologueRestart)].compactMap { name, restart in
                    restart.map { (name, $0.idle) }
                })
        BufferPool.shared.resetPeak()
        let last = try loop.run(work, context) { step, logs in
            let rate = schedule.rate(at: step)
            let images = try batches.batch(step)
            let patches = dataset.patches(images.pixels, patch: settings.patch)
            let dropped = config.layout.hasEOS ? droppedSequences(step) : []
            let classes = joint.map { self.labels(images.labels, step, unconditional: $0.unconditionalLabel) }

            let report = update(
                patches: patches, labels: classes, visualDropped: dropped, noise: noise(step), rate: rate,
                adversaryRate: adversaryRate * rate, step: step)
            let a = report.stepA
            for (name, loss) in [("tokenizer", a.total.scalar), ("discriminator", report.adversary?.loss ?? 0)] {
                guard loss.isFinite else {
                    throw InputError("the \(name)'s loss became \(loss) at step \(step); lower the learning rate")
                }
            }

            func restarts(_ restart: CodeRestart?, _ quantized: Quantized?, _ name: String) -> Float? {
                guard let restart, let quantized else { return nil }
                let stream = RandomStream(seed: seed, "tokenizer/restart-\(name)", step: step)
                return Float(restart(quantized, autoencoderStep, stream: stream))
            }
            let restarted = (
                restarts(visualRestart, a.encoding.visual, "visual"),
                restarts(prologueRestart, a.encoding.prologue, "prologue")
            )

            guard logs else { return [:] }
            var values: [String: Float] = [
                "loss": a.total.scalar, "l1": a.l1.scalar, "l2": a.l2.scalar, "quantizer": a.quantizer.scalar,
                "rate": Float(rate), "gradient_norm": Float(report.gradientNorm),
                "visual_usage": usage(a.encoding.visual, of: config.codebook),
            ]
            values["visual_restarts"] = restarted.0
            values["prologue_restarts"] = restarted.1
            entropies(a.encoding.visual, "visual", &values)
            entropies(a.encoding.prologue, "prologue", &values)
            if let parts = a.crossEntropy, let jointLoss = report.jointLoss {
                values["ce_visual"] = parts.visual.scalar
                values["ce_joint"] = jointLoss
                if let prologue = a.encoding.prologue {
                    values["ce_prologue"] = parts.prologue.scalar
                    values["ce_eos"] = parts.eos.scalar
                    values["prologue_usage"] = usage(prologue, of: config.prologueCodebook)
                }
            }
            values["perceptual"] = a.images?.perceptual?.scalar
            if let generator = a.images?.generator, let discriminator = report.adversary {
                values["gan_generator"] = generator.scalar
                values["gan_discriminator"] = discriminator.loss
                values["gan_real"] = discriminator.real
                values["gan_rebuilt"] = discriminator.rebuilt
            }
            return values
        } save: {
            // Trained values, and the averages that everything downstream reads.
            let groups =
                [("encoder.", tokenizer.encoder.parameters), ("decoder.", tokenizer.decoder.parameters)]
                + (joint.map { [("ar.", $0.parameters)] } ?? [])
            // A discriminator has no averages.
            let discriminator = adversary.map { [("discriminator.", $0.discriminator.parameters + $0.discriminator.buffers)] } ?? []
            try ParameterFiles.save(groups + discriminator, to: work.url(WeightFile.trained))
            try autoencoderStep.withAverages {
                try (jointStep?.withAverages ?? { try $0() }) {
                    try ParameterFiles.save(groups, to: work.url(WeightFile.averaged))
                }
            }
        }
        return [
            "parameters": .int(tokenizer.parameters.reduce(0) { $0 + $1.count }),
            "trained_parameters": .int(trained.reduce(0) { $0 + $1.count }),
            "joint_parameters": .int(joint?.parameters.reduce(0) { $0 + $1.count } ?? 0),
            "steps": .int(settings.steps), "images_seen": .int(settings.steps * batch),
            "peak_tensor_bytes": .int(BufferPool.shared.use.peak),
            "last": .object(last.mapValues { .number(Double($0)) }),
        ]
    }

    /// Columns of the metrics: those of the terms that there are.
    private var columns: [String] {
        Self.columns + (perceptual == nil ? [] : ["perceptual"])
            + (settings.usesAdversary ? ["gan_generator", "gan_discriminator", "gan_real", "gan_rebuilt"] : [])
    }

    /// The discriminator with its optimiser: the tokenizer's, at a rate of its own and without averages.
    private var adversary: Adversary? {
        guard settings.usesAdversary else { return nil }
        let discriminator = PatchDiscriminator(
            channels: dataset.channels, width: settings.gan.width, layers: settings.gan.layers,
            stream: RandomStream(seed: seed, "discriminator/initial"))
        return Adversary(
            discriminator, settings.gan,
            optimizer: AdamW(discriminator.parameters, .init(settings.optimizer, decay: 0, averageHalfLife: nil)))
    }

    /// The AR model trained in step B.
    private func jointModel(_ layout: SequenceLayout) -> ARModel? {
        ARConfig(with: settings, prior: prior, layout: layout, classes: dataset.classes)
            .map { ARModel($0, stream: RandomStream(seed: seed, "joint-ar/initial")) }
    }

    /// Classes of a batch for the joint AR model, some or all of them dropped; by the prior's share where it is the final
    /// model.
    private func labels(_ classes: [Int32], _ step: Int, unconditional: Int32) -> TokenTensor {
        var stream = RandomStream(seed: seed, "joint-ar/label-drop", step: step)
        let drop = settings.variant.joint == .prior ? prior.labelDrop : settings.jointAr.labelDrop
        return TokenTensor(
            classes.map { Double(stream.uniform()) < drop ? unconditional : $0 }, shape: [classes.count])
    }

    /// Fills everything but the prologue's own parameters with the base tokenizer's.
    private func loadFrozen(_ tokenizer: Tokenizer, from base: SafetensorsFile) throws {
        let own = Set(tokenizer.encoder.prologueParameters.map(\.name))
        let visual = tokenizer.encoder.parameters.filter { !own.contains($0.name) }
        try ParameterFiles.load(visual, from: base, prefix: "encoder.")
        try ParameterFiles.load(tokenizer.decoder.parameters, from: base, prefix: "decoder.")
    }

    /// The share of sequences whose visual inputs become EOS: exactly `visualDropout` of the batch, drawn anew each step.
    private func droppedSequences(_ step: Int) -> [Bool] {
        var stream = RandomStream(seed: seed, "tokenizer/visual-dropout", step: step)
        let count = Int((Double(settings.batch) * settings.visualDropout).rounded())
        var dropped = [Bool](repeating: false, count: settings.batch)
        for place in stream.permutation(settings.batch).prefix(count) { dropped[place] = true }
        return dropped
    }

    /// Noise for Gumbel quantizers; the visual tokens of a frozen tokenizer are what they will be.
    private func noise(_ step: Int) -> GumbelNoise {
        GumbelNoise(
            visual: base == nil ? RandomStream(seed: seed, "tokenizer/gumbel-visual", step: step) : nil,
            prologue: RandomStream(seed: seed, "tokenizer/gumbel-prologue", step: step))
    }

    /// Sample and batch entropy of the assignment, where codes are compared one by one (method §3.9).
    private func entropies(_ quantized: Quantized?, _ name: String, _ values: inout [String: Float]) {
        guard let similarities = quantized?.similarities else { return }
        let entropy = AssignmentEntropy(similarities, scale: 100)
        values["\(name)_entropy"] = Float(entropy.sample)
        values["\(name)_batch_entropy"] = Float(entropy.batch)
    }

    /// Share of the codebook that this batch used.
    private func usage(_ quantized: Quantized, of codes: Int) -> Float {
        Float(Set(quantized.indices.ids).count) / Float(codes)
    }
}

/// Where a training stage leaves its weights.
enum WeightFile {
    static let trained = "model.safetensors"
    static let averaged = "model_ema.safetensors"
    /// Averaged weights as they were after so many steps.
    static func snapshot(_ step: Int) -> String { "snapshot-\(step).safetensors" }
}
