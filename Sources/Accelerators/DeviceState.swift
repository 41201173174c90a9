import PJRT
import TensorCore

/// Tensors that live on a device while programs change them, and are brought back when the rest of this program wants them.
public final class DeviceState {
    private let tensors: [(name: String, tensor: Tensor)]
    /// By name, for each device; programs keep those of all devices equal.
    private var buffers: [[String: Buffer]]
    /// Names of those that a program has changed since they came here or were brought back.
    private var changed: Set<String> = []

    /// Copies the tensors to the accelerator's first device, or to each; a program knows them by their names.
    public init(_ tensors: [(name: String, tensor: Tensor)], on accelerator: Accelerator, each: Bool = false) throws {
        self.tensors = tensors
        buffers = try accelerator.devices.prefix(each ? accelerator.devices.count : 1).map { device in
            try Dictionary(uniqueKeysWithValues: tensors.map { ($0, try accelerator.copy($1, to: device)) })
        }
    }

    /// Runs a program that reads them; those that it returns too have their next values.
    public func run(_ program: CompiledProgram, _ inputs: [String: Buffer]) throws -> ProgramValues { try run(program, [inputs])[0] }

    /// The same where devices share the work.
    public func run(_ program: CompiledProgram, _ inputs: ProgramInputs) throws -> [ProgramValues] { try run(program, inputs.byDevice) }

    private func run(_ program: CompiledProgram, _ inputs: [[String: Buffer]]) throws -> [ProgramValues] {
        let values = try program.run(zip(inputs, buffers).map { $0.merging($1, uniquingKeysWith: { $1 }) })
        for name in program.program.updated where buffers[0][name] != nil {
            for (number, values) in values.enumerated() { buffers[number][name] = values.buffers[name] }
            changed.insert(name)
        }
        return values
    }

    /// Gives the tensors the values that they have on the device.
    public func bringBack() throws {
        for (name, tensor) in tensors where changed.contains(name) {
            if let buffer = buffers[0][name] { tensor.overwrite(with: try buffer.numbers()) }
        }
        changed = []
    }
}
