import Accelerators
import Models
import NN
import PJRT
import TensorCore

/// A short training of a pack's model, whose parameters have their last values when it is finished.
final class PackTraining {
    private static let rate = 1e-3

    private let compute: PackComputation
    private let autoencoder, prior: AdamW
    private var device: Device?

    /// Programs of both steps, and what they update.
    private struct Device {
        let accelerator: Accelerator
        let stepA, stepB: CompiledProgram
        var state: [String: Buffer] = [:]
    }

    init(_ compute: PackComputation) throws {
        self.compute = compute
        autoencoder = AdamW(compute.model.tokenizer.parameters, .init(beta1: 0, beta2: 0.99))
        prior = AdamW(compute.model.ar.parameters, .init(beta1: 0.9, beta2: 0.99, weightDecay: 1))
        guard case .device(let accelerator) = compute.engine else { return }
        var device = Device(
            accelerator: accelerator, stepA: try accelerator.compile(tracedStepA()), stepB: try accelerator.compile(tracedStepB()))
        for (name, optimizer) in [("autoencoder", autoencoder), ("prior", prior)] {
            for (key, tensor) in optimizer.state { device.state["\(name)/\(key)"] = try accelerator.copy(tensor) }
        }
        self.device = device
    }

    private func traced(_ name: String) throws -> (program: Program, model: PackModel, batch: PackBatch) {
        let program = Program(name)
        var batch = compute.batch
        batch.patches = program.input("patches", batch.patches.shape)
        return (program, try PackModel(compute.description, compute.file, in: program), batch)
    }

    private func tracedStepA() throws -> TracedProgram {
        let (program, model, batch) = try traced("pack_step_a")
        let tape = Tape(differentiating: model.tokenizer.parameters)
        let step = model.stepA(batch, on: tape)
        tape.backward(from: step.total)
        _ = AdamW.trace(model.tokenizer.parameters, autoencoder.settings, tape, in: program, name: "autoencoder")
        program.output("loss", step.total)
        program.output("indices", step.encoding.indices)
        return program.traced()
    }

    private func tracedStepB() throws -> TracedProgram {
        let (program, model, batch) = try traced("pack_step_b")
        let layout = model.tokenizer.config.layout
        let tape = Tape(differentiating: model.ar.parameters)
        let indices = program.tokens("indices", [batch.labels.count, layout.prologueTokens + layout.visualTokens])
        let loss = model.stepB(batch, indices, on: tape)
        tape.backward(from: loss)
        _ = AdamW.trace(model.ar.parameters, prior.settings, tape, in: program, name: "prior")
        program.output("loss", loss)
        return program.traced()
    }

    func stepA() throws -> (loss: Float, indices: TokenTensor) {
        if var device {
            let inputs = [
                "patches": try device.accelerator.copy(compute.batch.patches),
                "autoencoder/numbers": try device.accelerator.copy(autoencoder.numbers(rate: Self.rate)),
            ]
            let values = try device.stepA.run(inputs, updating: &device.state)
            self.device = device
            return (try values.tensor("loss").scalar, try values.tokens("indices"))
        }
        let model = compute.model
        let tape = Tape(differentiating: model.tokenizer.parameters)
        let step = model.stepA(compute.batch, on: tape)
        tape.backward(from: step.total)
        autoencoder.step(tape, rate: Self.rate)
        return (step.total.scalar, step.encoding.indices)
    }

    func stepB(_ indices: TokenTensor) throws -> Float {
        if var device {
            let inputs = [
                "patches": try device.accelerator.copy(compute.batch.patches), "indices": try device.accelerator.copy(indices),
                "prior/numbers": try device.accelerator.copy(prior.numbers(rate: Self.rate)),
            ]
            let values = try device.stepB.run(inputs, updating: &device.state)
            self.device = device
            return try values.tensor("loss").scalar
        }
        let tape = Tape(differentiating: compute.model.ar.parameters)
        let loss = compute.model.stepB(compute.batch, indices, on: tape)
        tape.backward(from: loss)
        prior.step(tape, rate: Self.rate)
        return loss.scalar
    }

    /// Brings the parameters back from the device.
    func finish() throws {
        guard let device else { return }
        for (name, optimizer) in [("autoencoder", autoencoder), ("prior", prior)] {
            for (key, tensor) in optimizer.state {
                if let buffer = device.state["\(name)/\(key)"] { tensor.overwrite(with: try buffer.numbers()) }
            }
        }
    }
}
