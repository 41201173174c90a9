import Files
import Models
import Sweep

/// What a stage asks of a machine, worked out from its settings without building a model.
public struct StageCost: Equatable, Sendable {
    /// Numbers in the parameters of the networks it works with.
    public var parameters: Int
    /// Tokens that AR models read or draw: sequence length · batch · steps, or · images.
    public var tokens: Int?
    /// FLOPs of its networks (`ModelCost`); data, scores and bookkeeping are not counted.
    public var flops: Double
    /// Bytes held at once: parameters, moments, averages, gradients or activations.
    public var memory: Double
    /// Bytes that it leaves, before compression.
    public var disk: Double
    /// Bytes of files that it needs meanwhile.
    public var scratch: Double = 0

    /// Of a model that is there already.
    static func taken(parameters: Int) -> StageCost {
        StageCost(
            parameters: parameters, tokens: nil, flops: 0, memory: 4 * Double(parameters), disk: 4 * Double(parameters))
    }
}

extension Stage {
    /// The summary with what the work cost, which later estimates scale by.
    func noted(in summary: JSONValue) -> JSONValue {
        guard let cost, case .object(var members) = summary else { return summary }
        members["flops"] = .number(cost.flops)
        return .object(members)
    }
}

extension FeatureStage {
    private var network: ModelCost {
        ImageClassifier.cost(
            imageSize: dataset.imageSize, channels: dataset.channels, classes: dataset.classes, width: settings.width,
            features: settings.dim)
    }

    /// FLOPs, numbers in parameters and numbers held to extract the features of one image.
    var extraction: (flops: Double, parameters: Int, held: Double) {
        (network.forward, network.parameters, network.kept)
    }

    var cost: StageCost? {
        let (network, counts) = (network, dataset.counts)
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
        switch settings.usesPerceptual ? perceptual : nil {
        case .classifier(let stage):
            losses.perceptual = ImageClassifier.cost(
                imageSize: dataset.imageSize, channels: dataset.channels, classes: dataset.classes,
                width: stage.settings.width, features: stage.settings.dim, isFirst: false)
        case .lpips: losses.perceptual = LPIPS.cost(imageSize: dataset.imageSize)
        case nil: break
        }
        return losses
    }

    var cost: StageCost? {
        let (config, isFrozen) = (config, settings.variant == .prologuePost)
        if adopted != nil { return .taken(parameters: config.cost().parameters) }
        let joint = settings.trainedJointConfig(prior: prior, layout: config.layout, classes: dataset.classes)
        func training(_ losses: ImageLossCost) -> TrainingCost {
            config.trainingCost(weights: settings.lossWeights, isFrozen: isFrozen, joint: joint, imageLosses: losses)
        }
        let whole = training(imageLosses)
        // Until a discriminator begins, there is none.
        var early = imageLosses
        (early.generator, early.discriminator) = (nil, nil)
        let start = settings.usesAdversary ? min(settings.gan.startStep, settings.steps) : 0
        let images = Double(settings.batch)
        let flops =
            images * (Double(start) * training(early).flops + Double(settings.steps - start) * whole.flops)
        // Trained and averaged values of tokenizer and joint model; a discriminator has no averages.
        let own = config.cost().parameters + (joint?.cost.parameters ?? 0)
        let judge = imageLosses.discriminator?.parameters ?? 0
        let kept = settings.keepCheckpoints.count(steps: settings.steps, every: settings.checkpointEvery)
        return StageCost(
            parameters: whole.parameters, tokens: config.layout.length * settings.batch * settings.steps, flops: flops,
            memory: whole.memory(batch: settings.batch),
            disk: 4 * Double(2 * own + judge) + Double(kept) * whole.checkpoint,
            scratch: Double(kept > 0 ? 1 : 2) * whole.checkpoint)
    }
}

extension ReconstructionStage {
    var cost: StageCost? {
        let count = scores.referenceCount ?? tokenizer.dataset.counts.test
        let (encoding, decoding, extraction) = (tokenizer.encoding, tokenizer.decoding, features.extraction)
        let held = Double(FeatureExtractor.batch) * max(encoding.held, extraction.held)
        let parameters = encoding.parameters + decoding.parameters + extraction.parameters
        // Features are float64.
        let gathered = 8 * Double(count) * Double(features.settings.dim)
        return StageCost(
            parameters: parameters, tokens: nil,
            flops: Double(count) * (encoding.flops + decoding.flops + 2 * extraction.flops),
            memory: 4 * (Double(parameters) + held) + 2 * gathered, disk: gathered)
    }
}

