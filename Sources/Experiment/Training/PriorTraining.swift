import Accelerators
import Files
import Foundation
import ImageData
import Metrics
import Models
import NN
import RunStore
import Settings
import TensorCore

/// Stage 3 (method §4.7): a fresh class-conditional AR model on stored tokens, plain cross-entropy over the sequence.
struct PriorTraining {
    static let columns = ["loss", "rate", "gradient_norm"]
    /// Held-out images whose bits are counted, at most, and how many at a time.
    static let heldOutCount = 2000
    static let heldOutBatch = 250

    let settings: PriorSettings
    let seed: Int
    let layout: SequenceLayout
    let classes: Int
    let tokens: TokenFile

    func run(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let model = ARModel(
            ARConfig(settings, layout: layout, classes: classes), stream: RandomStream(seed: seed, "prior/initial"))
        let training = settings.training
        let schedule = LearningRateSchedule(training.optimizer, steps: training.steps)
        let optimizer = AdamW(model.parameters, training.optimizer, averageHalfLife: training.emaHalfLife)
        var orderStream = RandomStream(seed: seed, "prior/order")
        var order = BatchOrder(seed: orderStream.nextKey(), count: tokens.train.count)

        let accelerator = try context.device.accelerator()
        let device = try accelerator.map {
            try DevicePrior(
                $0, model.config, optimizer, batch: training.batch, microBatch: settings.microBatch,
                dropout: (Float(settings.dropout), attention: Float(settings.attentionDropout ?? settings.dropout)))
        }
        let loop = TrainingLoop(
            name: "prior", settings: training, columns: Self.columns, optimizers: [("prior", optimizer)],
            device: device.flatMap { device in accelerator.map { ($0.description, device.bringBack) } })
        BufferPool.shared.resetPeak()
        var held: [String: Double] = [:]
        let last = try loop.run(work, context) { step, logs in
            let rate = schedule.rate(at: step)
            let batch = tokens.train.batch(order.indices(step: step, batch: training.batch))
            let (targets, labels) = (
                layout.targets(batch.indices), dropLabels(batch.labels, unconditional: model.unconditionalLabel, step: step)
            )
            let masks = RandomStream(seed: seed, "prior/dropout", step: step)
            let report: (loss: Float, gradientNorm: Float)?
            if let device {
                // What a checkpoint keeps must be sound.
                let reads = logs || (step + 1) % training.checkpointEvery == 0
                report = try device.step(targets: targets, labels: labels, masks: masks, rate: rate, reads: reads)
            } else {
                let tape = Tape(differentiating: model.parameters)
                let dropout = Dropout(
                    p: Float(settings.dropout), attention: settings.attentionDropout.map(Float.init), stream: masks)
                let loss = model.backwardMeanCrossEntropy(
                    targets: targets, labels: labels, rows: settings.microBatch ?? training.batch, on: tape, dropout: dropout)
                report = (loss, Float(optimizer.step(tape, rate: rate).gradientNorm))
            }
            if let loss = report?.loss, !loss.isFinite {
                throw InputError("the prior's loss became \(loss) at step \(step); lower the learning rate")
            }
            if settings.snapshots.contains(step + 1) {
                try device?.bringBack()
                try optimizer.withAverages {
                    try ParameterFiles.save([("ar.", model.parameters)], to: work.url(WeightFile.snapshot(step + 1)))
                }
            }
            guard logs, let report else { return [:] }
            return ["loss": report.loss, "rate": Float(rate), "gradient_norm": report.gradientNorm]
        } save: {
            try ParameterFiles.save([("ar.", model.parameters)], to: work.url(WeightFile.trained))
            try optimizer.withAverages {
                try ParameterFiles.save([("ar.", model.parameters)], to: work.url(WeightFile.averaged))
                held = try heldOutBits(TrainedPrior(model, on: accelerator))
            }
        }
        return [
            "parameters": .int(model.parameters.reduce(0) { $0 + $1.count }),
            "steps": .int(training.steps), "sequences_seen": .int(training.steps * training.batch),
            "peak_tensor_bytes": .int(BufferPool.shared.use.peak),
            "last": .object(last.mapValues { .number(Double($0)) }),
            "metrics": .object(held.mapValues { .number($0) }),
        ]
    }

    /// Takes over the joint AR model of `prologue-onestage` as it is, and measures it as a trained one is.
    func adopt(_ weights: SafetensorsFile, _ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let model = ARModel(
            ARConfig(settings, layout: layout, classes: classes), parameters: .unfilled)
        try ParameterFiles.load(model.parameters, from: weights, prefix: "ar.")
        try ParameterFiles.save([("ar.", model.parameters)], to: work.url(WeightFile.averaged))
        return [
            "parameters": .int(model.parameters.reduce(0) { $0 + $1.count }), "steps": 0,
            "metrics": .object(try heldOutBits(TrainedPrior(model, on: context.device.accelerator())).mapValues { .number($0) }),
        ]
    }

    /// With probability `labelDrop` a sequence's class becomes the unconditional label; always, where the prior is to be told none.
    private func dropLabels(_ labels: TokenTensor, unconditional: Int32, step: Int) -> TokenTensor {
        if settings.unconditional { return TokenTensor(repeating: unconditional, shape: labels.shape) }
        var stream = RandomStream(seed: seed, "prior/label-drop", step: step)
        return TokenTensor(
            labels.ids.map { Double(stream.uniform()) < settings.labelDrop ? unconditional : $0 }, shape: labels.shape)
    }

    /// Bits per held-out image, prologue (with EOS) and visual apart, with the class given, where it is told one, and without.
    private func heldOutBits(_ model: TrainedPrior) throws -> [String: Double] {
        let count = min(Self.heldOutCount, tokens.test.count)
        var sums = [String: Double]()
        for lower in stride(from: 0, to: count, by: Self.heldOutBatch) {
            let batch = tokens.test.batch(Array(lower..<min(count, lower + Self.heldOutBatch)))
            let targets = layout.targets(batch.indices)
            let unconditional = TokenTensor(repeating: model.unconditionalLabel, shape: batch.labels.shape)
            let told = settings.unconditional ? [] : [("conditional", batch.labels)]
            for (name, labels) in told + [("unconditional", unconditional)] {
                for (i, value) in try model.crossEntropy(targets: targets, labels: labels).values.enumerated() {
                    let part = i % layout.length < layout.visualStart ? "prologue" : "visual"
                    sums[Measure.bits.name([.condition: name, .segment: part]), default: 0] += Double(value)
                }
            }
        }
        return sums.mapValues { $0 / log(2) / Double(count) }
    }
}
