import Files

/// Rules between settings, checked once a run's settings are complete.
extension RunSettings {
    /// A rule that is broken.
    public struct Conflict: Sendable, Equatable {
        /// The settings involved, the one to look at first in front.
        public let paths: [String]
        public let message: String
    }

    /// All broken rules; empty when the settings can be run.
    public func conflicts() -> [Conflict] {
        // What is taken as it is brings its own sizes and is not trained.
        let (isTrained, isPriorTrained) = (tokenizer.from == nil, prior.from == nil)
        return dataConflicts() + headConflicts()
            + (isTrained ? scheduleConflicts("tokenizer", tokenizer.training) + baseConflicts() + wholeBatchConflicts() : [])
            + (isPriorTrained ? scheduleConflicts("prior", prior.training) : [])
            + (isPriorTrained ? microBatchConflicts("prior", prior.microBatch, of: prior.training.batch) : [])
            + (isTrained ? tokenConflicts() + quantizerConflicts() + imageLossConflicts() : [])
            + positionConflicts() + samplingConflicts() + unconditionalConflicts() + scoreConflicts() + snapshotConflicts()
    }

    /// Parts of a batch are equally large.
    private func microBatchConflicts(_ network: String, _ part: Int?, of batch: Int) -> [Conflict] {
        guard let part, batch % part != 0 else { return [] }
        let nearest = (1...min(part, batch)).last { batch % $0 == 0 } ?? 1
        return [
            Conflict(
                paths: ["\(network).micro_batch", "\(network).batch"],
                message: "\(network).micro_batch \(part) must divide \(network).batch \(batch), as \(nearest) does")
        ]
    }

    /// What statistics of a whole batch train cannot be computed in parts of it.
    private func wholeBatchConflicts() -> [Conflict] {
        let part = tokenizer.microBatch
        var found = microBatchConflicts("tokenizer", part, of: tokenizer.training.batch)
        let terms = [
            // The first two train the base of `prologue-post`, too.
            ("gan.weight", tokenizer.gan.weight > 0, "the batch norms of a discriminator see"),
            ("loss.visual_entropy", tokenizer.loss.visualEntropy != 0, "the entropy of codes is that of"),
            ("loss.prologue_entropy", tokenizer.activeLoss.prologueEntropy != 0, "the entropy of codes is that of"),
        ]
        for (key, isUsed, why) in terms where isUsed && part.map({ $0 < tokenizer.training.batch }) == true {
            found.append(
                Conflict(
                    paths: ["tokenizer.micro_batch", "tokenizer.\(key)"],
                    message: "tokenizer.micro_batch cannot be used with tokenizer.\(key): \(why) the whole batch; leave it out"))
        }
        return found
    }

    /// Snapshots come in order, before the last step, whose weights are the prior's own.
    private func snapshotConflicts() -> [Conflict] {
        var found: [Conflict] = []
        let snapshots = prior.snapshots
        if prior.from == nil, zip(snapshots, snapshots.dropFirst()).contains(where: { $0 >= $1 }) {
            found.append(
                Conflict(
                    paths: ["prior.snapshots"], message: "prior.snapshots \(snapshots) must be in increasing order"))
        }
        if prior.from == nil, let last = snapshots.last, last >= prior.training.steps {
            found.append(
                Conflict(
                    paths: ["prior.snapshots", "prior.steps"],
                    message: "prior.snapshots must be before the last step, whose weights are the prior's own: \(last) is not below "
                        + "prior.steps \(prior.training.steps)"))
        }
        return found
    }

    /// Data sets that nothing installs need their place; pictures are grey or coloured.
    private func dataConflicts() -> [Conflict] {
        var found: [Conflict] = []
        if [.cifar10, .imageFolder, .imageHDF5, .imagenet].contains(data.set), data.path == nil {
            found.append(
                Conflict(
                    paths: ["data.path", "data.set"], message: "data.set \(data.set.rawValue) needs data.path, the place of its files"))
        }
        if data.set == .none, tokenizer.from == nil {
            found.append(
                Conflict(
                    paths: ["data.set", "tokenizer.from"],
                    message: "data.set none has no images to train a tokenizer on; it needs tokenizer.from"))
        }
        if data.channels != 1, data.channels != 3 {
            found.append(
                Conflict(
                    paths: ["data.channels"], message: "data.channels \(data.channels) must be 1 (grey) or 3 (colour)"))
        }
        return found
    }

