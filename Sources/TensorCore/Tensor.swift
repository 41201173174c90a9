/// Extents of the axes, slowest first.
public typealias Shape = [Int]

extension Shape {
    public var elementCount: Int { reduce(1, *) }
}

/// A contiguous, row-major float32 array. Values are never changed once an op has returned them.
///
///     let x = Tensor([1, 2, 3, 4, 5, 6], shape: [2, 3])
///     let y = softmax(2 * x)
///     print(y.shape, y.values)
///
/// A tensor may be *on a tape*: then every op it enters is recorded there, so that gradients can flow back.
/// A tensor may be *traced*: then it has no values but stands for a value of a `Program`, and ops on it emit instructions.
/// Suffixes in names spell the axes: B batch, L tokens, D width, H heads, V vocabulary, N rows.
public struct Tensor {
    public let shape: Shape
    let content: Content
    let trace: Trace?

    /// What a tensor is made of.
    enum Content {
        case memory(Storage)
        /// A value of a program, of the tensor's shape.
        case node(Node)
    }

    /// Where a tensor stands on a tape; `slot` is nil when no gradient flows to it.
    struct Trace {
        let tape: Tape
        let slot: Int?
    }

    init(shape: Shape, content: Content, trace: Trace?) {
        self.shape = shape
        self.content = content
        self.trace = trace
    }

    init(shape: Shape, storage: Storage, trace: Trace?) { self.init(shape: shape, content: .memory(storage), trace: trace) }

    /// A tensor with undefined contents, to be overwritten before anyone reads it.
    public init(uninitialized shape: Shape) {
        self.init(shape: shape, storage: Storage(count: shape.elementCount), trace: nil)
    }

    /// A shape without memory, for models that are only counted; nothing may be asked of it but the shape.
    public init(meta shape: Shape) { self.init(shape: shape, storage: Storage(count: 0), trace: nil) }

    /// Whether it is a shape only.
    public var isMeta: Bool { count != shape.elementCount }

    public init(_ values: [Float], shape: Shape) {
        require(
            values.count == shape.elementCount, "\(values.count) values do not fill shape \(shape)")
        self.init(uninitialized: shape)
        values.withUnsafeBufferPointer { pointer.update(from: $0.baseAddress!, count: $0.count) }
    }

    public init(repeating value: Float, shape: Shape) {
        self.init(uninitialized: shape)
        pointer.update(repeating: value, count: count)
    }

    public static func zeros(_ shape: Shape) -> Tensor { Tensor(repeating: 0, shape: shape) }

    /// Memory of the values. A traced tensor has none: who asks for it is an op without a traced form, or reads values while a
    /// program is being made.
    var storage: Storage {
        switch content {
        case .memory(let storage): return storage
        case .node(let node):
            fatalError("a tensor of \(shape) stands for a value of the program '\(node.program.name)', which has no values before it runs")
        }
    }

    /// Whether it stands for a value of a program.
    public var isTraced: Bool { node != nil }

    var node: Node? { if case .node(let node) = content { node } else { nil } }

    public var count: Int { isTraced ? shape.elementCount : storage.count }
    public var rank: Int { shape.count }
    var pointer: UnsafeMutablePointer<Float> { storage.pointer }

    /// Extent of the last axis, and the number of rows of that width.
    public var width: Int { shape[shape.count - 1] }
    public var rows: Int { count / max(1, width) }

    /// The values, copied out.
    public var values: [Float] { Array(UnsafeBufferPointer(start: pointer, count: count)) }

    /// The only element.
    public var scalar: Float {
        require(count == 1, "shape \(shape) is not a scalar")
        return pointer[0]
    }

    /// The tape that ops on this tensor are recorded on.
    public var tape: Tape? { trace?.tape }

    /// Whether a gradient flows through it.
    public var isDifferentiated: Bool { trace?.slot != nil }

    /// The same values off the tape: stop-gradient.
    public func detached() -> Tensor { Tensor(shape: shape, content: content, trace: nil) }

    /// The same values in another shape; free, and gradients pass through.
    public func reshaped(_ shape: Shape) -> Tensor {
        require(shape.elementCount == count, "shape \(self.shape) cannot become \(shape)")
        if let node { return Tensor(shape: shape, content: .node(node.reshaped(shape)), trace: trace) }
        return Tensor(shape: shape, storage: storage, trace: trace)
    }

    /// A copy that shares nothing, off the tape.
    public func copied() -> Tensor {
        if isTraced { return detached() }
        let copy = Tensor(uninitialized: shape)
        copy.pointer.update(from: pointer, count: count)
        return copy
    }
}
