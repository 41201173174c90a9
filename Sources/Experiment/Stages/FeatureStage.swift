import Files
import Foundation
import ImageData
import Models
import RunStore
import Sweep

/// The feature network of a data set: trained once, shared by every run that is scored on that data.
struct FeatureStage: Stage {
    let settings: FeatureSettings
    let dataset: Dataset

    var role = "features"

    var identity: StageIdentity {
        StageIdentity(
            kind: "features", settings: ["data": dataset.identity, "features": settings.identity], formatVersion: 2)
    }

    var spaceName: String { dataset.featureSpace }

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        dataset.noted(in: try ClassifierTraining(settings: settings, dataset: dataset).run(work, context))
    }

    func extractor(_ context: ExperimentContext) throws -> FeatureExtractor {
        let model = ClassifierTraining.model(settings, dataset)
        let file = try SafetensorsFile(reading: context.store.stage(identity).url(WeightFile.trained))
        try ParameterFiles.load(model.parameters, from: file)
        return FeatureExtractor(model: model, dataset: dataset)
    }
}

extension Dataset {
    /// What scores in its classifier's features are called: `gfid@fashion-cnn`, never plain FID.
    var featureSpace: String { "\(name.split(separator: "-").first ?? "")-cnn" }
}
