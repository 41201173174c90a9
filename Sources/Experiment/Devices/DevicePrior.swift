import Accelerators
import Models
import NN
import PJRT
import TensorCore

/// A prior's training on a device: parameters, moments and averages stay there until they are brought back.
final class DevicePrior {
    private let accelerator: Accelerator
    private let optimizer: AdamW
    private let program: CompiledProgram
    private var state: DeviceState?

    /// - Parameter optimizer: of the model's parameters; what it holds is the state.
    init(_ accelerator: Accelerator, _ config: ARConfig, _ optimizer: AdamW, batch: Int, dropout: (Float, attention: Float)) throws {
        (self.accelerator, self.optimizer) = (accelerator, optimizer)
        program = try accelerator.compile(
            PriorProgram.step(
                config, optimizer.settings, averageHalfLife: optimizer.averageHalfLife, batch: batch, dropout: dropout))
    }

    /// One update; loss and gradient norm where they are asked for, which waits for the device.
    func step(
        targets: TokenTensor, labels: TokenTensor, masks stream: RandomStream, rate: Double, reads: Bool
    ) throws -> (loss: Float, gradientNorm: Float)? {
        // Not before the first step: until then a checkpoint may come into the optimiser.
        let state = try state ?? DeviceState(optimizer.state.map { ("prior/\($0.name)", $0.tensor) }, on: accelerator)
        self.state = state
        let inputs = [
            "targets": try accelerator.copy(targets), "labels": try accelerator.copy(labels), "dropout": try accelerator.copy(stream),
            "prior/numbers": try accelerator.copy(optimizer.numbers(rate: rate)),
        ]
        let values = try state.run(program, inputs)
        return reads ? (try values.tensor("loss").scalar, try values.tensor("gradient_norm").scalar) : nil
    }

    /// Gives the optimiser's tensors the values that they have on the device.
    func bringBack() throws { try state?.bringBack() }
}
