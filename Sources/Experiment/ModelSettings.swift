import Files
import Models
import NN
import Sweep
import TensorCore

extension TokenizerSettings {
    /// The tokenizer these settings describe, for images of `dataset`.
    func config(for dataset: Dataset) -> TokenizerConfig {
        let decoder = decoderSize
        var config = TokenizerConfig(
            visual: .grid, prologue: variant == .prologue ? .shared : .none, imageSize: dataset.imageSize,
            channels: dataset.channels, patch: patch,
            encoder: .init(width: dim, layers: layers, heads: heads, axes: ropeAxes),
            decoder: .init(width: decoder.dim, layers: decoder.layers, heads: decoder.heads, axes: ropeAxes),
            codeWidth: zDim, codebook: codebook, prologueTokens: prologueTokens, prologueCodebook: prologueCodebook,
            labels: dataset.classes + 1)
        config.prologueTemperature = prologueTemperature
        config.commitment = commitment
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
        weights.l1 = loss.l1
        weights.l2 = loss.l2
        weights.quantizer = loss.quantizer
        weights.prologueCrossEntropy = loss.cePrologue
        weights.visualCrossEntropy = loss.ceVisual
        return weights
    }

    /// What training reads. Settings of the prologue and its AR model do not concern a tokenizer without one, so
    /// arms that differ in those only share their baseline.
    var stageIdentity: JSONValue {
        guard case .object(var members) = identity, variant == .baseline2D else { return identity }
        for key in ["prologue_tokens", "prologue_codebook", "prologue_temperature", "visual_dropout", "joint_ar"] {
            members[key] = nil
        }
        if case .object(var loss)? = members["loss"] {
            loss["ce_prologue"] = nil
            loss["ce_visual"] = nil
            members["loss"] = .object(loss)
        }
        return .object(members)
    }
}

extension PriorSettings {
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
