import Settings

/// What one step of training costs, for each image or sequence of its batch, and what is held whatever the batch.
public struct TrainingCost: Equatable, Sendable {
    /// FLOPs for one image or sequence.
    public var flops = 0.0
    /// Numbers held at most for one image or sequence, between forward and backward pass.
    public var kept = 0.0
    /// Numbers in the parameters of the networks.
    public var parameters = 0
    /// How many of them are trained.
    public var trained = 0
    /// Numbers that trained parameters have beside their values: two moments, and an average where one is kept.
    public var state = 0

    public init(flops: Double = 0, kept: Double = 0, parameters: Int = 0, trained: Int = 0, state: Int = 0) {
        (self.flops, self.kept) = (flops, kept)
        (self.parameters, self.trained, self.state) = (parameters, trained, state)
    }

    /// float32 bytes held at once at most in a step with `batch` images or sequences. The activations go while the
    /// gradients come, so that there is room for one in the place of the other.
    public func memory(batch: Int) -> Double {
        4 * (Double(parameters + state) + max(kept * Double(batch), Double(trained)))
    }

    /// Bytes of a checkpoint: values, moments, averages of what is trained.
    public var checkpoint: Double { 4 * Double(trained + state) }
}

extension ARConfig {
    /// A step of stage 3.
    public var trainingCost: TrainingCost {
        let cost = self.cost
        return TrainingCost(
            flops: cost.training, kept: cost.kept + logits, parameters: cost.parameters, trained: cost.parameters,
            state: 3 * cost.parameters)
    }
}

/// What of images a tokenizer is trained with, as `ImageLosses` has it.
public struct ImageLossCost: Equatable, Sendable {
    /// The discriminator through which gradients pass to the image, and the one that is trained on images.
    public var generator, discriminator: ModelCost?
    /// The network of a perceptual loss.
    public var perceptual: ModelCost?
    /// Share of the steps that have R1.
    public var penalized = 0.0

    public init(generator: ModelCost? = nil, discriminator: ModelCost? = nil, perceptual: ModelCost? = nil) {
        (self.generator, self.discriminator, self.perceptual) = (generator, discriminator, perceptual)
    }

    var isEmpty: Bool { discriminator == nil && perceptual == nil }
}

extension TokenizerConfig {
    /// Steps A and B, as `TokenizerUpdate` does them.
    ///
    /// - Parameters:
    ///   - isFrozen: the prologue alone is trained (`prologue-post`).
    ///   - joint: the AR model that is trained beside the tokenizer.
    public func trainingCost(
        weights: TokenizerLossSettings, isFrozen: Bool, joint: ARConfig?, imageLosses: ImageLossCost
    ) -> TrainingCost {
        let own = cost(isFrozen: isFrozen)
        var total = TrainingCost()
        total.parameters = own.parameters
        total.trained = isFrozen ? own.prologue.parameters : own.parameters
        total.state = 3 * total.trained
        total.flops = (isFrozen ? own.encoder.forward : own.encoder.training) + own.prologue.training
        total.kept = (isFrozen ? 0 : own.encoder.kept) + own.prologue.kept
        if weights.l1 != 0 || weights.l2 != 0 || !imageLosses.isEmpty {
            total.flops += own.decoder.training
            total.kept += own.decoder.kept
        }
        if let joint { add(joint, weights, to: &total) }
        add(imageLosses, to: &total)
        return total
    }

    private func add(_ joint: ARConfig, _ weights: TokenizerLossSettings, to total: inout TrainingCost) {
        let cost = joint.cost
        let path =
            couplingTemperature != nil
            ? joint.pathGradient(codes: settings.codebook, tokens: visualTokens - 1)
            : joint.pathGradient(codes: prologueCodebook, tokens: prologueTokens)
        // One pass gives the gradients of both steps, or each has its own.
        let isShared = weights.sharedCrossEntropy(in: layout) != nil
        total.flops += path + cost.training + (isShared ? 0 : cost.passing)
        total.kept += cost.kept + joint.logits
        total.parameters += cost.parameters
        total.trained += cost.parameters
        total.state += 3 * cost.parameters
    }

    private func add(_ losses: ImageLossCost, to total: inout TrainingCost) {
        if let perceptual = losses.perceptual {
            // Original and copy; gradients of the copy.
            total.flops += perceptual.forward + perceptual.passing
            total.kept += perceptual.kept
            total.parameters += perceptual.parameters
        }
        if let generator = losses.generator, let discriminator = losses.discriminator {
            // Step A passes through it; step B trains it on originals and copies.
            total.flops += generator.passing + 2 * discriminator.training
            total.kept += generator.kept
            total.kept = max(total.kept, (losses.penalized > 0 ? 4 : 2) * discriminator.kept)
            // R1: the gradient of the originals; logits with their derivative, both played back.
            total.flops += losses.penalized * (generator.passing + 2 * discriminator.training)
            total.parameters += discriminator.parameters
            total.trained += discriminator.parameters
            total.state += 2 * discriminator.parameters
        }
    }
}

extension TokenizerLossSettings {
    /// The one weight that all cross-entropy terms of step A have, if they share one and it is not 0.
    ///
    /// Then step A's cross-entropy is step B's loss times that weight, at the same parameters and the same tokens, and
    /// one pass through the AR model gives the gradients of both.
    package func sharedCrossEntropy(in layout: SequenceLayout) -> Double? {
        let isShared = !layout.hasPrologue || cePrologue == ceVisual
        return isShared && ceVisual > 0 ? ceVisual : nil
    }
}
