import Accelerators
import NN
import PJRT
import TensorCore

/// The training of one network on a device: parameters, moments and averages stay there until they are brought back.
final class DeviceTraining {
    let accelerator: Accelerator
    private let optimizer: AdamW
    private let name: String
    private let program: CompiledProgram
    private var state: DeviceState?

    /// - Parameters:
    ///   - optimizer: of the network's parameters; what it holds is the state.
    ///   - name: what the program's names of the state begin with.
    init(_ accelerator: Accelerator, _ optimizer: AdamW, named name: String, _ program: TracedProgram) throws {
        (self.accelerator, self.optimizer, self.name) = (accelerator, optimizer, name)
        self.program = try accelerator.compile(program)
    }

    /// One update; what the program gives lies on the device until it is read.
    func step(_ inputs: [String: Buffer], rate: Double) throws -> ProgramValues {
        // Not before the first step: until then a checkpoint may come into the optimiser.
        let state = try state ?? DeviceState(optimizer.state.map { ("\(name)/\($0.name)", $0.tensor) }, on: accelerator)
        self.state = state
        let numbers = ["\(name)/numbers": try accelerator.copy(optimizer.numbers(rate: rate))]
        return try state.run(program, inputs.merging(numbers) { $1 })
    }

    /// Gives the optimiser's tensors the values that they have on the device.
    func bringBack() throws { try state?.bringBack() }
}
