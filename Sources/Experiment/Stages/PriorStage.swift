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

    /// Whether the tokenizer's joint AR model is the prior, and nothing is left to train.
    var isJoint: Bool { tokenizer.settings.variant == .prologueOneStage }

    var identity: StageIdentity {
        let read: JSONValue =
            isJoint
            ? ["joint": true, "prior": settings.networkIdentity]
            : ["prior": settings.identity, "seed": .int(seed)]
        return StageIdentity(kind: "prior", settings: read, inputs: ["tokens": tokens.id], formatVersion: 1)
    }

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let training = PriorTraining(
            settings: settings, seed: seed, layout: tokenizer.layout, classes: tokenizer.dataset.classes,
            tokens: try tokens.load(context))
        guard isJoint else { return try training.run(work, context) }
        let weights = context.store.stage(tokenizer.identity).url(WeightFile.averaged)
        return try training.adopt(SafetensorsFile(reading: weights), work)
    }

    /// The AR model with its averaged weights, or those last trained.
    func load(averaged: Bool = true, _ context: ExperimentContext) throws -> ARModel {
        let model = ARModel(
            settings.config(layout: tokenizer.layout, classes: tokenizer.dataset.classes),
            stream: RandomStream(seed: seed, "prior/initial"))
        // A joint AR model that was taken over left its last trained weights with the tokenizer.
        let holder = isJoint && !averaged ? tokenizer.identity : identity
        let file = try SafetensorsFile(
            reading: context.store.stage(holder).url(averaged ? WeightFile.averaged : WeightFile.trained))
        try ParameterFiles.load(model.parameters, from: file, prefix: "ar.")
        return model
    }
}
