import Files
import Foundation
import Models
import RunStore
import Settings
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
    var isJoint: Bool { tokenizer.settings.variant.joint == .prior }

    var identity: StageIdentity {
        if let adopted { return adopted.identity }
        let read: JSONValue =
            isJoint
            ? ["joint": true, "prior": settings.networkIdentity]
            : ["prior": settings.identityRead, "seed": .int(seed)]
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
            tokens: tokenizer.dataset.isEmpty ? .empty(width: tokenizer.layout) : try sequences(context))
        guard isJoint else { return try training.run(work, context) }
        let weights = try context.store.stage(tokenizer.identity).verified(tokenizer.adopted?.weightFile ?? WeightFile.averaged)
        return try training.adopt(SafetensorsFile(reading: weights), work, context)
    }

    /// The tokens that it is trained on, the prologue's in the order in which it knows them.
    func sequences(_ context: ExperimentContext) throws -> TokenFile {
        let stored = try tokens.load(context)
        return prologueOrder.map(stored.reordered) ?? stored
    }

    /// Places of the prologue's tokens in the order in which it knows them; nil: as they are.
    private var prologueOrder: [Int]? {
        let k = tokenizer.layout.prologueTokens
        switch settings.prologueOrder {
        case .forward: return nil
        case .backward: return (0..<k).reversed()
        case .shuffled:
            var stream = RandomStream(seed: 0, "prior/prologue-order")
            return stream.permutation(k)
        }
    }

    /// Indices [n, K + N] of an encoder with the prologue's in that order.
    func order(_ indices: TokenTensor) -> TokenTensor {
        guard let order = prologueOrder else { return indices }
        var ids = indices.ids
        for row in stride(from: 0, to: ids.count, by: indices.shape[1]) {
            for (place, position) in order.enumerated() { ids[row + place] = indices.ids[row + position] }
        }
        return TokenTensor(ids, shape: indices.shape)
    }

    /// The AR model with its averaged weights, or those last trained; of an imported one, those that were asked for then.
    func load(averaged: Bool = true, _ context: ExperimentContext) throws -> TrainedPrior {
        // A joint AR model that was taken over left its last trained weights with the tokenizer.
        let holder = isJoint && adopted == nil && !averaged ? tokenizer.identity : identity
        return try load(averaged ? adopted?.weightFile ?? WeightFile.averaged : WeightFile.trained, of: holder, context)
    }

    /// Steps at which its averaged weights can be had: its snapshots, and the last.
    var stepsKept: [Int] { settings.snapshots + [settings.training.steps] }

    /// The AR model with the averaged weights it had after `step` steps, one of `stepsKept`.
    func load(afterStep step: Int, _ context: ExperimentContext) throws -> TrainedPrior {
        try load(step == settings.training.steps ? WeightFile.averaged : WeightFile.snapshot(step), of: identity, context)
    }

    private func load(_ name: String, of holder: StageIdentity, _ context: ExperimentContext) throws -> TrainedPrior {
        let model = ARModel(
            ARConfig(settings, layout: tokenizer.layout, classes: tokenizer.dataset.classes), parameters: .unfilled)
        let file = try SafetensorsFile(reading: context.store.stage(holder).verified(name))
        try ParameterFiles.loadFinite(model.parameters, from: file, prefix: "ar.")
        return try TrainedPrior(model, on: context.device.accelerator())
    }
}

extension PriorStage {
    private var sizes: ARConfig { ARConfig(settings, layout: tokenizer.layout, classes: tokenizer.dataset.classes) }

    /// FLOPs of drawing a sequence, numbers in parameters, and numbers held while a group of sequences is drawn.
    func drawing(_ sampler: SamplerSettings, count: Int) -> (flops: Double, parameters: Int, held: Double) {
        let isGuided = Guidance(sampler) != .off
        let branches = isGuided ? 2 : 1
        let group = Sampler.group(sequenceBytes: Int(4 * sizes.cache(rows: branches)))
        let rows = branches * min(count, group)
        return (sizes.sampling(isGuided: isGuided), sizes.cost.parameters, sizes.cache(rows: rows))
    }

    var cost: StageCost? {
        let (config, heldOut) = (sizes, min(PriorTraining.heldOutCount, tokenizer.dataset.counts.test))
        let (network, training) = (config.cost, config.trainingCost)
        if adopted != nil { return .taken(parameters: network.parameters) }
        let weights = 4 * Double(network.parameters)
        // Bits of held-out images, with the class given and without.
        let measuring = 2 * Double(heldOut) * network.forward
        let measured = 4 * Double(min(heldOut, PriorTraining.heldOutBatch)) * config.inference
        if isJoint {
            return StageCost(
                parameters: network.parameters, tokens: 2 * heldOut * config.layout.length, flops: measuring,
                memory: weights + measured, disk: weights)
        }
        let sequences = settings.training.steps * settings.training.batch
        let kept = settings.training.keptCheckpoints
        return StageCost(
            parameters: network.parameters, tokens: sequences * config.layout.length,
            flops: Double(sequences) * training.flops + measuring,
            // Averages are measured while the trained values wait.
            memory: max(training.memory(batch: settings.microBatch ?? settings.training.batch), 5 * weights + measured),
            disk: 2 * weights + Double(kept) * training.checkpoint,
            scratch: Double(kept > 0 ? 1 : 2) * training.checkpoint)
    }

    /// Of images that are drawn and decoded, looked at and not kept.
    func drawingImages(_ count: Int, _ sampler: SamplerSettings, atOnce batch: Int) -> StageCost {
        let (drawing, decoding) = (drawing(sampler, count: batch), tokenizer.decoding)
        let held = max(drawing.held, Double(min(batch, TrainedTokenizer.batch)) * decoding.held)
        return StageCost(
            parameters: drawing.parameters + decoding.parameters, tokens: count * tokenizer.layout.length,
            flops: Double(count) * (drawing.flops + decoding.flops),
            memory: 4 * (Double(drawing.parameters + tokenizer.encoding.parameters + decoding.parameters) + held), disk: 0)
    }
}
