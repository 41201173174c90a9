import Accelerators
import Models
import PJRT
import Settings
import TensorCore

/// Draws token sequences on a device, as `Sampler` does here; numbers are float32.
struct DeviceSampler {
    private let accelerator: Accelerator
    private let sampling: SamplingProgram
    private let program: CompiledProgram
    private let state: DeviceState
    private let length: Int

    /// - Parameter count: sequences drawn together.
    init(_ accelerator: Accelerator, _ model: ARModel, _ settings: SamplerSettings, count: Int) throws {
        self.accelerator = accelerator
        sampling = SamplingProgram(model.config, settings, count: count)
        program = try accelerator.compile(sampling.traced)
        state = try DeviceState(model.parameters.map { ("prior/value/\($0.name)", $0.value) }, on: accelerator)
        length = model.config.layout.length
    }

    /// One sequence per label → ids [labels.count, T]; sequence i draws from the stream of its number `first + i`.
    func sample(labels: [Int32], seed: Int, first: Int) throws -> TokenTensor {
        var ids: [Int32] = []
        for lower in stride(from: 0, to: labels.count, by: sampling.count) {
            // The last rows of a batch that is not full are drawn and left.
            let asked = labels[lower..<min(labels.count, lower + sampling.count)]
            let padded = Array(asked) + [Int32](repeating: 0, count: sampling.count - asked.count)
            let streams = sampling.streams(seed: seed, first: first + lower)
            let inputs = [
                "labels": try accelerator.copy(TokenTensor(padded, shape: [padded.count])),
                "scales": try accelerator.copy(sampling.scales), "temperatures": try accelerator.copy(sampling.temperatures),
                "sampler/key": try accelerator.copy(words: streams.key), "sampler/steps": try accelerator.copy(words: streams.steps),
            ]
            ids += try state.run(program, inputs).tokens("ids").ids.prefix(asked.count * length)
        }
        return TokenTensor(ids, shape: [labels.count, length])
    }
}
