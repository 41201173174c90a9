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
            switch (hasPrologue, resolvedPrologueEncoder) {
            case (false, _): .none
            case (true, .shared): .shared
            case (true, .separate): .separate(layers: prologueEncoderLayers)
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
        config.visualQuantizer = visualQuantizer.kind(levels: visualLevels, gumbelTemperature: gumbelTemperature)
        config.prologueQuantizer = prologueQuantizer.kind(levels: prologueLevels, gumbelTemperature: gumbelTemperature)
        config.visualTemperature = visualTemperature
        config.visualEntropyTemperature = loss.visualEntropy == 0 ? nil : entropyTemperature
        config.prologueEntropyTemperature = loss.prologueEntropy == 0 ? nil : entropyTemperature
        config.hasEOS = eos
        config.precision = precision.precision
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
        config.positions = jointAr.positions.positions
        config.conditionWidth = condDim
        config.precision = precision.precision
        return config
    }

    /// The AR model that is trained beside the tokenizer: small and unconditional, except where it is the final one.
    func trainedJointConfig(prior: PriorSettings, layout: SequenceLayout, classes: Int) -> ARConfig? {
        guard variant.hasJointAR else { return nil }
        guard variant == .prologueOneStage else { return jointARConfig(layout: layout, classes: classes) }
        var config = prior.config(layout: layout, classes: classes)
        config.precision = precision.precision
        return config
    }

    var lossWeights: Tokenizer.LossWeights {
        var weights = Tokenizer.LossWeights()
        // On a frozen visual path, cross-entropy is all there is to train with.
        let isFrozen = variant == .prologuePost
        weights.l1 = isFrozen ? 0 : loss.l1
        weights.l2 = isFrozen ? 0 : loss.l2
        weights.quantizer = isFrozen ? 0 : loss.quantizer
        weights.prologueQuantizer = loss.prologueQuantizer
        weights.visualEntropy = isFrozen ? 0 : loss.visualEntropy
        weights.prologueEntropy = loss.prologueEntropy
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
        let isFrozen = variant == .prologuePost
        drop(
            [
                "prologue_tokens", "prologue_codebook", "prologue_temperature", "prologue_quantizer", "prologue_restart",
                "visual_dropout", "eos",
            ], unless: hasPrologue)
        drop(["joint_ar"], unless: variant.hasJointAR && variant != .prologueOneStage)
        drop(["prologue_encoder_layers"], unless: hasPrologue && resolvedPrologueEncoder == .separate)
        // What null means need not be said.
        drop(["prologue_encoder"], unless: variant != .prologuePost && hasPrologue && resolvedPrologueEncoder == .separate)
        drop(["coupling_temperature"], unless: variant.isCoupled)
        drop(["crop", "crop_min"], unless: crop == .random)

        // Quantizers of both kinds of token; without a prologue, that of the image.
        let quantizers = [visualQuantizer] + (hasPrologue ? [prologueQuantizer] : [])
        drop(["visual_temperature"], unless: visualQuantizer == .probq || visualQuantizer == .gumbel)
        drop(["visual_levels"], unless: visualQuantizer == .fsq)
        drop(["visual_restart"], unless: !isFrozen)
        drop(["prologue_levels"], unless: hasPrologue && prologueQuantizer == .fsq)
        drop(["gumbel_temperature"], unless: quantizers.contains(.gumbel))
        drop(["z_dim"], unless: quantizers.contains(where: \.isLearned))
        drop(["commitment"], unless: quantizers.contains(where: \.hasLoss))
        let hasEntropy = self.loss.visualEntropy != 0 && !isFrozen || self.loss.prologueEntropy != 0 && hasPrologue
        drop(["entropy_temperature"], unless: hasEntropy)
        // Which weights are read afterwards is for those who read them.
        members["ema"] = nil

        if !hasPrologue { for key in ["ce_prologue", "ce_visual", "prologue_entropy"] { loss[key] = nil } }
        if !hasPrologue || !prologueQuantizer.hasLoss { loss["prologue_quantizer"] = nil }
        if !visualQuantizer.hasLoss { loss["quantizer"] = nil }
        if !variant.isCoupled { loss["ce_coupled"] = nil }
        if isFrozen { for key in ["l1", "l2", "quantizer", "visual_entropy"] { loss[key] = nil } }
        members["loss"] = .object(loss)
        drop(["gan"], unless: usesAdversary)
        drop(["perceptual"], unless: usesPerceptual)
        // Which network it is, the stage adds: another stage, or a digest of a file.
        if case .object(var perceptual)? = members["perceptual"] {
            for key in ["seed", "weights"] { perceptual[key] = nil }
            members["perceptual"] = .object(perceptual)
        }
        return .object(members)
    }

    /// On a frozen visual path there are no reconstructions to train.
    var usesAdversary: Bool { gan.weight > 0 && variant != .prologuePost }
    var usesPerceptual: Bool { perceptual.weight > 0 && variant != .prologuePost }

    /// The same with its variant named for what it is: a prologue of no tokens is no prologue.
    var named: TokenizerSettings {
        var named = self
        if variant.hasPrologue, !hasPrologue { named.variant = .baseline2D }
        return named
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
    /// What `prologue-onestage` reads of these settings while it trains its tokenizer.
    var networkIdentity: JSONValue {
        let keys = ["dim", "layers", "heads", "rope_axes", "cond_dim", "tied", "positions", "label_drop"]
        return .object((identity.objectValue ?? [:]).filter { keys.contains($0.key) })
    }

    func config(layout: SequenceLayout, classes: Int) -> ARConfig {
        var config = ARConfig(
            layout: layout, network: .init(width: dim, layers: layers, heads: heads, axes: ropeAxes),
            labels: classes + 1)
        config.tied = tied
        config.positions = positions.positions
        config.conditionWidth = condDim
        config.precision = precision.precision
        return config
    }
}

extension AdversarySettings {
    var settings: Adversary.Settings {
        let loss: AdversarialLoss =
            switch loss {
            case .vanilla: .vanilla
            case .hinge: .hinge
            case .nonSaturating: .nonSaturating
            }
        return Adversary.Settings(weight: weight, loss: loss, lecam: lecam, startStep: startStep)
    }
}

extension TokenizerSettings.Quantizer {
    func kind(levels: [Int], gumbelTemperature: Double) -> QuantizerKind {
        switch self {
        case .vq: .vq
        case .probq: .probq
        case .lfq: .lfq
        case .fsq: .fsq(levels: levels)
        case .gumbel: .gumbel(temperature: gumbelTemperature)
        }
    }
}

extension Sweep.ARPositions {
    var positions: ARConfig.Positions {
        switch self {
        case .sequence: .sequence
        case .hybrid: .hybrid
        }
    }
}

extension PrecisionSetting {
    var precision: Precision {
        switch self {
        case .float32: .float32
        case .bfloat16: .bfloat16
        }
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
        settings.precision = precision.precision
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
