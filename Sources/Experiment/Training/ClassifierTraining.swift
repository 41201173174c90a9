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

/// Trains the in-domain classifier whose penultimate layer is the feature space of all scores on a data set.
struct ClassifierTraining {
    static let columns = ["loss", "accuracy", "rate"]

    let settings: FeatureSettings
    let dataset: Dataset

    static func model(_ settings: FeatureSettings, _ dataset: Dataset) -> ImageClassifier {
        ImageClassifier(
            imageSize: dataset.imageSize, channels: dataset.channels, classes: dataset.classes,
            width: settings.width, features: settings.dim,
            stream: RandomStream(seed: settings.seed, "classifier/initial"))
    }

    private var training: TrainingSettings {
        var optimizer = OptimizerSettings(beta2: 0.999, weightDecay: 0.01)
        (optimizer.lr, optimizer.endLr, optimizer.warmup) = (settings.lr, settings.lr / 100, min(100, settings.steps / 10))
        var training = TrainingSettings(steps: settings.steps, batch: settings.batch, optimizer: optimizer)
        training.checkpointEvery = 500
        return training
    }

    func run(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let model = Self.model(settings, dataset)
        let training = training
        let optimizer = AdamW(model.parameters, training.optimizer)
        let schedule = LearningRateSchedule(training.optimizer, steps: training.steps)
        var orderStream = RandomStream(seed: settings.seed, "classifier/order")
        let batches = TrainingBatches(
            dataset, order: BatchOrder(seed: orderStream.nextKey(), count: dataset.train.count), batch: training.batch,
            steps: training.steps)
        let loop = TrainingLoop(
            name: "classifier", settings: training, columns: Self.columns, optimizers: [("classifier", optimizer)])
        _ = try loop.run(work, context) { step, logs in
            let batch = try batches.batch(step)
            let labels = TokenTensor(batch.labels, shape: [batch.labels.count])
            let tape = Tape(differentiating: model.parameters)
            let logits = model.logits(model.features(tape.constant(dataset.images(batch.pixels))))
            let loss = mean(crossEntropy(logits, targets: labels))
            tape.backward(from: loss)
            optimizer.step(tape, rate: schedule.rate(at: step))
            guard logs else { return [:] }
            let right = zip(argmax(logits).ids, labels.ids).filter { $0 == $1 }.count
            return [
                "loss": loss.scalar, "accuracy": Float(right) / Float(labels.count),
                "rate": Float(schedule.rate(at: step)),
            ]
        } save: {
            try ParameterFiles.save([("", model.parameters)], to: work.url(WeightFile.trained))
        }

        // How good the features are, how far apart two sets of real images are in them, and what real images score.
        let extractor = FeatureExtractor(model: model, dataset: dataset)
        let test = try extractor.features(dataset.test)
        let right = zip(test.predictions, dataset.test.labels).filter { $0 == $1 }.count
        let accuracy = Double(right) / Double(dataset.test.count)
        let floorSet = try dataset.train.random(
            min(dataset.train.count, dataset.test.count), seed: UInt64(settings.seed))
        let other = try extractor.features(floorSet)
        let space = dataset.featureSpace
        var metrics: [String: JSONValue] = [Measure.classifierAccuracy.name(): .number(accuracy)]
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
        try measure(.isReal) { try InceptionScore(probabilities: test.probabilities).mean }
        return ["test_accuracy": .number(accuracy), "metrics": .object(metrics)]
    }
}
