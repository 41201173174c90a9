import Files
import Foundation
import ImageData
import Models
import RunStore
import Settings
import TensorCore

/// Stage 1: a trained tokenizer.
struct TokenizerStage: Stage {
    let settings: TokenizerSettings
    /// Read by `prologue-onestage` only, whose joint AR model has the prior's sizes.
    let prior: PriorSettings
    let seed: Int
    let dataset: Dataset
    /// What a perceptual loss would look with.
    let perceptual: PerceptualNetwork?
    var role = "tokenizer"
    /// What is taken instead of training one.
    var adopted: AdoptedTokenizer?

    /// The frozen 2D tokenizer under a `prologue-post`, a stage of its own that a baseline arm shares.
    var base: TokenizerStage? {
        guard adopted == nil else { return nil }
        return settings.base.map {
            TokenizerStage(settings: $0, prior: prior, seed: seed, dataset: dataset, perceptual: perceptual, role: "base-tokenizer")
        }
    }

    var config: TokenizerConfig {
        var config = TokenizerConfig(settings, for: dataset)
        if let adopted { config.labels = adopted.labels }
        return config
    }

    var layout: SequenceLayout { config.layout }

    /// What importing cannot read off the tensors of its checkpoint.
    var notes: JSONValue {
        var notes: [String: JSONValue] = [
            "tokenizer": .object((settings.stageIdentity.objectValue ?? [:]).filter { $0.key != "from" }),
            "image_size": .int(dataset.imageSize),
        ]
        if settings.variant.joint == .prior { notes["prior"] = prior.networkIdentity }
        return .object(notes)
    }

    var identity: StageIdentity {
        if let adopted { return adopted.identity }
        var read: [String: JSONValue] = [
            "data": dataset.identity, "tokenizer": settings.stageIdentity, "seed": .int(seed),
        ]
        if settings.variant.joint == .prior {
            read["prior"] = prior.networkIdentity
            // At its default it is left out, as in the names of stages from before it counted.
            let decay = settings.jointWeightDecay(prior)
            if decay != PriorSettings().training.optimizer.weightDecay { read["prior_weight_decay"] = .number(decay) }
        }
        if base != nil { read.merge(weightIdentity) { $1 } }
        var inputs = base.map { ["base": $0.id] } ?? [:]
        switch usedPerceptual {
        case .classifier(let stage): inputs["perceptual"] = stage.id
        case .released(let lpips, let convnext):
            if let lpips { read["perceptual_weights"] = .string(lpips.digest) }
            if let convnext { read["convnext_weights"] = .string(convnext.digest) }
        case nil: break
        }
        return StageIdentity(kind: "tokenizer", settings: .object(read), inputs: inputs, formatVersion: 2)
    }

    /// Whether the stage's key says which images there are: that of an adopted tokenizer says what it was trained on, if that.
    var coversData: Bool { adopted.map { $0.identity.settings["data"] == dataset.identity } ?? true }

    private var usedPerceptual: PerceptualNetwork? { settings.usesPerceptual ? perceptual : nil }

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        if let adopted { return try adopted.perform(work, context) }
        let frozen = try base.map {
            try SafetensorsFile(reading: context.store.stage($0.identity).verified($0.weightFile))
        }
        let training = TokenizerTraining(
            settings: settings, seed: seed, dataset: dataset, prior: prior, base: frozen,
            perceptual: try usedPerceptual?.loss(context))
        return dataset.noted(in: try training.run(work, context))
    }

    /// Which of the weights others read; of an imported tokenizer, those that were asked for then.
    var weightFile: String { settings.ema ? adopted?.weightFile ?? WeightFile.averaged : WeightFile.trained }

    /// What a stage that reads the weights adds to its settings: nothing where they are the averaged ones.
    var weightIdentity: [String: JSONValue] { settings.ema ? [:] : ["ema": false] }

    /// The tokenizer with the weights that others read.
    func load(_ context: ExperimentContext) throws -> TrainedTokenizer {
        try TrainedTokenizer(loadModel(context), on: context.device.accelerator())
    }

    /// The same for what reads its layers and codes.
    func loadModel(_ context: ExperimentContext) throws -> Tokenizer {
        let tokenizer = Tokenizer(config, parameters: .unfilled)
        let file = try SafetensorsFile(reading: context.store.stage(identity).verified(weightFile))
        try ParameterFiles.loadFinite(tokenizer.encoder.parameters, from: file, prefix: "encoder.")
        try ParameterFiles.loadFinite(tokenizer.decoder.parameters, from: file, prefix: "decoder.")
        return tokenizer
    }
}

