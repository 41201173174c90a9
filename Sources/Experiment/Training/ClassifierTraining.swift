import Evaluation
import Files
import Foundation
import ImageData
import Metrics
import Models
import NN
import RunStore
import Settings
import TensorCore

/// Trains the in-domain network whose penultimate layer is a feature space of scores on a data set: a classifier, or one that
/// tells the recorded factors of drawn images.
struct ClassifierTraining {
    static let columns = ["loss", "accuracy", "rate"]

    let settings: FeatureSettings
    let dataset: Dataset
    /// The name of the feature space.
    let space: String
    let learnsFactors: Bool

    func model() -> ImageClassifier {
        ImageClassifier(
            ImageClassifier.Sizes(
                imageSize: dataset.imageSize, channels: dataset.channels,
                outputs: learnsFactors ? FactorTargets(dataset.test).count : dataset.classes, width: settings.width,
                features: settings.dim),
            parameters: .random(RandomStream(seed: settings.seed, "classifier/initial")))
    }

    private var training: TrainingSettings {
        var optimizer = OptimizerSettings(beta2: 0.999, weightDecay: 0.01)
        (optimizer.lr, optimizer.endLr, optimizer.warmup) = (settings.lr, settings.lr / 100, min(100, settings.steps / 10))
        var training = TrainingSettings(steps: settings.steps, batch: settings.batch, optimizer: optimizer)
        training.checkpointEvery = 500
        return training
    }

    func run(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let model = model()
        let targets = learnsFactors ? FactorTargets(dataset.train) : nil
        let training = training
        let optimizer = AdamW(model.parameters, training.optimizer)
        let schedule = LearningRateSchedule(training.optimizer, steps: training.steps)
        var orderStream = RandomStream(seed: settings.seed, "classifier/order")
        var order = BatchOrder(seed: orderStream.nextKey(), count: dataset.train.count)
        let batches = TrainingBatches(dataset, order: order, batch: training.batch, steps: training.steps)
        let accelerator = try context.device.accelerator()
        let device = try accelerator.map {
            try DeviceClassifier($0, model, optimizer, batch: training.batch, targets: learnsFactors ? .factors : .classes)
        }
        let loop = TrainingLoop(
            name: "classifier", settings: training, columns: Self.columns, optimizers: [("classifier", optimizer)],
            device: device.flatMap { device in accelerator.map { ($0.description, device.bringBack) } })
        _ = try loop.run(work, context) { step, logs in
            let batch = try batches.batch(step)
            let labels = TokenTensor(batch.labels, shape: [batch.labels.count])
            let (images, rate) = (dataset.images(batch.pixels), schedule.rate(at: step))
            let factors = targets.map { $0.targets(of: order.indices(step: step, batch: settings.batch)) }
            let report: (loss: Tensor, logits: Tensor)?
            if let device {
                report = try device.step(images, labels: labels, factors: factors, rate: rate, reads: logs)
            } else {
                let tape = Tape(differentiating: model.parameters)
                let logits = model.logits(model.features(tape.constant(images)))
                let loss = factors.map { meanSquaredDifference(logits, $0) } ?? mean(crossEntropy(logits, targets: labels))
                tape.backward(from: loss)
                optimizer.step(tape, rate: rate)
                report = (loss, logits)
            }
            guard logs, let (loss, logits) = report else { return [:] }
            if learnsFactors { return ["loss": loss.scalar, "rate": Float(rate)] }
            let right = zip(argmax(logits).ids, labels.ids).filter { $0 == $1 }.count
            return [
                "loss": loss.scalar, "accuracy": Float(right) / Float(labels.count),
                "rate": Float(rate),
            ]
        } save: {
            try ParameterFiles.save([("", model.parameters)], to: work.url(WeightFile.trained))
        }

        // How good the features are, how far apart two sets of real images are in them, and what real images score.
        let extractor = FeatureExtractor(try ClassifierNetwork(model, dataset, on: accelerator), dataset)
        let test = try extractor.features(dataset.test, of: dataset)
        let floorSet = try dataset.train.random(
            min(dataset.train.count, dataset.test.count), seed: UInt64(settings.seed))
        let other = try extractor.features(floorSet, of: dataset)
        var metrics: [String: JSONValue] = [:]
        func measure(_ score: Measure, _ value: () throws -> Double) throws {
            let name = score.name([.features: space])
            do { metrics[name] = .number(try value()) } catch let error as InputError {
                metrics[name] = .null
                try work.log("\(score.title) is missing: \(error)")
            }
        }
        try measure(.fidFloor) {
            try frechetDistance(FeatureStatistics(of: other.pooled), FeatureStatistics(of: test.pooled))
        }
        if learnsFactors {
            let found = FactorTargets(dataset.test, scaledLike: dataset.train).explained(by: test.logits.values)
            metrics[Measure.factorsExplained.name()] = .number(found)
            return ["test_explained": .number(found), "metrics": .object(metrics)]
        }
        let right = zip(test.predictions, dataset.test.labels).filter { $0 == $1 }.count
        let accuracy = Double(right) / Double(dataset.test.count)
        metrics[Measure.classifierAccuracy.name()] = .number(accuracy)
        try measure(.isReal) { try InceptionScore(probabilities: test.probabilities).mean }
        return ["test_accuracy": .number(accuracy), "metrics": .object(metrics)]
    }
}
