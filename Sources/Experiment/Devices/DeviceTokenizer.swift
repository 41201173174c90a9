import Accelerators
import Models
import NN
import PJRT
import Settings
import TensorCore

/// A tokenizer's training on devices that share each batch: parameters, moments and averages of both steps stay there until they are brought back.
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
    private let state: DeviceState

    /// - Parameter update: of `networks`.
    init(_ accelerator: Accelerator, _ networks: TokenizerNetworks, _ update: TokenizerUpdate, batch: Int) throws {
        try accelerator.share(of: batch, microBatch: update.microBatch, "tokenizer")
        (self.accelerator, self.networks, self.update, self.batch) = (accelerator, networks, update, batch)
        state = DeviceState(update.tracedState + update.tracedConstants, on: accelerator)
    }

    /// One pair of updates; its report where it is logged, where `reads` says so and where codes may begin anew: a report waits for
    /// the device.
    func step(_ given: TokenizerBatch, logs: Bool, reads: Bool) throws -> TokenizerReport? {
        let program = try program(for: given, logs: logs)
        let values = try state.run(program, inputs(given))
        return reads || logs || networks.restartsCodes ? try report(of: values, logs: logs) : nil
    }

    /// Gives the tensors of the networks and optimisers the values that they have on the device.
    func bringBack() throws { try state.bringBack() }

    private func program(for given: TokenizerBatch, logs: Bool) throws -> CompiledProgram {
        let key = ProgramKey(kind: update.kind(of: given.step), logs: logs)
        if let program = programs[key] { return program }
        var inputs = TokenizerUpdate.TracedInputs()
        inputs.labels = given.labels != nil
        inputs.visualDropped = given.visualDropped != nil
        (inputs.visualNoise, inputs.prologueNoise) = (given.noise.visual != nil, networks.config.layout.prologueTokens > 0)
        var extras: TokenizerUpdate.TracedExtras = networks.restartsCodes ? .points : []
        if logs { extras.insert(.entropies) }
        let program = try accelerator.compile(
            update.traced(batch: batch, given: inputs, extras: extras, step: given.step, replicas: accelerator.replicas))
        programs[key] = program
        return program
    }

    private func inputs(_ given: TokenizerBatch) throws -> ProgramInputs {
        var inputs = ProgramInputs(accelerator)
        try inputs.share("patches", given.patches)
        for (name, numbers) in update.tracedNumbers(rate: given.rate, adversaryRate: given.adversaryRate, step: given.step) {
            try inputs.repeat(name, numbers)
        }
        if let labels = given.labels { try inputs.share("labels", labels) }
        if let dropped = given.visualDropped { try inputs.share("visual_dropped", dropped) }
        if let noise = given.noise.visual { try inputs.repeat("visual_noise", noise) }
        try inputs.repeat("prologue_noise", given.noise.prologue)
        return inputs
    }

    private static let scalars = ["loss", "l1", "l2", "quantizer", "gradient_norm", "ce_visual", "ce_joint", "ce_prologue", "ce_eos"]
    private static let ofImages = ["perceptual", "gan_generator", "gan_discriminator", "gan_real", "gan_rebuilt"]
    private static let entropies = ["visual", "prologue"].flatMap { ["\($0)_entropy", "\($0)_batch_entropy"] }

    private func report(of shares: [ProgramValues], logs: Bool) throws -> TokenizerReport {
        // Every device has the batch's losses, and its own rows of codes.
        let (layout, values, indices) = (networks.config.layout, shares[0], try shares.tokenRows("indices"))
        let halves =
            [("visual", layout.visualHalf(of: indices))]
            + (layout.prologueTokens > 0 ? [("prologue", layout.prologueHalf(of: indices))] : [])
        return TokenizerReport(
            losses: try [("tokenizer", "loss"), ("discriminator", "gan_discriminator")].filter { values.buffers[$0.1] != nil }
                .map { ($0, try values.tensor($1).scalar) },
            codes: halves.map { name, indices in
                TokenizerReport.Codes(name: name, indices: indices) {
                    // Codes begin anew in the tensors here, which the next step takes to the device.
                    try self.state.takeBack()
                    return try shares.rows("\(name)_points")
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
