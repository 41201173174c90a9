import Accelerators
import Models
import NN
import PJRT
import Settings
import TensorCore

/// A tokenizer's training on a device: parameters, moments and averages of both steps stay there until they are brought back.
final class DeviceTokenizer {
    private let accelerator: Accelerator
    private let networks: TokenizerNetworks
    private let update: TokenizerUpdate
    private let batch: Int
    /// Of a kind of step, with entropies where steps are logged.
    private struct ProgramKey: Hashable {
        let kind: TokenizerUpdate.StepKind
        let logs: Bool
    }
    private var programs: [ProgramKey: CompiledProgram] = [:]
    private var state: DeviceState?
    /// What no step changes.
    private var constants: [String: Buffer] = [:]

    /// - Parameter update: of `networks`.
    init(_ accelerator: Accelerator, _ networks: TokenizerNetworks, _ update: TokenizerUpdate, batch: Int) {
        (self.accelerator, self.networks, self.update, self.batch) = (accelerator, networks, update, batch)
    }

    /// One pair of updates; its report where it is logged, where `reads` says so and where codes may begin anew: a report waits for
    /// the device.
    func step(_ given: TokenizerBatch, logs: Bool, reads: Bool) throws -> TokenizerReport? {
        let program = try program(for: given, logs: logs)
        // Not before the first step: until then a checkpoint may come into the optimisers.
        let state = try state ?? DeviceState(update.tracedState, on: accelerator)
        self.state = state
        if constants.isEmpty {
            for (name, tensor) in update.tracedConstants { constants[name] = try accelerator.copy(tensor) }
        }
        let values = try state.run(program, inputs(given).merging(constants) { $1 })
        return reads || logs || networks.restartsCodes ? try report(of: values, logs: logs) : nil
    }

    /// Gives the tensors of the networks and optimisers the values that they have on the device.
    func bringBack() throws { try state?.bringBack() }

    private func program(for given: TokenizerBatch, logs: Bool) throws -> CompiledProgram {
        let key = ProgramKey(kind: update.kind(of: given.step), logs: logs)
        if let program = programs[key] { return program }
        var inputs = TokenizerUpdate.TracedInputs()
        inputs.labels = given.labels != nil
        inputs.visualDropped = given.visualDropped != nil
        (inputs.visualNoise, inputs.prologueNoise) = (given.noise.visual != nil, networks.config.layout.prologueTokens > 0)
        var extras: TokenizerUpdate.TracedExtras = networks.restartsCodes ? .points : []
        if logs { extras.insert(.entropies) }
        let program = try accelerator.compile(update.traced(batch: batch, given: inputs, extras: extras, step: given.step))
        programs[key] = program
        return program
    }

    private func inputs(_ given: TokenizerBatch) throws -> [String: Buffer] {
        var inputs = ["patches": try accelerator.copy(given.patches)]
        for (name, numbers) in update.tracedNumbers(rate: given.rate, adversaryRate: given.adversaryRate, step: given.step) {
            inputs[name] = try accelerator.copy(numbers)
        }
        if let labels = given.labels { inputs["labels"] = try accelerator.copy(labels) }
        if let dropped = given.visualDropped { inputs["visual_dropped"] = try accelerator.copy(dropped) }
        if let noise = given.noise.visual { inputs["visual_noise"] = try accelerator.copy(noise) }
        inputs["prologue_noise"] = try accelerator.copy(given.noise.prologue)
        return inputs
    }

    private static let scalars = ["loss", "l1", "l2", "quantizer", "gradient_norm", "ce_visual", "ce_joint", "ce_prologue", "ce_eos"]
    private static let ofImages = ["perceptual", "gan_generator", "gan_discriminator", "gan_real", "gan_rebuilt"]
    private static let entropies = ["visual", "prologue"].flatMap { ["\($0)_entropy", "\($0)_batch_entropy"] }

    private func report(of values: ProgramValues, logs: Bool) throws -> TokenizerReport {
        let (layout, indices) = (networks.config.layout, try values.tokens("indices"))
        let halves =
            [("visual", layout.visualHalf(of: indices))]
            + (layout.prologueTokens > 0 ? [("prologue", layout.prologueHalf(of: indices))] : [])
        return TokenizerReport(
            losses: try [("tokenizer", "loss"), ("discriminator", "gan_discriminator")].filter { values.buffers[$0.1] != nil }
                .map { ($0, try values.tensor($1).scalar) },
            codes: halves.map { name, indices in
                TokenizerReport.Codes(name: name, indices: indices) {
                    // Codes begin anew in the tensors here, from which the next step takes all anew.
                    try self.bringBack()
                    self.state = nil
                    return try values.tensor("\(name)_points")
                }
            },
            values: {
                let names = (Self.scalars + Self.ofImages + Self.entropies).filter { values.buffers[$0] != nil }
                var numbers = Dictionary(uniqueKeysWithValues: try names.map { ($0, try values.tensor($0).scalar) })
                // Without a prologue there is none whose tokens could cost anything.
                if layout.prologueTokens == 0 { for name in ["ce_prologue", "ce_eos"] { numbers[name] = nil } }
                return numbers
            })
    }
}
