import TensorCore

/// The terms of step A that compare whole images: a discriminator's, and a perceptual one.
public struct ImageLosses {
    public let adversary: Adversary?
    public let perceptual: (loss: PerceptualLoss, weight: Double)?

    /// Nil if there is neither.
    public init?(adversary: Adversary?, perceptual: (loss: PerceptualLoss, weight: Double)?) {
        if adversary == nil && perceptual == nil { return nil }
        self.adversary = adversary
        self.perceptual = perceptual
    }

    /// The terms of a batch, scalars on the tape, and the images they are of.
    public struct Terms {
        /// [B, H, W, C] in [−1, 1], off the tape.
        public let real, rebuilt: Tensor
        /// Nil where there is no such term, or not yet.
        public let generator, perceptual: Tensor?
        /// Their weighted sum; nil where there is none of them.
        public let total: Tensor?
    }

    /// - Parameter patches: real and rebuilt, [B, N, p·p·C].
    func callAsFunction(real: Tensor, rebuilt: Tensor, _ config: TokenizerConfig, step: Int) -> Terms {
        func images(_ patches: Tensor) -> Tensor {
            imagesFromPatches(patches, rows: config.grid, columns: config.grid, patch: config.patch)
        }
        let (original, copy) = (images(real.detached()), images(rebuilt))
        let active = adversary.flatMap { $0.isActive(at: step) ? $0 : nil }
        let generator = active?.generatorLoss(copy)
        let distance = perceptual?.loss(rebuilt: copy, real: original)
        let weighted = [
            generator.map { Float(active?.settings.weight ?? 0) * $0 }, distance.map { Float(perceptual?.weight ?? 0) * $0 },
        ].compactMap { $0 }
        return Terms(
            real: original, rebuilt: copy.detached(), generator: generator, perceptual: distance,
            total: weighted.isEmpty ? nil : weighted.dropFirst().reduce(weighted[0], +))
    }
}