    /// Heads share the width evenly, and the three position axes share the head.
    private func headConflicts() -> [Conflict] {
        let decoder = tokenizer.decoderSize
        let joint = tokenizer.jointAr
        var networks: [(path: String, prefix: String, dim: Int, heads: Int, axes: [Int])] = []
        if tokenizer.from == nil {
            networks.append(("tokenizer", "", tokenizer.dim, tokenizer.heads, tokenizer.ropeAxes))
            if tokenizer.decoderDim != nil || tokenizer.decoderHeads != nil {
                networks.append(("tokenizer", "decoder_", decoder.dim, decoder.heads, tokenizer.ropeAxes))
            }
            let prologue = tokenizer.prologueEncoderSize
            if tokenizer.prologueEncoderDim != nil || tokenizer.prologueEncoderHeads != nil {
                networks.append(("tokenizer", "prologue_encoder_", prologue.dim, prologue.heads, tokenizer.ropeAxes))
            }
            networks.append(("tokenizer.joint_ar", "", joint.dim, joint.heads, joint.ropeAxes))
        }
        if prior.from == nil { networks.append(("prior", "", prior.dim, prior.heads, prior.ropeAxes)) }
        return networks.flatMap { path, prefix, dim, heads, axes -> [Conflict] in
            let (dimPath, headsPath, axesPath) = ("\(path).\(prefix)dim", "\(path).\(prefix)heads", "\(path).rope_axes")
            // What is not given apart has the encoder's keys.
            let paths = [dimPath, headsPath, axesPath] + (prefix.isEmpty ? [] : ["\(path).dim", "\(path).heads"])
            guard dim.isMultiple(of: heads) else {
                let message = "\(dimPath) \(dim) must be a multiple of \(headsPath) \(heads)"
                return [Conflict(paths: paths, message: message)]
            }
            var found: [Conflict] = []
            let (sum, width) = (axes.reduce(0, +), dim / heads)
            if sum != width {
                found.append(
                    Conflict(
                        paths: paths,
                        message: "\(axesPath) \(axes) sums to \(sum), but must sum to the head width "
                            + "\(dimPath) / \(headsPath) = \(dim) / \(heads) = \(width)"))
            }
            if prefix.isEmpty, !axes.allSatisfy({ $0.isMultiple(of: 2) }) {
                found.append(
                    Conflict(
                        paths: [axesPath], message: "\(axesPath) \(axes) must be even numbers: channels rotate in pairs"))
            }
            return found
        }
    }

    /// The tokenizer under a `prologue-post` has its schedule, over steps of its own.
    private func baseConflicts() -> [Conflict] {
        guard tokenizer.variant.isFrozen, tokenizer.baseSteps != nil, let base = tokenizer.base else { return [] }
        return scheduleConflicts("tokenizer", base.training, steps: "base_steps")
    }

    private func scheduleConflicts(_ stage: String, _ training: TrainingSettings, steps key: String = "steps") -> [Conflict] {
        let (path, optimizer, steps) = ("\(stage).optimizer", training.optimizer, training.steps)
        var found: [Conflict] = []
        if optimizer.warmup >= steps {
            found.append(
                Conflict(
                    paths: ["\(path).warmup", "\(stage).\(key)"],
                    message: "\(path).warmup \(optimizer.warmup) must be less than \(stage).\(key) \(steps)"))
        } else if optimizer.firstDecayStep < optimizer.warmup || optimizer.firstDecayStep > steps {
            found.append(
                Conflict(
                    paths: ["\(path).decay_start", "\(path).warmup", "\(stage).\(key)"],
                    message: "\(path).decay_start \(optimizer.firstDecayStep) must lie between \(path).warmup "
                        + "\(optimizer.warmup) and \(stage).\(key) \(steps)"))
        }
        if optimizer.endLr > optimizer.lr {
            found.append(
                Conflict(
                    paths: ["\(path).end_lr", "\(path).lr"],
                    message: "\(path).end_lr \(optimizer.endLr) must not exceed \(path).lr \(optimizer.lr)"))
        }
        return found
    }

