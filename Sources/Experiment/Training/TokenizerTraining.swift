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
                adversary: networks.adversary, perceptual: perceptual.map { ($0, settings.perceptual.weight) }),
            microBatch: settings.microBatch.flatMap { $0 < settings.training.batch ? $0 : nil })
        let (training, batches) = (settings.training, self.batches)
        let schedule = LearningRateSchedule(training.optimizer, steps: training.steps)
        // The discriminator's rate follows the same schedule.
        let adversaryRate = (settings.gan.learningRate ?? training.optimizer.lr) / training.optimizer.lr
        let accelerator = try context.device.accelerator()
        let device = try accelerator.map { try DeviceTokenizer($0, networks, update, batch: training.batch) }
        let loop = TrainingLoop(
            name: "tokenizer \(settings.variant.rawValue)", settings: training, columns: columns,
            optimizers: networks.optimizers, state: networks.state,
            device: device.flatMap { device in accelerator.map { ($0.description, device.bringBack) } })

        BufferPool.shared.resetPeak()
        let last = try loop.run(work, context) { step, logs in
            let (images, rate) = (try batches.batch(step), schedule.rate(at: step))
            let batch = TokenizerBatch(
                patches: dataset.patches(images.pixels, patch: settings.patch),
                labels: networks.joint.map { labels(images.labels, step, unconditional: $0.model.unconditionalLabel) },
                visualDropped: networks.config.layout.hasEOS ? TokenTensor(flags: droppedSequences(step)) : nil, noise: noise(step),
                rate: rate, adversaryRate: adversaryRate * rate, step: step)
            let report: TokenizerReport?
            if let device {
                // What a checkpoint keeps must be sound.
                report = try device.step(batch, logs: logs, reads: (step + 1) % training.checkpointEvery == 0)
            } else {
                report = TokenizerReport(update(batch))
            }
            guard let report else { return [:] }
            for (network, loss) in report.losses where !loss.isFinite {
                throw InputError("the \(network)'s loss became \(loss) at step \(step); lower the learning rate")
            }
            let values = logs ? try report.values() : [:]
            let restarts = try networks.restartCodes(report.codes, seed: seed, step: step)
            guard logs else { return [:] }
            let usage = report.codes.map { ("\($0.name)_usage", $0.usage(networks.config)) }
            return values.merging(usage) { $1 }.merging(restarts) { $1 }.merging(["rate": Float(rate)]) { $1 }
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
    private func noise(_ step: Int) -> (visual: RandomStream?, prologue: RandomStream) {
        (
            base == nil ? RandomStream(seed: seed, "tokenizer/gumbel-visual", step: step) : nil,
            RandomStream(seed: seed, "tokenizer/gumbel-prologue", step: step)
        )
    }
}

extension TokenizerUpdate {
    fileprivate func callAsFunction(_ batch: TokenizerBatch) -> Report {
        self(
            patches: batch.patches, labels: batch.labels, visualDropped: batch.visualDropped,
            noise: GumbelNoise(visual: batch.noise.visual, prologue: batch.noise.prologue), rate: batch.rate,
            adversaryRate: batch.adversaryRate, step: batch.step)
    }
}
