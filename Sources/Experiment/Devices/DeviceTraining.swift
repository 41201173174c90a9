import Accelerators
import NN
import PJRT
import TensorCore

/// The training of one network on devices that share each batch: parameters, moments and averages stay there until they are brought back.
final class DeviceTraining {
    let accelerator: Accelerator
    private let optimizer: AdamW
    private let name: String
    private let program: CompiledProgram
    private let state: DeviceState

    /// - Parameters:
    ///   - optimizer: of the network's parameters; what it holds is the state.
    ///   - name: what the program's names of the state begin with.
    init(_ accelerator: Accelerator, _ optimizer: AdamW, named name: String, _ program: TracedProgram) throws {
        (self.accelerator, self.optimizer, self.name) = (accelerator, optimizer, name)
        self.program = try accelerator.compile(program)
        state = DeviceState(optimizer.state.map { ("\(name)/\($0.name)", $0.tensor) }, on: accelerator)
    }

    /// One update; what the program gives lies on the devices until it is read.
    func step(_ inputs: ProgramInputs, rate: Double) throws -> [ProgramValues] {
        var inputs = inputs
        try inputs.repeat("\(name)/numbers", optimizer.numbers(rate: rate))
        return try state.run(program, inputs)
    }

    /// Gives the optimiser's tensors the values that they have on the device.
    func bringBack() throws { try state.bringBack() }
}
