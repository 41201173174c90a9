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
    /// What is taken instead of training one.
    var adopted: AdoptedPrior?

    var role: String { "prior" }
    var tokenizer: TokenizerStage { tokens.tokenizer }

    /// Whether the tokenizer's joint AR model is the prior, and nothing is left to train.
    var isJoint: Bool { tokenizer.settings.variant == .prologueOneStage }

    var identity: StageIdentity {
        if let adopted { return adopted.identity }
        let read: JSONValue =
            isJoint
            ? ["joint": true, "prior": settings.networkIdentity]
            : ["prior": settings.identity, "seed": .int(seed)]
        // Without images there are no tokens either.
        let inputs = tokenizer.dataset.isEmpty ? ["tokenizer": tokenizer.id] : ["tokens": tokens.id]
        return StageIdentity(kind: "prior", settings: read, inputs: inputs, formatVersion: 1)
    }

    /// What a stage is made from that reads the run's tokens beside this model; an adopted one may know others, or none.
    var inputsWithTokens: [String: String] {
        identity.inputs["tokens"] == tokens.id ? ["prior": id] : ["prior": id, "tokens": tokens.id]
    }

    /// What a stage that decodes this model's tokens adds to its settings: an adopted model's key does not cover which weights
    /// of the tokenizer are read.
    var decodingIdentity: [String: JSONValue] { adopted == nil ? [:] : tokenizer.weightIdentity }

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        if let adopted { return try adopted.perform(work, context) }
        let training = PriorTraining(
            settings: settings, seed: seed, layout: tokenizer.layout, classes: tokenizer.dataset.classes,
            tokens: tokenizer.dataset.isEmpty ? .empty(width: tokenizer.layout) : try tokens.load(context))
        guard isJoint else { return try training.run(work, context) }
        let weights = context.store.stage(tokenizer.identity).url(tokenizer.adopted?.weightFile ?? WeightFile.averaged)
        return try training.adopt(SafetensorsFile(reading: weights), work)
    }

    /// The AR model with its averaged weights, or those last trained; of an imported one, those that were asked for then.
    func load(averaged: Bool = true, _ context: ExperimentContext) throws -> ARModel {
        // A joint AR model that was taken over left its last trained weights with the tokenizer.
        let holder = isJoint && adopted == nil && !averaged ? tokenizer.identity : identity
        return try load(averaged ? adopted?.weightFile ?? WeightFile.averaged : WeightFile.trained, of: holder, context)
    }

    /// Steps at which its averaged weights can be had: its snapshots, and the last.
    var stepsKept: [Int] { settings.snapshots + [settings.steps] }

    /// The AR model with the averaged weights it had after `step` steps, one of `stepsKept`.
    func load(afterStep step: Int, _ context: ExperimentContext) throws -> ARModel {
        try load(step == settings.steps ? WeightFile.averaged : WeightFile.snapshot(step), of: identity, context)
    }

    private func load(_ name: String, of holder: StageIdentity, _ context: ExperimentContext) throws -> ARModel {
        let model = ARModel(
            settings.config(layout: tokenizer.layout, classes: tokenizer.dataset.classes), parameters: .unfilled)
        let file = try SafetensorsFile(reading: context.store.stage(holder).url(name))
        try ParameterFiles.load(model.parameters, from: file, prefix: "ar.")
        return model
    }
}
