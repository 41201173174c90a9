import Files
import Foundation
import Models
import RunStore
import Sweep
import TensorCore

/// Stage 3: a fresh class-conditional AR model on the stored tokens.
struct PriorStage: Stage {
    let settings: PriorSettings
    let seed: Int
    let tokens: TokenStage

    var role: String { "prior" }
    var tokenizer: TokenizerStage { tokens.tokenizer }

    var identity: StageIdentity {
        StageIdentity(
            kind: "prior", settings: ["prior": settings.identity, "seed": .int(seed)], inputs: ["tokens": tokens.id],
            formatVersion: 1)
    }

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        try PriorTraining(
            settings: settings, seed: seed, layout: tokenizer.layout, classes: tokenizer.dataset.classes,
            tokens: tokens.load(context)
        ).run(work, context)
    }

    /// The AR model with its averaged weights.
    func load(_ context: ExperimentContext) throws -> ARModel {
        let model = ARModel(
            settings.config(layout: tokenizer.layout, classes: tokenizer.dataset.classes),
            stream: RandomStream(seed: seed, "prior/initial"))
        let file = try SafetensorsFile(reading: context.store.stage(identity).url(WeightFile.averaged))
        try ParameterFiles.load(model.parameters, from: file, prefix: "ar.")
        return model
    }
}
