import Files

/// Rules between settings, checked once a run's settings are complete.
extension RunSettings {
    /// A rule that is broken: the setting to look at first, and what is wrong.
    public struct Conflict: Sendable, Equatable {
        public let path: String
        public let message: String
    }

    /// All broken rules; empty when the settings can be run.
    public func conflicts() -> [Conflict] {
        var found: [Conflict] = []
        func require(_ holds: Bool, _ path: String, _ message: @autoclosure () -> String) {
            if !holds { found.append(Conflict(path: path, message: message())) }
        }
        func requireHeads(_ path: String, prefix: String = "", dim: Int, heads: Int, axes: [Int], axesPath: String) {
            let width = "\(path).\(prefix)dim \(dim) / \(path).\(prefix)heads \(heads)"
            guard dim.isMultiple(of: heads) else {
                return require(false, "\(path).\(prefix)dim", "\(width) is not a whole head width")
            }
            require(
                axes.reduce(0, +) == dim / heads, axesPath,
                "\(axesPath) \(axes) sums to \(axes.reduce(0, +)), but must sum to the head width \(width) = \(dim / heads)")
        }
        func requireSchedule(_ path: String, _ optimizer: OptimizerSettings, steps: Int) {
            require(
                optimizer.warmup < steps, "\(path).optimizer.warmup",
                "\(path).optimizer.warmup \(optimizer.warmup) must be less than \(path).steps \(steps)")
            require(
                optimizer.firstDecayStep >= optimizer.warmup && optimizer.firstDecayStep <= steps,
                "\(path).optimizer.decay_start",
                "\(path).optimizer.decay_start \(optimizer.firstDecayStep) must lie between the end of the warm-up "
                    + "(\(optimizer.warmup)) and \(path).steps \(steps)")
            require(
                optimizer.endLr <= optimizer.lr, "\(path).optimizer.end_lr",
                "\(path).optimizer.end_lr \(optimizer.endLr) must not exceed \(path).optimizer.lr \(optimizer.lr)")
        }
        let axes = "tokenizer.rope_axes"
        for (path, values) in [
            (axes, tokenizer.ropeAxes), ("tokenizer.joint_ar.rope_axes", tokenizer.jointAr.ropeAxes),
            ("prior.rope_axes", prior.ropeAxes),
        ] {
            require(values.allSatisfy { $0.isMultiple(of: 2) }, path, "\(path) \(values) must be even: channels rotate in pairs")
        }
        requireHeads("tokenizer", dim: tokenizer.dim, heads: tokenizer.heads, axes: tokenizer.ropeAxes, axesPath: axes)
        let decoder = tokenizer.decoderSize
        if decoder.dim != tokenizer.dim || decoder.heads != tokenizer.heads {
            requireHeads(
                "tokenizer", prefix: "decoder_", dim: decoder.dim, heads: decoder.heads, axes: tokenizer.ropeAxes,
                axesPath: axes)
        }
        let joint = tokenizer.jointAr
        requireHeads(
            "tokenizer.joint_ar", dim: joint.dim, heads: joint.heads, axes: joint.ropeAxes,
            axesPath: "tokenizer.joint_ar.rope_axes")
        requireHeads("prior", dim: prior.dim, heads: prior.heads, axes: prior.ropeAxes, axesPath: "prior.rope_axes")

        require(
            data.imageSize.isMultiple(of: tokenizer.patch), "tokenizer.patch",
            "tokenizer.patch \(tokenizer.patch) must divide data.image_size \(data.imageSize)")
        require(
            tokenizer.variant != .prologue || tokenizer.prologueTokens >= 1, "tokenizer.prologue_tokens",
            "tokenizer.prologue_tokens must be at least 1 for variant prologue; without any, use baseline-2d")
        requireSchedule("tokenizer", tokenizer.optimizer, steps: tokenizer.steps)
        requireSchedule("prior", prior.optimizer, steps: prior.steps)
        for (name, sampler) in sampling.settings.sorted(by: { $0.key < $1.key }) {
            let path = "sampling.settings.\(name)"
            let split = sampler.prologueGuidance != nil || sampler.visualGuidance != nil
            let guided = sampler.guidance.scale > 0 || split
            require(
                !(sampler.guidance.scale > 0 && split), "\(path).guidance.scale",
                "\(path) has both guidance and split guidance; prologue_guidance and visual_guidance replace guidance")
            require(
                !(sampler.unconditional && guided), "\(path).unconditional",
                "\(path) is unconditional, so there is no class for guidance to lead to")
            require(
                !(sampler.unconditional || guided) || prior.labelDrop > 0, "prior.label_drop",
                "\(path) needs the unconditional label, which prior.label_drop 0 never trains")
        }
        require(
            !(resample.enabled && resample.unconditional) || prior.labelDrop > 0, "prior.label_drop",
            "resample.unconditional needs the unconditional label, which prior.label_drop 0 never trains")
        return found
    }
}