extension TokenizerConfig {
    /// For the images of `dataset`.
    init(_ settings: TokenizerSettings, for dataset: Dataset) {
        self.init(settings, imageSize: dataset.imageSize, channels: dataset.channels, labels: dataset.classes + 1)
    }
}

extension TokenizerStage {
    /// FLOPs, numbers in parameters and numbers held to encode an image, and to decode one.
    var encoding: (flops: Double, parameters: Int, held: Double) {
        let cost = config.cost()
        return (cost.encoding, cost.encoder.parameters + cost.prologue.parameters, config.inference)
    }
    var decoding: (flops: Double, parameters: Int, held: Double) {
        let cost = config.cost()
        return (cost.decoder.forward, cost.decoder.parameters, config.inference)
    }

    private var imageLosses: ImageLossCost {
        var losses = ImageLossCost()
        if settings.usesAdversary {
            func discriminator(isFirst: Bool) -> ModelCost {
                PatchDiscriminator.cost(
                    imageSize: dataset.imageSize, channels: dataset.channels, width: settings.gan.width,
                    layers: settings.gan.layers, isFirst: isFirst)
            }
            (losses.generator, losses.discriminator) = (discriminator(isFirst: false), discriminator(isFirst: true))
        }
        if settings.usesAdversary, settings.gan.r1 > 0 { losses.penalized = 1 / Double(settings.gan.r1Every) }
        switch settings.usesPerceptual ? perceptual : nil {
        case .classifier(let stage):
            losses.perceptual = ImageClassifier.cost(
                imageSize: dataset.imageSize, channels: dataset.channels, classes: dataset.classes,
                width: stage.settings.width, features: stage.settings.dim, isFirst: false)
        case .released(let lpips, let convnext):
            let parts = [lpips.map { _ in LPIPS.cost(imageSize: dataset.imageSize) }, convnext.map { _ in ConvNeXt.cost }]
            losses.perceptual = parts.compactMap(\.self).reduce(ModelCost(), +)
        case nil: break
        }
        return losses
    }

    var cost: StageCost? {
        let (config, isFrozen) = (config, settings.variant.isFrozen)
        if adopted != nil { return .taken(parameters: config.cost().parameters) }
        let joint = ARConfig(with: settings, prior: prior, layout: config.layout, classes: dataset.classes)
        func training(_ losses: ImageLossCost) -> TrainingCost {
            config.trainingCost(weights: settings.activeLoss, isFrozen: isFrozen, joint: joint, imageLosses: losses)
        }
        let whole = training(imageLosses)
        // Until a discriminator begins, there is none.
        var early = imageLosses
        (early.generator, early.discriminator, early.penalized) = (nil, nil, 0)
        let start = settings.usesAdversary ? min(settings.gan.startStep, settings.training.steps) : 0
        let images = Double(settings.training.batch)
        let flops =
            images * (Double(start) * training(early).flops + Double(settings.training.steps - start) * whole.flops)
        // Trained and averaged values of tokenizer and joint model; a discriminator has no averages.
        let own = config.cost().parameters + (joint?.cost.parameters ?? 0)
        let discriminator = imageLosses.discriminator?.parameters ?? 0
        let kept = settings.training.keptCheckpoints
        return StageCost(
            parameters: whole.parameters, tokens: config.layout.length * settings.training.batch * settings.training.steps, flops: flops,
            memory: whole.memory(batch: settings.microBatch ?? settings.training.batch),
            disk: 4 * Double(2 * own + discriminator) + Double(kept) * whole.checkpoint,
            scratch: Double(kept > 0 ? 1 : 2) * whole.checkpoint)
    }
}
