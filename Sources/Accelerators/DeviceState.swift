import PJRT
import TensorCore

/// Tensors that live on devices while programs change them, and are brought back when the rest of this program wants them.
public final class DeviceState {
    private let tensors: [(name: String, tensor: Tensor)]
    private let accelerator: Accelerator
    /// By name, on each device that has it; programs keep those of all devices equal, but for shards.
    private var buffers: [String: [Buffer]] = [:]
    /// Names of those of which each device has an equal part.
    private var shards: Set<String> = []
    /// Names of those that programs change, and of those that they have changed since they came here or were brought back.
    private var updated: Set<String> = [], changed: Set<String> = []

    /// Each tensor is copied to the accelerator's devices before the first program that takes an input of its name: to the first, or
    /// to all that run the program.
    public init(_ tensors: [(name: String, tensor: Tensor)], on accelerator: Accelerator) {
        (self.tensors, self.accelerator) = (tensors, accelerator)
    }

    /// Runs a program that reads them; those that it returns too have their next values.
    public func run(_ program: CompiledProgram, _ inputs: [String: Buffer]) throws -> ProgramValues { try run(program, [inputs])[0] }

    /// The same where devices share the work.
    public func run(_ program: CompiledProgram, _ inputs: ProgramInputs) throws -> [ProgramValues] { try run(program, inputs.byDevice) }

    private func run(_ program: CompiledProgram, _ inputs: [[String: Buffer]]) throws -> [ProgramValues] {
        try place(for: program.program)
        let values = try program.run(
            inputs.enumerated().map { number, given in given.merging(buffers.mapValues { $0[number] }, uniquingKeysWith: { $1 }) })
        for name in program.program.updated where buffers[name] != nil {
            buffers[name] = values.compactMap { $0.buffers[name] }
            changed.insert(name)
            updated.insert(name)
        }
        return values
    }

    private func place(for program: TracedProgram) throws {
        let wanted = Set(program.inputs.map(\.name))
        let devices = accelerator.devices.prefix(program.replicas)
        for (name, tensor) in tensors where buffers[name] == nil && wanted.contains(name) {
            let parts = program.shards.contains(name) ? tensor.shards(devices.count) : devices.map { _ in tensor }
            buffers[name] = try zip(parts, devices).map { try accelerator.copy($0, to: $1) }
        }
        shards.formUnion(program.shards)
    }

    /// Gives the tensors the values that they have on the devices.
    public func bringBack() throws {
        for (name, tensor) in tensors where changed.contains(name) {
            let parts = (buffers[name] ?? []).prefix(shards.contains(name) ? .max : 1)
            // Zeros may lie behind the last part.
            tensor.overwrite(with: Array(try parts.flatMap { try $0.numbers() as [Float] }.prefix(tensor.count)))
        }
        changed = []
    }

    /// The same; those that programs change are copied to the devices anew, with what they become here until then.
    public func takeBack() throws {
        try bringBack()
        for name in updated { buffers[name] = nil }
    }
}

extension Tensor {
    /// Its numbers in `count` equal parts, zeros behind them, as `Program.shardInput` takes them.
    fileprivate func shards(_ count: Int) -> [Tensor] {
        let (values, length) = (values, (self.count + count - 1) / count)
        return (0..<count).map { number in
            let part = values[min(number * length, values.count)..<min((number + 1) * length, values.count)]
            return Tensor(part + [Float](repeating: 0, count: length - part.count), shape: [length])
        }
    }
}
