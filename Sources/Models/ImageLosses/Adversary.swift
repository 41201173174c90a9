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
    public let lecam = LeCamRegularization()

    /// - Parameter optimizer: of the discriminator's parameters.
    public init(_ discriminator: PatchDiscriminator, _ settings: AdversarySettings, optimizer: AdamW) {
        self.discriminator = discriminator
        self.settings = settings
        self.optimizer = optimizer
    }

    /// What must be saved, beside the optimiser's state, to resume exactly: running moments, LeCam averages.
    public var state: [(name: String, tensor: Tensor)] {
        discriminator.buffers.map { ($0.name, $0.value) } + [("lecam", lecam.averages)]
    }

    public func isActive(at step: Int) -> Bool { step >= settings.startStep }

    /// The generator's loss of rebuilt images [B, H, W, C], without its weight, on their tape.
    public func generatorLoss(_ rebuilt: Tensor) -> Tensor {
        settings.loss.generator(rebuilt: discriminator(rebuilt, .batch))
    }

    /// Step B: one update of the discriminator at learning rate `rate`; R1 is a term of every `r1_every`th step.
    public func update(real: Tensor, rebuilt: Tensor, rate: Double, step: Int = 0) -> Report {
        let tape = Tape(differentiating: discriminator.parameters)
        let (d, dRebuilt) = (
            discriminator(real.detached(), .observed, on: tape), discriminator(rebuilt.detached(), .observed, on: tape)
        )
        var loss = settings.loss.discriminator(real: d, rebuilt: dRebuilt)
        if settings.lecam > 0 {
            loss = loss + Float(settings.lecam) * lecam(real: d, rebuilt: dRebuilt)
            lecam.observe(real: d, rebuilt: dRebuilt)
        }
        let reported = loss.scalar
        if settings.r1 > 0, step.isMultiple(of: settings.r1Every) {
            loss = loss + Float(settings.r1) * gradientPenalty(discriminator, real: real, on: tape)
        }
        tape.backward(from: loss)
        optimizer.step(tape, rate: rate)
        return Report(loss: reported, real: mean(d.detached()).scalar, rebuilt: mean(dRebuilt.detached()).scalar)
    }
}
