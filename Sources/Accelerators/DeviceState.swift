import PJRT
import TensorCore

/// Tensors that live on a device while programs change them, and are brought back when the rest of this program wants them.
public final class DeviceState {
    private let tensors: [(name: String, tensor: Tensor)]
    private var buffers: [String: Buffer] = [:]
    /// Names of those that a program has changed since they came here or were brought back.
    private var changed: Set<String> = []

    /// Copies the tensors to the device; a program knows them by their names.
    public init(_ tensors: [(name: String, tensor: Tensor)], on accelerator: Accelerator) throws {
        self.tensors = tensors
        for (name, tensor) in tensors { buffers[name] = try accelerator.copy(tensor) }
    }

    /// Runs a program that reads them; those that it returns too have their next values.
    public func run(_ program: CompiledProgram, _ inputs: [String: Buffer]) throws -> ProgramValues {
        let values = try program.run(inputs.merging(buffers, uniquingKeysWith: { $1 }))
        for name in program.program.updated where buffers[name] != nil {
            buffers[name] = values.buffers[name]
            changed.insert(name)
        }
        return values
    }

    /// Gives the tensors the values that they have on the device.
    public func bringBack() throws {
        for (name, tensor) in tensors where changed.contains(name) {
            if let buffer = buffers[name] { tensor.overwrite(with: try buffer.numbers()) }
        }
        changed = []
    }
}