    private func tokenConflicts() -> [Conflict] {
        var found: [Conflict] = []
        if !data.imageSize.isMultiple(of: tokenizer.patch) {
            found.append(
                Conflict(
                    paths: ["tokenizer.patch", "data.image_size"],
                    message: "tokenizer.patch \(tokenizer.patch) must divide data.image_size \(data.imageSize)"))
        }
        guard tokenizer.hasPrologue else { return found }
        if !tokenizer.eos, tokenizer.visualDropout > 0 {
            found.append(
                Conflict(
                    paths: ["tokenizer.eos", "tokenizer.visual_dropout"],
                    message: "tokenizer.eos false leaves nothing to put in the place of dropped visual tokens; set "
                        + "tokenizer.visual_dropout to 0 instead of \(tokenizer.visualDropout)"))
        }
        if tokenizer.variant.isFrozen, tokenizer.prologueEncoder == .shared {
            found.append(
                Conflict(
                    paths: ["tokenizer.prologue_encoder", "tokenizer.variant"],
                    message: "tokenizer.prologue_encoder shared is impossible in prologue-post, whose visual encoder is frozen; "
                        + "use separate"))
        }
        return found
    }

    /// Losses of whole images: a discriminator must get a logit out of an image, and LPIPS its weights.
    private func imageLossConflicts() -> [Conflict] {
        var found: [Conflict] = []
        let (gan, perceptual) = (tokenizer.gan, tokenizer.perceptual)
        // n halvings with padding leave size/2ⁿ, and two more 4×4 convolutions take one each.
        let left = data.imageSize >> gan.layers
        if gan.weight > 0, left < 3 {
            found.append(
                Conflict(
                    paths: ["tokenizer.gan.layers", "data.image_size"],
                    message: "tokenizer.gan.layers \(gan.layers) leaves nothing of images of data.image_size \(data.imageSize); "
                        + "\(data.imageSize) >> layers must be at least 3"))
        }
        if gan.weight > 0, gan.startStep >= tokenizer.training.steps {
            found.append(
                Conflict(
                    paths: ["tokenizer.gan.start_step", "tokenizer.steps"],
                    message: "tokenizer.gan.start_step \(gan.startStep) must be less than tokenizer.steps \(tokenizer.training.steps)"))
        }
        guard perceptual.weight > 0 else { return found }
        let network = "tokenizer.perceptual.network \(perceptual.network.rawValue)"
        for (isUsed, key, file) in [
            (perceptual.network.usesLPIPS, "weights", perceptual.weights),
            (perceptual.network.usesConvNeXt, "convnext_weights", perceptual.convnextWeights),
        ] where isUsed && file == nil {
            found.append(
                Conflict(
                    paths: ["tokenizer.perceptual.\(key)", "tokenizer.perceptual.network"],
                    message: "\(network) needs tokenizer.perceptual.\(key), a safetensors file"))
        }
        if perceptual.network.usesLPIPS {
            if data.imageSize < 16 {
                found.append(
                    Conflict(
                        paths: ["tokenizer.perceptual.network", "data.image_size"],
                        message: "\(network) halves images four times, and data.image_size "
                            + "\(data.imageSize) is less than 16"))
            }
        }
        return found
    }

