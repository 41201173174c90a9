/// Values between tensors and the rest of the program. Only here and in the ops does anything touch a tensor's memory; who
/// uses `TensorCore` gets values and hands values over.
extension Tensor {
    /// A tensor whose elements are made one after another, in row-major order.
    public init(_ shape: Shape, generating next: () throws -> Float) rethrows {
        self.init(uninitialized: shape)
        for i in 0..<count { pointer[i] = try next() }
    }

    /// Lets `body` look at the values without a copy.
    public func read<Result>(_ body: (Span<Float>) throws -> Result) rethrows -> Result {
        try body(UnsafeBufferPointer(start: pointer, count: count).span)
    }

    /// Puts other values in the place of these: for parameters, optimiser state and running moments, which live as long as a
    /// model. What an op has returned must not be changed.
    public func overwrite(with values: [Float]) {
        require(values.count == count, "\(values.count) values do not fill shape \(shape)")
        values.withUnsafeBufferPointer { if let base = $0.baseAddress { pointer.update(from: base, count: count) } }
    }

    /// The same by `fill`, which gets room for all values: what a file is read into.
    public func overwrite(_ fill: (inout MutableSpan<Float>) throws -> Void) rethrows {
        var room = UnsafeMutableBufferPointer(start: pointer, count: count).mutableSpan
        try fill(&room)
    }

    /// Whether both are views of the same memory.
    package func sharesMemory(with other: Tensor) -> Bool { pointer == other.pointer }
}
