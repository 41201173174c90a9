import Files

extension TokenizerSettings {
    /// Settings that training reads. What concerns other variants only is left out, so that arms which differ in nothing else
    /// share a tokenizer: a baseline does not care how long the prologue is. The rows of `fields` say when each is read.
    public var stageIdentity: JSONValue {
        guard case .object(var members) = identityRead, case .object(var loss)? = members["loss"] else { return identityRead }
        func drop(_ terms: [String], unless needed: Bool) {
            if !needed { for term in terms { loss[term] = nil } }
        }
        drop(["ce_prologue", "ce_visual", "prologue_entropy"], unless: hasPrologue)
        drop(["prologue_quantizer"], unless: hasPrologue && prologueQuantizer.hasLoss)
        drop(["quantizer"], unless: visualQuantizer.hasLoss)
        drop(["ce_coupled"], unless: variant.isCoupled)
        drop(["l1", "l2", "quantizer", "visual_entropy"], unless: !variant.isFrozen)
        members["loss"] = .object(loss)
        // Where the joint model is the prior itself, its sizes are the prior's, which the stage adds.
        if variant.joint == .prior, case .object(let joint)? = members["joint_ar"] {
            let own = joint.filter { key, _ in JointARSettings.course.contains { $0.key == key } }
            members["joint_ar"] = own.isEmpty ? nil : .object(own)
        }
        if gan.r1 == 0, case .object(var gan)? = members["gan"] {
            gan["r1_every"] = nil
            members["gan"] = .object(gan)
        }
        // Which network it is, the stage adds: another stage, or a digest of a file.
        if case .object(var perceptual)? = members["perceptual"] {
            for key in ["seed", "weights", "convnext_weights"] { perceptual[key] = nil }
            members["perceptual"] = .object(perceptual)
        }
        return .object(members)
    }

    /// Weights of the terms that step A of this variant has. On a frozen visual path cross-entropy is all there is to train with;
    /// where it reaches visual tokens directly, `ce_coupled` is their weight.
    public var activeLoss: TokenizerLossSettings {
        var active = loss
        if variant.isFrozen { (active.l1, active.l2, active.quantizer, active.visualEntropy) = (0, 0, 0, 0) }
        if variant.isCoupled { active.ceVisual = loss.ceCoupled }
        return active
    }

    /// Quantizers of both kinds of token; without a prologue, that of the image.
    var quantizers: [Quantizer] { [visualQuantizer] + (hasPrologue ? [prologueQuantizer] : []) }

    var hasEntropyLoss: Bool {
        loss.visualEntropy != 0 && !variant.isFrozen || loss.prologueEntropy != 0 && hasPrologue
    }

    /// On a frozen visual path there are no reconstructions to train.
    public var usesAdversary: Bool { gan.weight > 0 && !variant.isFrozen }
    public var usesPerceptual: Bool { perceptual.weight > 0 && !variant.isFrozen }

    /// Of the joint AR model's matrices: where it is the prior itself, the prior's.
    public func jointWeightDecay(_ prior: PriorSettings) -> Double {
        variant.joint == .prior ? prior.training.optimizer.weightDecay : jointAr.weightDecay
    }

    /// The joint AR model's optimiser: the tokenizer's with a decay of its own, and with moments of its own where they are given.
    public func jointOptimizer(_ prior: PriorSettings) -> OptimizerSettings {
        training.optimizer.with(weightDecay: jointWeightDecay(prior), beta1: jointAr.beta1, beta2: jointAr.beta2)
    }

    /// Half-life of the joint AR model's averages, in steps.
    public var jointHalfLife: Double { jointAr.emaHalfLife ?? training.emaHalfLife }

    /// Whether the prologue has an encoder of its own.
    var hasSeparatePrologue: Bool { hasPrologue && resolvedPrologueEncoder == .separate }

    /// The same with its variant named for what it is: a prologue of no tokens is no prologue.
    public var named: TokenizerSettings {
        var named = self
        if variant.hasPrologue, !hasPrologue { named.variant = .baseline2D }
        return named
    }

    /// The 2D tokenizer that `prologue-post` is trained on: the same settings as a baseline.
    public var base: TokenizerSettings? {
        guard variant.isFrozen else { return nil }
        var base = self
        base.variant = .baseline2D
        base.training.steps = baseSteps ?? training.steps
        return base
    }
}
