import NN
import Settings
import TensorCore

/// A discriminator and what trains it. Step A takes the generator's loss from it, through it and never to it; step B trains
/// it on the images that step A has made.
public struct Adversary {
    /// What step B saw.
    public struct Report {
        /// Without R1, which few steps have.
        public let loss: Float
        /// Mean logit of real and of rebuilt images.
        public let real, rebuilt: Float
    }

    public let settings: AdversarySettings
    public let discriminator: PatchDiscriminator
    public let optimizer: AdamW
    public let lecam: LeCamRegularization

    /// - Parameter optimizer: of the discriminator's parameters.
    public init(
        _ discriminator: PatchDiscriminator, _ settings: AdversarySettings, optimizer: AdamW,
        lecam: LeCamRegularization = LeCamRegularization()
    ) {
        self.discriminator = discriminator
        self.settings = settings
        self.optimizer = optimizer
        self.lecam = lecam
    }

    /// What must be saved, beside the optimiser's state, to resume exactly: running moments, LeCam averages.
    public var state: [(name: String, tensor: Tensor)] {
        discriminator.buffers.map { ($0.name, $0.value) } + [(lecam.averages.name, lecam.averages.value)]
    }

    public func isActive(at step: Int) -> Bool { step >= settings.startStep }

    /// Whether R1 is a term of this step.
    public func isPenalized(at step: Int) -> Bool { settings.r1 > 0 && step.isMultiple(of: settings.r1Every) }

    /// The generator's loss of rebuilt images [B, H, W, C], without its weight, on their tape.
    public func generatorLoss(_ rebuilt: Tensor) -> Tensor {
        settings.loss.generator(rebuilt: discriminator(rebuilt, .batch))
    }

    /// Step B: one update of the discriminator at learning rate `rate`; R1 is a term of every `r1_every`th step.
    public func update(real: Tensor, rebuilt: Tensor, rate: Double, step: Int = 0) -> Report {
        let b = stepB(real: real, rebuilt: rebuilt, step: step)
        optimizer.step(b.tape, rate: rate)
        return Report(loss: b.loss.scalar, real: b.real.scalar, rebuilt: b.rebuilt.scalar)
    }

    /// Step B before its update.
    struct StepB {
        /// With the gradients of the discriminator's parameters.
        let tape: Tape
        /// As in `Report`, [1] each.
        let loss, real, rebuilt: Tensor
    }

    /// Gradients of step B; running moments and averages have taken in what it has seen.
    func stepB(real: Tensor, rebuilt: Tensor, step: Int) -> StepB {
        let tape = Tape(differentiating: discriminator.parameters)
        let (d, dRebuilt) = (
            discriminator(real.detached(), .observed, on: tape), discriminator(rebuilt.detached(), .observed, on: tape)
        )
        var loss = settings.loss.discriminator(real: d, rebuilt: dRebuilt)
        if settings.lecam > 0 {
            loss = loss + Float(settings.lecam) * lecam(real: d, rebuilt: dRebuilt)
            lecam.observe(real: d, rebuilt: dRebuilt)
        }
        let reported = loss.detached()
        if isPenalized(at: step) {
            loss = loss + Float(settings.r1) * gradientPenalty(discriminator, real: real, on: tape)
        }
        tape.backward(from: loss)
        return StepB(tape: tape, loss: reported, real: mean(d.detached()), rebuilt: mean(dRebuilt.detached()))
    }
}
