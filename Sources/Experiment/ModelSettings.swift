import Files
import Models
import NN
import Sweep
import TensorCore

extension TokenizerSettings {
    /// The tokenizer these settings describe, for images of `dataset`.
    func config(for dataset: Dataset) -> TokenizerConfig {
        config(imageSize: dataset.imageSize, channels: dataset.channels, labels: dataset.classes + 1)
    }

    func config(imageSize: Int, channels: Int, labels: Int) -> TokenizerConfig {
        let decoder = decoderSize
        let prologue: TokenizerConfig.Prologue =
            switch variant {
            case .prologue, .prologueOneStage: .shared
            case .prologuePost: .separate(layers: prologueEncoderLayers)
            case .baseline1D, .baseline2D, .coupled1D, .coupled2D: .none
            }
        var config = TokenizerConfig(
            visual: variant.isLatent ? .latent : .grid, prologue: prologue, imageSize: imageSize,
            channels: channels, patch: patch,
            encoder: .init(width: dim, layers: layers, heads: heads, axes: ropeAxes),
            decoder: .init(width: decoder.dim, layers: decoder.layers, heads: decoder.heads, axes: ropeAxes),
            codeWidth: zDim, codebook: codebook, prologueTokens: prologueTokens, prologueCodebook: prologueCodebook,
            labels: labels)
        config.prologueTemperature = prologueTemperature
        config.commitment = commitment
        config.couplingTemperature = variant.isCoupled ? couplingTemperature : nil
        config.conditionWidth = condDim
        return config
    }

    /// The joint AR model that trains the prologue, and nothing else.
    func jointARConfig(layout: SequenceLayout, classes: Int) -> ARConfig {
        var config = ARConfig(
            layout: layout,
            network: .init(
                width: jointAr.dim, layers: jointAr.layers, heads: jointAr.heads, axes: jointAr.ropeAxes),
            labels: classes + 1)
        config.tied = jointAr.tied
        config.conditionWidth = condDim
        return config
    }

    var lossWeights: Tokenizer.LossWeights {
        var weights = Tokenizer.LossWeights()
        // On a frozen visual path, cross-entropy is all there is to train with.
        let isFrozen = variant == .prologuePost
        weights.l1 = isFrozen ? 0 : loss.l1
        weights.l2 = isFrozen ? 0 : loss.l2
        weights.quantizer = isFrozen ? 0 : loss.quantizer
        weights.prologueCrossEntropy = loss.cePrologue
        weights.visualCrossEntropy = variant.isCoupled ? loss.ceCoupled : loss.ceVisual
        return weights
    }

    /// Settings that training reads. What concerns other variants only is left out, so that arms which differ in
    /// nothing else share a tokenizer: a baseline does not care how long the prologue is.
    var stageIdentity: JSONValue {
        guard case .object(var members) = identity, case .object(var loss)? = members["loss"] else { return identity }
        func drop(_ keys: [String], unless needed: Bool) {
            if !needed { for key in keys { members[key] = nil } }
        }
        drop(["prologue_tokens", "prologue_codebook", "prologue_temperature", "visual_dropout"], unless: variant.hasPrologue)
        drop(["joint_ar"], unless: variant.hasJointAR && variant != .prologueOneStage)
        drop(["from"], unless: from != nil)
        drop(["prologue_encoder_layers"], unless: variant == .prologuePost)
        drop(["coupling_temperature"], unless: variant.isCoupled)
        if !variant.hasPrologue { loss["ce_prologue"] = nil }
        if !variant.hasPrologue { loss["ce_visual"] = nil }
        if !variant.isCoupled { loss["ce_coupled"] = nil }
        if variant == .prologuePost { for key in ["l1", "l2", "quantizer"] { loss[key] = nil } }
        members["loss"] = .object(loss)
        return .object(members)
    }

    /// The 2D tokenizer that `prologue-post` is trained on: the same settings as a baseline.
    var base: TokenizerSettings? {
        guard variant == .prologuePost else { return nil }
        var base = self
        base.variant = .baseline2D
        return base
    }
}

extension PriorSettings {
    /// Settings that training reads.
    var stageIdentity: JSONValue { .object((identity.objectValue ?? [:]).filter { $0.key != "from" }) }

    /// What `prologue-onestage` reads of these settings while it trains its tokenizer.
    var networkIdentity: JSONValue {
        let keys = ["dim", "layers", "heads", "rope_axes", "cond_dim", "tied", "label_drop"]
        return .object((identity.objectValue ?? [:]).filter { keys.contains($0.key) })
    }

    func config(layout: SequenceLayout, classes: Int) -> ARConfig {
        var config = ARConfig(
            layout: layout, network: .init(width: dim, layers: layers, heads: heads, axes: ropeAxes),
            labels: classes + 1)
        config.tied = tied
        config.conditionWidth = condDim
        return config
    }
}

extension OptimizerSettings {
    func adamW(decay: Double, averageHalfLife: Double?) -> AdamW.Settings {
        AdamW.Settings(
            beta1: beta1, beta2: beta2, epsilon: epsilon, decay: decay, clip: clip, averageHalfLife: averageHalfLife)
    }

    func schedule(steps: Int) -> LearningRateSchedule {
        LearningRateSchedule(base: lr, end: endLr, warmup: warmup, decayStart: firstDecayStep, total: steps)
    }
}

extension Sweep.SamplerSettings {
    /// The same in the sampler's terms; a guidance scale of 0 means off.
    var sampler: Models.SamplerSettings {
        var settings = Models.SamplerSettings()
        settings.temperature = temperature
        settings.prologueTemperature = prologueTemperature
        settings.topK = topK
        settings.topP = topP
        if prologueGuidance != nil || visualGuidance != nil {
            settings.guidance = .split(
                prologue: (prologueGuidance ?? SplitGuidanceSettings(scale: 1)).curve(start: 0),
                visual: (visualGuidance ?? SplitGuidanceSettings(scale: 1)).curve(start: 1))
        } else if guidance.scale != 0 {
            settings.guidance = .overall(
                scale: guidance.scale, schedule: guidance.schedule.schedule, power: guidance.power)
        }
        return settings
    }
}

extension SplitGuidanceSettings {
    init(scale: Double) {
        self.init()
        self.scale = scale
    }

    func curve(start: Double) -> Guidance.Curve {
        Guidance.Curve(schedule: schedule.schedule, scale: scale, power: power, start: self.start ?? start)
    }
}

extension Sweep.GuidanceSchedule {
    var schedule: Models.GuidanceSchedule {
        switch self {
        case .constant: .constant
        case .linear: .linear
        case .cosine: .cosine
        }
    }
}
