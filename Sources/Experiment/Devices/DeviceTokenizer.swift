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
    /// By whether they compute entropies too, which are wanted where steps are logged.
    private var programs: [Bool: CompiledProgram] = [:]
    private var state: DeviceState?

    /// - Parameter update: of `networks`, without losses of whole images.
    init(_ accelerator: Accelerator, _ networks: TokenizerNetworks, _ update: TokenizerUpdate, batch: Int) {
        (self.accelerator, self.networks, self.update, self.batch) = (accelerator, networks, update, batch)
    }

    /// One pair of updates; its report where it is logged, where `reads` says so and where codes may begin anew: a report waits for
    /// the device.
    func step(_ given: TokenizerBatch, logs: Bool, reads: Bool) throws -> TokenizerReport? {
        let program = try program(for: given, logs: logs)
        // Not before the first step: until then a checkpoint may come into the optimisers.
        let state = try state ?? DeviceState(tensors, on: accelerator)
        self.state = state
        let values = try state.run(program, inputs(given))
        return reads || logs || networks.restartsCodes ? try report(of: values, logs: logs) : nil
    }

    /// Gives the tensors of the networks and optimisers the values that they have on the device.
    func bringBack() throws { try state?.bringBack() }

    private func program(for given: TokenizerBatch, logs: Bool) throws -> CompiledProgram {
        if let program = programs[logs] { return program }
        var inputs = TokenizerUpdate.TracedInputs()
        inputs.labels = given.labels != nil
        inputs.visualDropped = given.visualDropped != nil
        (inputs.visualNoise, inputs.prologueNoise) = (given.noise.visual != nil, networks.config.layout.prologueTokens > 0)
        var extras: TokenizerUpdate.TracedExtras = networks.restartsCodes ? .points : []
        if logs { extras.insert(.entropies) }
        let program = try accelerator.compile(update.traced(batch: batch, given: inputs, extras: extras))
        programs[logs] = program
        return program
    }

    private var tensors: [(name: String, tensor: Tensor)] {
        let trained = update.autoencoder.state.map { ("autoencoder/\($0.name)", $0.tensor) }
        let names = Set(trained.map(\.0))
        let frozen = networks.tokenizer.parameters.map { ("autoencoder/value/\($0.name)", $0.value) }.filter { !names.contains($0.0) }
        return trained + frozen + (update.joint?.optimizer.state.map { ("joint/\($0.name)", $0.tensor) } ?? [])
    }

    private func inputs(_ given: TokenizerBatch) throws -> [String: Buffer] {
        var inputs = [
            "patches": try accelerator.copy(given.patches),
            "autoencoder/numbers": try accelerator.copy(update.autoencoder.numbers(rate: given.rate)),
        ]
        if let joint = update.joint { inputs["joint/numbers"] = try accelerator.copy(joint.optimizer.numbers(rate: given.rate)) }
        if let labels = given.labels { inputs["labels"] = try accelerator.copy(labels) }
        if let dropped = given.visualDropped { inputs["visual_dropped"] = try accelerator.copy(dropped) }
        if let noise = given.noise.visual { inputs["visual_noise"] = try accelerator.copy(noise) }
        inputs["prologue_noise"] = try accelerator.copy(given.noise.prologue)
        return inputs
    }

    private static let scalars = ["loss", "l1", "l2", "quantizer", "gradient_norm", "ce_visual", "ce_joint", "ce_prologue", "ce_eos"]
    private static let entropies = ["visual", "prologue"].flatMap { ["\($0)_entropy", "\($0)_batch_entropy"] }

    private func report(of values: ProgramValues, logs: Bool) throws -> TokenizerReport {
        let (layout, indices) = (networks.config.layout, try values.tokens("indices"))
        let halves =
            [("visual", layout.visualHalf(of: indices))]
            + (layout.prologueTokens > 0 ? [("prologue", layout.prologueHalf(of: indices))] : [])
        return TokenizerReport(
            losses: [("tokenizer", try values.tensor("loss").scalar)],
            codes: halves.map { name, indices in
                TokenizerReport.Codes(name: name, indices: indices) {
                    // Codes begin anew in the tensors here, from which the next step takes all anew.
                    try self.bringBack()
                    self.state = nil
                    return try values.tensor("\(name)_points")
                }
            },
            values: {
                let names = (Self.scalars + Self.entropies).filter { values.buffers[$0] != nil }
                var numbers = Dictionary(uniqueKeysWithValues: try names.map { ($0, try values.tensor($0).scalar) })
                // Without a prologue there is none whose tokens could cost anything.
                if layout.prologueTokens == 0 { for name in ["ce_prologue", "ce_eos"] { numbers[name] = nil } }
                return numbers
            })
    }
}
