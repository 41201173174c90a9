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
/// Suffixes in names spell the axes: B batch, L tokens, D width, H heads, V vocabulary, N rows.
public struct Tensor {
    public let shape: Shape
    let storage: Storage
    let trace: Trace?

    /// Where a tensor stands on a tape; `slot` is nil when no gradient flows to it.
    struct Trace {
        let tape: Tape
        let slot: Int?
    }

    init(shape: Shape, storage: Storage, trace: Trace?) {
        self.shape = shape
        self.storage = storage
        self.trace = trace
    }

    /// A tensor with undefined contents, to be overwritten before anyone reads it.
    public init(uninitialized shape: Shape) {
        self.init(shape: shape, storage: Storage(count: shape.elementCount), trace: nil)
    }

    /// A shape without memory, for models that are only counted; nothing may be asked of it but the shape.
    public init(meta shape: Shape) { self.init(shape: shape, storage: Storage(count: 0), trace: nil) }

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

    public var count: Int { storage.count }
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
    public func detached() -> Tensor { Tensor(shape: shape, storage: storage, trace: nil) }

    /// The same values in another shape; free, and gradients pass through.
    public func reshaped(_ shape: Shape) -> Tensor {
        require(shape.elementCount == count, "shape \(self.shape) cannot become \(shape)")
        return Tensor(shape: shape, storage: storage, trace: trace)
    }

    /// A copy that shares nothing, off the tape.
    public func copied() -> Tensor {
        let copy = Tensor(uninitialized: shape)
        copy.pointer.update(from: pointer, count: count)
        return copy
    }
}

/// Token ids, labels, indices: int32, row-major.
public struct TokenTensor: Equatable, Sendable {
    public let shape: Shape
    public var ids: [Int32]

    public init(_ ids: [Int32], shape: Shape) {
        require(ids.count == shape.elementCount, "\(ids.count) ids do not fill shape \(shape)")
        self.ids = ids
        self.shape = shape
    }

    public init(repeating id: Int32, shape: Shape) {
        self.init([Int32](repeating: id, count: shape.elementCount), shape: shape)
    }

    public var count: Int { ids.count }
    public func reshaped(_ shape: Shape) -> TokenTensor { TokenTensor(ids, shape: shape) }
}
