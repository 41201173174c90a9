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
        let networks = try TokenizerNetworks(settings, prior: prior, dataset: dataset, base: base, seed: seed)
        let update = TokenizerUpdate(
            networks.tokenizer, weights: settings.activeLoss, autoencoder: networks.autoencoder, joint: networks.joint,
            imageLosses: ImageLosses(
                adversary: networks.adversary, perceptual: perceptual.map { ($0, settings.perceptual.weight) }))
        let (training, batches) = (settings.training, self.batches)
        let schedule = LearningRateSchedule(training.optimizer, steps: training.steps)
        // The discriminator's rate follows the same schedule.
        let adversaryRate = (settings.gan.learningRate ?? training.optimizer.lr) / training.optimizer.lr
        let loop = TrainingLoop(
            name: "tokenizer \(settings.variant.rawValue)", settings: training, columns: columns,
            optimizers: networks.optimizers, state: networks.state)

        BufferPool.shared.resetPeak()
        let last = try loop.run(work, context) { step, logs in
            let rate = schedule.rate(at: step)
            let images = try batches.batch(step)
            let report = update(
                patches: dataset.patches(images.pixels, patch: settings.patch),
                labels: networks.joint.map { labels(images.labels, step, unconditional: $0.model.unconditionalLabel) },
                visualDropped: networks.config.layout.hasEOS ? TokenTensor(flags: droppedSequences(step)) : nil, noise: noise(step),
                rate: rate,
                adversaryRate: adversaryRate * rate, step: step)
            try requireFinite(report, step)
            let restarts = networks.restartCodes(report.stepA.encoding, seed: seed, step: step)
            guard logs else { return [:] }
            return values(of: report, networks.config).merging(restarts) { $1 }.merging(["rate": Float(rate)]) { $1 }
        } save: {
            try networks.save(to: work)
        }
        return [
            "parameters": .int(networks.tokenizer.parameters.reduce(0) { $0 + $1.count }),
            "trained_parameters": .int(networks.autoencoder.parameters.reduce(0) { $0 + $1.count }),
            "joint_parameters": .int(networks.joint?.model.parameters.reduce(0) { $0 + $1.count } ?? 0),
            "steps": .int(training.steps), "images_seen": .int(training.steps * training.batch),
            "peak_tensor_bytes": .int(BufferPool.shared.use.peak),
            "last": .object(last.mapValues { .number(Double($0)) }),
        ]
    }

    /// Which images each step sees, and how.
    private var batches: TrainingBatches {
        var orderStream = RandomStream(seed: seed, "tokenizer/order")
        let augmentation = Augmentation(settings, seed: seed, imageSize: dataset.imageSize)
        return TrainingBatches(
            dataset, order: BatchOrder(seed: orderStream.nextKey(), count: dataset.train.count), batch: settings.training.batch,
            steps: settings.training.steps, views: { augmentation.views($0) })
    }

    private func requireFinite(_ report: TokenizerUpdate.Report, _ step: Int) throws {
        for (name, loss) in [("tokenizer", report.stepA.total.scalar), ("discriminator", report.adversary?.loss ?? 0)] {
            guard loss.isFinite else {
                throw InputError("the \(name)'s loss became \(loss) at step \(step); lower the learning rate")
            }
        }
    }

    /// What the metrics say of a pair of steps.
    private func values(of report: TokenizerUpdate.Report, _ config: TokenizerConfig) -> [String: Float] {
        let a = report.stepA
        var values: [String: Float] = [
            "loss": a.total.scalar, "l1": a.l1.scalar, "l2": a.l2.scalar, "quantizer": a.quantizer.scalar,
            "gradient_norm": Float(report.gradientNorm), "visual_usage": usage(a.encoding.visual, of: config.codebook),
        ]
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
    }

    /// Columns of the metrics: those of the terms that there are.
    private var columns: [String] {
        Self.columns + (perceptual == nil ? [] : ["perceptual"])
            + (settings.usesAdversary ? ["gan_generator", "gan_discriminator", "gan_real", "gan_rebuilt"] : [])
    }

    /// Classes of a batch for the joint AR model, some or all of them dropped; by the prior's share where it is the final
    /// model.
    private func labels(_ classes: [Int32], _ step: Int, unconditional: Int32) -> TokenTensor {
        var stream = RandomStream(seed: seed, "joint-ar/label-drop", step: step)
        let drop = settings.variant.joint == .prior ? prior.labelDrop : settings.jointAr.labelDrop
        return TokenTensor(
            classes.map { Double(stream.uniform()) < drop ? unconditional : $0 }, shape: [classes.count])
    }

    /// The share of sequences whose visual inputs become EOS: exactly `visualDropout` of the batch, drawn anew each step.
    private func droppedSequences(_ step: Int) -> [Bool] {
        var stream = RandomStream(seed: seed, "tokenizer/visual-dropout", step: step)
        let count = Int((Double(settings.training.batch) * settings.visualDropout).rounded())
        var dropped = [Bool](repeating: false, count: settings.training.batch)
        for place in stream.permutation(settings.training.batch).prefix(count) { dropped[place] = true }
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
