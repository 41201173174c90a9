import Accelerators
import Models
import PJRT
import Settings
import TensorCore

/// Draws token sequences on a device, as `Sampler` does here.
final class DeviceSampler {
    private let prior: DeviceSequences
    private let settings: SamplerSettings
    private let count: Int
    /// By whether tokens are given.
    private var programs: [Bool: (sampling: SamplingProgram, compiled: CompiledProgram)] = [:]

    /// - Parameter count: sequences drawn together.
    init(_ prior: DeviceSequences, _ settings: SamplerSettings, count: Int) {
        (self.prior, self.settings, self.count) = (prior, settings, count)
    }

    /// One sequence per label → ids [labels.count, T]; sequence i draws from the stream of its number `first + i`. What is not
    /// negative in `given`, [labels.count, T], is taken instead of drawn.
    func sample(labels: [Int32], seed: Int, first: Int, given: TokenTensor?) throws -> TokenTensor {
        let (accelerator, length) = (prior.accelerator, prior.config.layout.length)
        let (sampling, program) = try program(given: given != nil)
        var ids: [Int32] = []
        for lower in stride(from: 0, to: labels.count, by: count) {
            // The last rows of a batch that is not full are drawn and left.
            let range = lower..<min(labels.count, lower + count)
            let streams = sampling.streams(seed: seed, first: first + lower)
            let asked = TokenTensor(Array(labels[range]), shape: [range.count])
            var inputs = [
                "labels": try accelerator.copy(asked.rows(paddedTo: count)),
                "scales": try accelerator.copy(sampling.scales), "temperatures": try accelerator.copy(sampling.temperatures),
                "sampler/key": try accelerator.copy(words: streams.key), "sampler/steps": try accelerator.copy(words: streams.steps),
            ]
            if let given {
                let rows = TokenTensor(
                    Array(given.ids[range.lowerBound * length..<range.upperBound * length]), shape: [range.count, length])
                inputs["given"] = try accelerator.copy(rows.rows(paddedTo: count))
            }
            ids += try prior.run(program, inputs).tokens("ids").ids.prefix(range.count * length)
        }
        return TokenTensor(ids, shape: [labels.count, length])
    }

    private func program(given: Bool) throws -> (SamplingProgram, CompiledProgram) {
        if let made = programs[given] { return made }
        let sampling = SamplingProgram(prior.config, settings, count: count, given: given)
        let made = (sampling: sampling, compiled: try prior.accelerator.compile(sampling.traced))
        programs[given] = made
        return made
    }
}
