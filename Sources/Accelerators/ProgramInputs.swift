import PJRT
import TensorCore

/// What a program is given on each of an accelerator's devices.
public struct ProgramInputs {
    private let accelerator: Accelerator
    /// By the names of inputs, for each device.
    public private(set) var byDevice: [[String: Buffer]]

    public init(_ accelerator: Accelerator) {
        self.accelerator = accelerator
        byDevice = accelerator.devices.map { _ in [:] }
    }

    private mutating func add(_ name: String, _ buffers: [Buffer]) {
        for (number, buffer) in buffers.enumerated() { byDevice[number][name] = buffer }
    }

    // MARK: Rows of a batch, of which each device gets as many, the first device the first

    public mutating func share(_ name: String, _ tensor: Tensor) throws {
        guard accelerator.devices.count > 1 else { return try `repeat`(name, tensor) }
        let (values, shape) = (tensor.values, share(of: tensor.shape))
        let parts = accelerator.devices.indices.map { Tensor(Array(values[rows($0, shape)]), shape: shape) }
        add(name, try zip(parts, accelerator.devices).map { try accelerator.copy($0, to: $1) })
    }

    public mutating func share(_ name: String, _ tokens: TokenTensor) throws {
        guard accelerator.devices.count > 1 else { return try `repeat`(name, tokens) }
        let shape = share(of: tokens.shape)
        let parts = accelerator.devices.indices.map { TokenTensor(Array(tokens.ids[rows($0, shape)]), shape: shape) }
        add(name, try zip(parts, accelerator.devices).map { try accelerator.copy($0, to: $1) })
    }

    private func share(of shape: Shape) -> Shape { [shape[0] / accelerator.devices.count] + shape.dropFirst() }

    private func rows(_ number: Int, _ shape: Shape) -> Range<Int> {
        number * shape.elementCount..<(number + 1) * shape.elementCount
    }

    // MARK: The same on each

    public mutating func `repeat`(_ name: String, _ tensor: Tensor) throws {
        add(name, try accelerator.devices.map { try accelerator.copy(tensor, to: $0) })
    }

    public mutating func `repeat`(_ name: String, _ tokens: TokenTensor) throws {
        add(name, try accelerator.devices.map { try accelerator.copy(tokens, to: $0) })
    }

    public mutating func `repeat`(_ name: String, _ stream: RandomStream) throws {
        add(name, try accelerator.devices.map { try accelerator.copy(stream, to: $0) })
    }
}