    private func samplingConflicts() -> [Conflict] {
        var found: [Conflict] = []
        for (name, sampler) in sampling.settings.sorted(by: { $0.key < $1.key }) {
            let path = "sampling.settings.\(name)"
            let split = sampler.prologueGuidance != nil || sampler.visualGuidance != nil
            for (segment, guidance) in [("prologue", sampler.prologueGuidance), ("visual", sampler.visualGuidance)]
            where guidance?.scale == 0 {
                found.append(
                    Conflict(
                        paths: ["\(path).\(segment)_guidance.scale", "\(path).\(segment)_guidance", path],
                        message: "\(path).\(segment)_guidance.scale 0 would draw without the class; 1 is the class alone, "
                            + "without guidance, and unconditional: true draws without it throughout"))
            }
            let guided = sampler.guidance.scale > 0 || split
            if sampler.guidance.scale > 0, split {
                found.append(
                    Conflict(
                        paths: ["\(path).prologue_guidance", "\(path).visual_guidance", path],
                        message: "\(path) has guidance and split guidance; prologue_guidance and visual_guidance "
                            + "replace guidance"))
            }
            if sampler.unconditional, guided {
                found.append(
                    Conflict(
                        paths: ["\(path).unconditional", path],
                        message: "\(path) is unconditional, so there is no class for guidance to lead to"))
            }
            if sampler.unconditional || guided, prior.labelDrop == 0, !prior.unconditional {
                found.append(Conflict(paths: ["prior.label_drop", path], message: Self.untrained(path)))
            }
            if !sampler.unconditional, prior.labelDrop == 1 {
                found.append(Conflict(paths: ["prior.label_drop", path], message: Self.classless(path)))
            }
        }
        if prior.labelDrop == 1 {
            let others = [
                (resample.enabled && !resample.unconditional, "resample.unconditional"), (tuning.enabled, "tuning.enabled"),
                (!prior.snapshots.isEmpty && prior.from == nil && tokenizer.variant.joint != .prior, "prior.snapshots"),
                (semantics.enabled, "semantics.enabled"), (semantics.interventions > 0, "semantics.interventions"),
            ]
            for (isUsed, path) in others where isUsed {
                found.append(Conflict(paths: ["prior.label_drop", path], message: Self.classless(path)))
            }
        }
        if prior.prologueOrder != .forward, tokenizer.variant.joint == .prior {
            found.append(
                Conflict(
                    paths: ["prior.prologue_order", "tokenizer.variant"],
                    message: "prior.prologue_order \(prior.prologueOrder.rawValue) needs a prior of its own; "
                        + "\(tokenizer.variant.rawValue) keeps the joint AR model, which knows the encoder's order"))
        }
        if (1..<6).contains(semantics.marginalDraws) {
            found.append(
                Conflict(
                    paths: ["semantics.marginal_draws"],
                    message:
                        "semantics.marginal_draws \(semantics.marginalDraws) is too few to estimate anything from; 0 is off, else 6 or more"
                ))
        }
        if prior.labelDrop == 0, !prior.unconditional {
            // Candidates of scale 0 and 1 are drawn without guidance.
            let tunes = tuning.enabled && tuning.scales.contains { $0 != 0 && $0 != 1 }
            let others = [
                (resample.enabled && resample.unconditional, "resample.unconditional"), (tunes, "tuning.scales"),
                (!prior.snapshots.isEmpty && prior.from == nil && tokenizer.variant.joint != .prior, "prior.snapshots"),
                (semantics.enabled, "semantics.enabled"), (semantics.interventions > 0, "semantics.interventions"),
            ]
            for (isUsed, path) in others where isUsed {
                found.append(Conflict(paths: ["prior.label_drop", path], message: Self.untrained(path)))
            }
        }
        return found
    }

    /// A prior that was never told a class cannot be asked for one.
    private func unconditionalConflicts() -> [Conflict] {
        guard prior.unconditional else { return [] }
        let guided = sampling.settings.filter {
            $1.guidance.scale > 0 || $1.prologueGuidance != nil || $1.visualGuidance != nil
        }.map { "sampling.settings.\($0.key)" }.sorted()
        var used = guided.map { (path: $0, why: "guides to a class") }
        if semantics.enabled { used.append(("semantics.enabled", "studies what is drawn for a class")) }
        if tokenizer.variant.joint == .prior {
            used.append(("tokenizer.variant", "\(tokenizer.variant.rawValue) trains its prior with the tokenizer, by prior.label_drop"))
        }
        return used.map { path, why in
            Conflict(
                paths: ["prior.unconditional", path],
                message: "\(path) \(why), which a prior of prior.unconditional true has never seen")
        }
    }

    /// Further feature networks must be others, and have something to learn.
    private func scoreConflicts() -> [Conflict] {
        var found: [Conflict] = []
        let seeds = (features.network == .classifier ? [features.seed] : []) + scores.moreSeeds
        if Set(seeds).count < seeds.count {
            found.append(
                Conflict(
                    paths: ["scores.more_seeds", "features.seed"],
                    message: "scores.more_seeds \(scores.moreSeeds) must be different from one another and from features.seed "
                        + "\(features.seed), whose network is compared in anyway"))
        }
        if features.network == .inception, features.weights == nil {
            found.append(
                Conflict(
                    paths: ["features.weights", "features.network"],
                    message:
                        "features.network inception needs features.weights, a safetensors file of pt_inception-2015-12-05 under pytorch-fid's names"
                ))
        }
        if features.network != .inception, scores.reference != nil {
            found.append(
                Conflict(
                    paths: ["scores.reference", "features.network"],
                    message: "scores.reference has statistics of Inception's features; it needs features.network: inception"))
        }
        if scores.factorNetwork, data.set != .shapes {
            found.append(
                Conflict(
                    paths: ["scores.factor_network", "data.set"],
                    message: "scores.factor_network needs recorded factors, which data.set \(data.set.rawValue) does not have; use shapes"))
        }
        return found
    }

    private static func untrained(_ path: String) -> String {
        "\(path) needs the unconditional label, which is never trained with prior.label_drop 0"
    }

    private static func classless(_ path: String) -> String {
        "\(path) draws with the class, which is never trained with prior.label_drop 1; unconditional: true draws without it"
    }
}
