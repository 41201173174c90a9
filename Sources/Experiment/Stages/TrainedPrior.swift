import Accelerators
import Models
import Settings
import TensorCore

/// An AR model with trained weights at work: draws sequences and says what they cost, on this program's own kernels or on a device.
package final class TrainedPrior {
    package let model: ARModel
    private let device: DeviceSequences?
    /// What records say of the device; nil: this program's own kernels.
    let deviceName: String?

    package init(_ model: ARModel, on accelerator: Accelerator? = nil) throws {
        (self.model, deviceName) = (model, accelerator?.description)
        device = try accelerator.map { try DeviceSequences($0, model) }
    }

    var unconditionalLabel: Int32 { model.unconditionalLabel }

    /// What draws sequences as `settings` say.
    ///
    /// - Parameter batch: sequences that a device draws together; no result depends on it.
    func sampler(_ settings: SamplerSettings, batch: Int) -> SequenceSampler {
        guard let device else { return SequenceSampler(place: .here(Sampler(model, settings))) }
        return SequenceSampler(place: .there(DeviceSampler(device, settings, count: batch)))
    }

    /// Cross-entropy of targets [B, T] for labels [B], in nats, [B, T].
    func crossEntropy(targets: TokenTensor, labels: TokenTensor) throws -> Tensor {
        try device?.crossEntropy(targets: targets, labels: labels)
            ?? model.crossEntropy(ARInput(targets: targets, labels: labels), on: nil)
    }

    /// Where targets [B, T] are looked at from, averaged over the batch: [layers, heads, T, T].
    func attentionMaps(targets: TokenTensor, labels: TokenTensor) throws -> Tensor {
        try device?.attentionMaps(targets: targets, labels: labels) ?? model.attentionMaps(ARInput(targets: targets, labels: labels))
    }
}

/// Draws sequences in one way, here or on a device.
struct SequenceSampler {
    fileprivate enum Place {
        case here(Sampler)
        case there(DeviceSampler)
    }

    fileprivate let place: Place

    /// One sequence per label → ids [labels.count, T] in the AR vocabulary; sequence i draws from the stream of its number
    /// `first + i`. What is not negative in `given`, [labels.count, T], is taken instead of drawn.
    func sample(labels: [Int32], seed: Int, first: Int = 0, given: TokenTensor? = nil) throws -> TokenTensor {
        switch place {
        case .here(let sampler): sampler.sample(labels: labels, seed: seed, first: first, given: given)
        case .there(let sampler): try sampler.sample(labels: labels, seed: seed, first: first, given: given)
        }
    }
}
