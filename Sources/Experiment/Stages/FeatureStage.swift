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
            kind: "features", settings: ["data": dataset.identity, "features": settings.identity], formatVersion: 1)
    }

    /// What scores in this feature space are called: `gfid@fashion-cnn`, never plain FID.
    var spaceName: String { "\(dataset.name.split(separator: "-").first ?? "")-cnn" }

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        try ClassifierTraining(settings: settings, dataset: dataset).run(work, context)
    }

    func extractor(_ context: ExperimentContext) throws -> FeatureExtractor {
        let model = ClassifierTraining.model(settings, dataset)
        let file = try SafetensorsFile(reading: context.store.stage(identity).url(WeightFile.trained))
        try ParameterFiles.load(model.parameters, from: file)
        return FeatureExtractor(model: model, dataset: dataset)
    }
}
