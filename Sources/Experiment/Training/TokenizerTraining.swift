import Files
import Foundation
import ImageData
import Models
import NN
import RunStore
import Sweep
import TensorCore

/// Stage 1 (METHOD §4): trains a tokenizer; with a prologue, alternates step A (encoder, decoder; joint AR frozen) and
/// step B (joint AR on step A's indices) on the same batch.
struct TokenizerTraining {
    static let columns = [
        "loss", "l1", "l2", "quantizer", "ce_prologue", "ce_eos", "ce_visual", "ce_joint", "rate", "gradient_norm",
        "visual_usage", "prologue_usage",
    ]

    let settings: TokenizerSettings
    let seed: Int
    let dataset: Dataset

    func run(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        // Models. The joint AR model sees no class: its labels are all "unconditional".
        let config = settings.config(for: dataset)
        let tokenizer = Tokenizer(config, seed: seed)
        let joint =
            config.layout.hasPrologue
            ? ARModel(
                settings.jointARConfig(layout: config.layout, classes: dataset.classes),
                stream: RandomStream(seed: seed, "joint-ar/initial")) : nil

        // Optimisers and schedule.
        let optimizer = settings.optimizer
        let schedule = optimizer.schedule(steps: settings.steps)
        let autoencoderStep = AdamW(
            tokenizer.parameters,
            optimizer.adamW(decay: optimizer.weightDecay, averageHalfLife: settings.emaHalfLife))
        let jointStep = joint.map {
            AdamW(
                $0.parameters,
                optimizer.adamW(decay: settings.jointAr.weightDecay, averageHalfLife: settings.emaHalfLife))
        }

        // Data order.
        let weights = settings.lossWeights
        let batch = settings.batch
        var orderStream = RandomStream(seed: seed, "tokenizer/order")
        var order = BatchOrder(seed: orderStream.nextKey(), count: dataset.train.count)

        let loop = TrainingLoop(
            name: "tokenizer \(settings.variant.rawValue)", steps: settings.steps,
            checkpointEvery: settings.checkpointEvery, logEvery: settings.logEvery, columns: Self.columns,
            optimizers: [("autoencoder", autoencoderStep)] + (jointStep.map { [("joint", $0)] } ?? []))
        BufferPool.shared.resetPeak()
        let last = try loop.run(work, context) { step, logs in
            let rate = schedule.rate(at: step)
            let images = order.indices(step: step, batch: batch)
            let patches = dataset.patches(
                dataset.train, images, patch: settings.patch, flipped: settings.flip ? flips(step) : [])
            let dropped = joint == nil ? [] : droppedSequences(step)

            // Step A.
            let tape = Tape(differentiating: tokenizer.parameters)
            let a = tokenizer.stepA(
                patches: tape.constant(patches), weights: weights, ar: joint, visualDropped: dropped)
            tape.backward(from: a.total)
            let report = autoencoderStep.step(tape, rate: rate)

            // Step B.
            var jointLoss: Tensor?
            if let joint, let jointStep {
                let tape = Tape(differentiating: joint.parameters)
                let input = ARInput(
                    targets: config.layout.targets(a.encoding.indices),
                    labels: TokenTensor(repeating: joint.unconditionalLabel, shape: [batch]), visualDropped: dropped)
                let loss = joint.meanCrossEntropy(input, on: tape)
                tape.backward(from: loss)
                jointStep.step(tape, rate: rate)
                jointLoss = loss
            }
            guard a.total.scalar.isFinite else {
                throw InputError("the tokenizer's loss became \(a.total.scalar) at step \(step); lower the learning rate")
            }

            guard logs else { return [:] }
            var values: [String: Float] = [
                "loss": a.total.scalar, "l1": a.l1.scalar, "l2": a.l2.scalar, "quantizer": a.quantizer.scalar,
                "rate": Float(rate), "gradient_norm": Float(report.gradientNorm),
                "visual_usage": usage(a.encoding.visual, of: config.codebook),
            ]
            if let parts = a.crossEntropy, let jointLoss, let prologue = a.encoding.prologue {
                values["ce_prologue"] = parts.prologue.scalar
                values["ce_eos"] = parts.eos.scalar
                values["ce_visual"] = parts.visual.scalar
                values["ce_joint"] = jointLoss.scalar
                values["prologue_usage"] = usage(prologue, of: config.prologueCodebook)
            }
            return values
        } save: {
            // Trained values, and the averages that everything downstream reads.
            let groups =
                [("encoder.", tokenizer.encoder.parameters), ("decoder.", tokenizer.decoder.parameters)]
                + (joint.map { [("ar.", $0.parameters)] } ?? [])
            try ParameterFiles.save(groups, to: work.url(WeightFile.trained))
            try autoencoderStep.withAverages {
                try (jointStep?.withAverages ?? { try $0() }) {
                    try ParameterFiles.save(groups, to: work.url(WeightFile.averaged))
                }
            }
        }
        return [
            "parameters": .int(tokenizer.parameters.reduce(0) { $0 + $1.count }),
            "joint_parameters": .int(joint?.parameters.reduce(0) { $0 + $1.count } ?? 0),
            "steps": .int(settings.steps), "images_seen": .int(settings.steps * batch),
            "peak_tensor_bytes": .int(BufferPool.shared.use.peak),
            "last": .object(last.mapValues { .number(Double($0)) }),
        ]
    }

    /// The share of sequences whose visual inputs become EOS: exactly `visualDropout` of the batch, drawn anew each step.
    private func droppedSequences(_ step: Int) -> [Bool] {
        var stream = RandomStream(seed: seed, "tokenizer/visual-dropout", step: step)
        let count = Int((Double(settings.batch) * settings.visualDropout).rounded())
        var dropped = [Bool](repeating: false, count: settings.batch)
        for place in stream.permutation(settings.batch).prefix(count) { dropped[place] = true }
        return dropped
    }

    private func flips(_ step: Int) -> [Bool] {
        var stream = RandomStream(seed: seed, "tokenizer/flip", step: step)
        return (0..<settings.batch).map { _ in stream.uniform() < 0.5 }
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
}
