import Files
import Foundation
import ImageData
import Models
import RunStore
import Settings

/// A feature network of a data set: trained once, shared by every run that is scored on that data.
struct FeatureStage: Stage {
    let settings: FeatureSettings
    let dataset: Dataset
    let network: FeatureNetwork
    let role: String

    /// - Parameters:
    ///   - settings: of the first network; another differs from it by what `network` says.
    ///   - role: nil: what its network is called by.
    init(settings: FeatureSettings, dataset: Dataset, network: FeatureNetwork = .classifier, role: String? = nil) {
        var settings = settings
        if case .otherSeed(let seed) = network { settings.seed = seed }
        (self.settings, self.dataset, self.network) = (settings, dataset, network)
        self.role = role ?? "features\(network.roleSuffix)"
    }

    var identity: StageIdentity {
        var read: [String: JSONValue] = ["data": dataset.identity, "features": settings.identity]
        if network == .factors { read["target"] = "factors" }
        return StageIdentity(kind: "features", settings: .object(read), formatVersion: 2)
    }

    var spaceName: String { dataset.featureSpace + (network.suffix.map { "-\($0)" } ?? "") }

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        dataset.noted(in: try training.run(work, context))
    }

    private var training: ClassifierTraining {
        ClassifierTraining(settings: settings, dataset: dataset, space: spaceName, learnsFactors: network == .factors)
    }

    func extractor(_ context: ExperimentContext) throws -> FeatureExtractor {
        let model = training.model()
        let file = try SafetensorsFile(reading: context.store.stage(identity).verified(WeightFile.trained))
        try ParameterFiles.load(model.parameters, from: file)
        return FeatureExtractor(model: model, dataset: dataset)
    }
}

extension Dataset {
    /// What scores in its classifier's features are called: `gfid@fashion-cnn`, never plain FID.
    var featureSpace: String { "\(name.split(separator: "-").first ?? "")-cnn" }
}

extension FeatureStage {
    private var size: ModelCost {
        ImageClassifier.cost(
            imageSize: dataset.imageSize, channels: dataset.channels, classes: dataset.classes, width: settings.width,
            features: settings.dim)
    }

    /// FLOPs, numbers in parameters and numbers held to extract the features of one image.
    var extraction: (flops: Double, parameters: Int, held: Double) {
        (size.forward, size.parameters, size.kept)
    }

    var cost: StageCost? {
        let (network, counts) = (size, dataset.counts)
        let training = TrainingCost(
            flops: network.training, kept: network.kept, parameters: network.parameters, trained: network.parameters,
            state: 2 * network.parameters)
        let measured = Double(counts.test + min(counts.train, counts.test))
        let memory = max(
            training.memory(batch: settings.batch),
            4 * (Double(3 * network.parameters) + Double(FeatureExtractor.batch) * network.kept))
        return StageCost(
            parameters: network.parameters, tokens: nil,
            flops: Double(settings.steps * settings.batch) * network.training + measured * network.forward,
            memory: memory, disk: 4 * Double(network.parameters), scratch: 2 * training.checkpoint)
    }
}
