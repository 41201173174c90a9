import Accelerators
import Files
import Foundation
import ImageData
import Metrics
import Models
import RunStore
import Settings

/// A feature network: a classifier of a data set, trained once and shared by every run that is scored on that data; or Inception, whose
/// weights are the user's.
struct FeatureStage: Stage {
    let settings: FeatureSettings
    let dataset: Dataset
    let space: FeatureSpace
    /// Of the roles of all stages that are about this network's features.
    let roleSuffix: String
    let role: String
    let spaceName: String
    private let inception: InceptionFile?

    /// - Parameters:
    ///   - given: of the run.
    ///   - space: nil: the main one.
    ///   - role: nil: what its network is called by.
    /// - Throws: `InputError` if the file of weights cannot be read.
    init(
        settings given: FeatureSettings, dataset: Dataset, space: FeatureSpace? = nil, role: String? = nil, _ context: ExperimentContext
    ) throws {
        let main = FeatureSpace.main(given)
        let space = space ?? main
        var settings = given
        if case .otherSeed(let seed) = space { settings.seed = seed }
        if space != .inception { (settings.network, settings.weights) = (.classifier, nil) }
        (self.settings, self.dataset, self.space) = (settings, dataset, space)
        roleSuffix = space.suffix(beside: main).map { ".\($0)" } ?? ""
        self.role = role ?? "features\(roleSuffix)"
        inception = try space == .inception ? InceptionFile(settings, context) : nil
        // A classifier is called the same beside Inception as by itself.
        spaceName =
            space == .inception
            ? MetricField.inceptionSpace : dataset.featureSpace + (space.suffix(beside: .classifier).map { "-\($0)" } ?? "")
    }

    var identity: StageIdentity {
        if let inception {
            return StageIdentity(kind: "features", settings: ["inception": .string(inception.digest)], formatVersion: 1)
        }
        var read: [String: JSONValue] = ["data": dataset.identity, "features": settings.identity]
        if space == .factors { read["target"] = "factors" }
        return StageIdentity(kind: "features", settings: .object(read), formatVersion: 2)
    }

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        if let inception {
            _ = try inception.network()
            return ["weights": .string(inception.digest)]
        }
        return dataset.noted(in: try training.run(work, context))
    }

    private var training: ClassifierTraining {
        ClassifierTraining(settings: settings, dataset: dataset, space: spaceName, learnsFactors: space == .factors)
    }

    /// The trained classifier.
    func classifier(_ context: ExperimentContext) throws -> ImageClassifier {
        let model = training.model()
        let file = try SafetensorsFile(reading: context.store.stage(identity).verified(WeightFile.trained))
        try ParameterFiles.load(model.parameters, from: file)
        return model
    }

    func extractor(_ context: ExperimentContext) throws -> FeatureExtractor {
        let accelerator = try context.device.accelerator()
        let network: any FeatureNetwork =
            try inception?.network(on: accelerator) ?? ClassifierNetwork(classifier(context), dataset, on: accelerator)
        return FeatureExtractor(network, dataset)
    }
}

/// The user's file of Inception's weights.
private struct InceptionFile {
    let url: URL
    let digest: String

    init(_ settings: FeatureSettings, _ context: ExperimentContext) throws {
        guard let path = settings.weights else { throw InputError("features.network inception needs features.weights") }
        url = URL(fileURLWithPath: path)
        if let assumptions = context.assumptions, assumptions.misses(path, as: "features.weights") {
            digest = "expected"
            return
        }
        do { digest = try context.digest(of: url) } catch let error as InputError {
            throw InputError("features.weights: \(error.message)")
        }
    }

    func network(on accelerator: Accelerator? = nil) throws -> InceptionNetwork {
        try InceptionNetwork(InceptionV3(weights: SafetensorsFile(reading: url)), on: accelerator)
    }
}

extension Dataset {
    /// What scores in its classifier's features are called: `gfid@fashion-cnn`, never plain FID.
    var featureSpace: String { "\(name.split(separator: "-").first ?? "")-cnn" }
}

extension FeatureStage {
    private var size: ModelCost {
        if space == .inception { return InceptionV3.cost }
        return ImageClassifier.cost(
            imageSize: dataset.imageSize, channels: dataset.channels, classes: dataset.classes, width: settings.width,
            features: settings.dim)
    }

    /// FLOPs, numbers in parameters and numbers held to extract the features of one image.
    var extraction: (flops: Double, parameters: Int, held: Double) {
        (size.forward, size.parameters, size.kept)
    }

    /// Whether its outputs are the classes of the data set.
    var isOfClasses: Bool { space != .inception && space != .factors }

    /// Numbers in the features of an image, images that a pass takes.
    var width: Int { space == .inception ? InceptionV3.poolWidth : settings.dim }
    var batch: Int { space == .inception ? InceptionV3.batch : ClassifierNetwork.batch }

    var cost: StageCost? {
        if space == .inception { return .taken(parameters: size.parameters) }
        let (network, counts) = (size, dataset.counts)
        let training = TrainingCost(
            flops: network.training, kept: network.kept, parameters: network.parameters, trained: network.parameters,
            state: 2 * network.parameters)
        let measured = Double(counts.test + min(counts.train, counts.test))
        let memory = max(
            training.memory(batch: settings.batch),
            4 * (Double(3 * network.parameters) + Double(batch) * network.kept))
        return StageCost(
            parameters: network.parameters, tokens: nil,
            flops: Double(settings.steps * settings.batch) * network.training + measured * network.forward,
            memory: memory, disk: 4 * Double(network.parameters), scratch: 2 * training.checkpoint)
    }
}