extension TokenStage {
    var cost: StageCost? {
        let (counts, encoding) = (tokenizer.dataset.counts, tokenizer.encoding)
        let images = counts.train * (settings.crops == .ten ? 10 : 1) + counts.test
        let width = tokenizer.layout.prologueTokens + tokenizer.layout.visualTokens
        let size = 4 * Double(images) * Double(width + 1)
        return StageCost(
            parameters: encoding.parameters, tokens: images * width, flops: Double(images) * encoding.flops,
            memory: 4 * (Double(encoding.parameters) + Double(Tokenizer.batch) * encoding.held) + size, disk: size)
    }
}

extension PriorStage {
    private var sizes: ARConfig { settings.config(layout: tokenizer.layout, classes: tokenizer.dataset.classes) }

    /// FLOPs of drawing a sequence, numbers in parameters, and numbers held while a group of sequences is drawn.
    func drawing(_ sampler: Sweep.SamplerSettings, count: Int) -> (flops: Double, parameters: Int, held: Double) {
        let isGuided = sampler.sampler.guidance != .off
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
        let sequences = settings.steps * settings.batch
        let kept = settings.keepCheckpoints.count(steps: settings.steps, every: settings.checkpointEvery)
        return StageCost(
            parameters: network.parameters, tokens: sequences * config.layout.length,
            flops: Double(sequences) * training.flops + measuring,
            // Averages are measured while the trained values wait.
            memory: max(training.memory(batch: settings.batch), 5 * weights + measured),
            disk: 2 * weights + Double(kept) * training.checkpoint,
            scratch: Double(kept > 0 ? 1 : 2) * training.checkpoint)
    }
}

extension SampleStage {
    var cost: StageCost? {
        let (tokenizer, drawing) = (prior.tokenizer, prior.drawing(settings, count: count))
        let (decoding, dataset) = (tokenizer.decoding, tokenizer.dataset)
        let pixels = Double(count * dataset.imageSize * dataset.imageSize * dataset.channels)
        let size = pixels + 4 * Double(count) * Double(tokenizer.layout.length + 1)
        let held = max(drawing.held, Double(min(batch, Tokenizer.batch)) * decoding.held)
        return StageCost(
            parameters: drawing.parameters + decoding.parameters, tokens: count * tokenizer.layout.length,
            flops: Double(count) * (drawing.flops + decoding.flops),
            memory: 4 * (Double(drawing.parameters + tokenizer.encoding.parameters + decoding.parameters) + held) + size,
            disk: size)
    }
}

extension ResampleStage {
    var cost: StageCost? {
        let (tokenizer, count) = (prior.tokenizer, settings.rows * settings.columns)
        let (drawing, decoding, dataset) = (
            prior.drawing(Sweep.SamplerSettings(), count: count), tokenizer.decoding, tokenizer.dataset
        )
        let pixels = Double(count * dataset.imageSize * dataset.imageSize * dataset.channels)
        let parameters = drawing.parameters + decoding.parameters
        let held = max(drawing.held, Double(count) * decoding.held)
        return StageCost(
            parameters: parameters, tokens: count * tokenizer.layout.length,
            flops: Double(count) * (drawing.flops + decoding.flops),
            memory: 4 * (Double(parameters + tokenizer.encoding.parameters) + held) + pixels, disk: pixels)
    }
}

extension KeptCheckpoints {
    /// Checkpoints that stay.
    fileprivate func count(steps: Int, every: Int) -> Int {
        switch self {
        case .none: 0
        case .last: 1
        case .all: (steps + every - 1) / every
        }
    }
}

extension SnapshotStage {
    var cost: StageCost? {
        let sampler = Sweep.SamplerSettings()
        return prior.drawingImages(2 * count * prior.stepsKept.count, sampler, atOnce: FeatureExtractor.batch)
    }
}

extension TuningStage {
    var cost: StageCost? {
        var guided = Sweep.SamplerSettings()
        guided.guidance.scale = 2
        return prior.drawingImages(
            settings.count * settings.scales.count * settings.temperatures.count, guided, atOnce: FeatureExtractor.batch)
    }
}

extension PriorStage {
    /// Of images that are drawn and decoded, looked at and not kept.
    fileprivate func drawingImages(_ count: Int, _ sampler: Sweep.SamplerSettings, atOnce batch: Int) -> StageCost {
        let (drawing, decoding) = (drawing(sampler, count: batch), tokenizer.decoding)
        let held = max(drawing.held, Double(min(batch, Tokenizer.batch)) * decoding.held)
        return StageCost(
            parameters: drawing.parameters + decoding.parameters, tokens: count * tokenizer.layout.length,
            flops: Double(count) * (drawing.flops + decoding.flops),
            memory: 4 * (Double(drawing.parameters + tokenizer.encoding.parameters + decoding.parameters) + held), disk: 0)
    }
}
