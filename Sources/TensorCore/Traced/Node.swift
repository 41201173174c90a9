import StableHLO

/// A value of a program in the making, with operators that emit the instructions of formulas.
///
/// Both operands have one shape, or one of them is a single number, of shape [].
struct Node: Equatable, Sendable {
    let program: Program
    let value: Value

    static func == (a: Node, b: Node) -> Bool { a.program === b.program && a.value == b.value }

    var shape: Shape { value.shape }
    var rank: Int { value.shape.count }
    var element: Element { value.element }
    var width: Int { shape[rank - 1] }
    /// All axes but the last.
    var leading: [Int] { Array(0..<rank - 1) }

    private var f: Function { program.function }
    private func with(_ value: Value) -> Node { Node(program: program, value: value) }

    // MARK: Number by number

    private static func apply(_ operation: Binary, _ a: Node, _ b: Node) -> Node {
        let (a, b) = alike(a, b)
        return a.with(a.f.apply(operation, a.value, b.value))
    }

    /// Repeats a single number to the shape of the other operand.
    private static func alike(_ a: Node, _ b: Node) -> (Node, Node) {
        if a.shape == b.shape { return (a, b) }
        if a.shape == [] { return (a.broadcast(to: b.shape, axes: []), b) }
        if b.shape == [] { return (a, b.broadcast(to: a.shape, axes: [])) }
        return (a, b)
    }

    static func + (a: Node, b: Node) -> Node { apply(.add, a, b) }
    static func - (a: Node, b: Node) -> Node { apply(.subtract, a, b) }
    static func * (a: Node, b: Node) -> Node { apply(.multiply, a, b) }
    static func / (a: Node, b: Node) -> Node { apply(.divide, a, b) }
    static func + (a: Node, b: Double) -> Node { a + a.constant(b) }
    static func - (a: Node, b: Double) -> Node { a - a.constant(b) }
    static func * (a: Node, b: Double) -> Node { a * a.constant(b) }
    static func / (a: Node, b: Double) -> Node { a / a.constant(b) }
    static func + (a: Double, b: Node) -> Node { b.constant(a) + b }
    static func - (a: Double, b: Node) -> Node { b.constant(a) - b }
    static func * (a: Double, b: Node) -> Node { b.constant(a) * b }
    static func / (a: Double, b: Node) -> Node { b.constant(a) / b }
    static prefix func - (a: Node) -> Node { a.apply(.negate) }

    func maximum(_ other: Node) -> Node { Self.apply(.maximum, self, other) }
    func minimum(_ other: Node) -> Node { Self.apply(.minimum, self, other) }
    func maximum(_ other: Double) -> Node { maximum(constant(other)) }
    func minimum(_ other: Double) -> Node { minimum(constant(other)) }
    func and(_ other: Node) -> Node { Self.apply(.and, self, other) }
    func or(_ other: Node) -> Node { Self.apply(.or, self, other) }
    func xor(_ other: Node) -> Node { Self.apply(.xor, self, other) }
    func shiftedRight(_ bits: Int) -> Node { Self.apply(.shiftRight, self, constant(Double(bits))) }

    func apply(_ operation: Unary) -> Node { with(f.apply(operation, value)) }
    var exp: Node { apply(.exponential) }
    var log: Node { apply(.log) }
    var squareRoot: Node { apply(.sqrt) }
    var tanh: Node { apply(.tanh) }
    var abs: Node { apply(.abs) }
    var squared: Node { self * self }
    /// 1/(1 + e⁻ˣ), spelt so that no compiler makes a tanh of it.
    var logistic: Node { 1 / (1 + (-self).exp) }

    func compare(_ comparison: Comparison, _ other: Node) -> Node {
        let (a, b) = Self.alike(self, other)
        return with(f.compare(a.value, comparison, b.value))
    }
    func compare(_ comparison: Comparison, _ other: Double) -> Node { compare(comparison, constant(other)) }

    /// Of a truth value: `a` where it is true, else `b`.
    func select(_ a: Node, _ b: Node) -> Node {
        let (a, b) = (Self.alike(a, self).0, Self.alike(b, self).0)
        return with(f.select(value, a.value, b.value))
    }
    func select(_ a: Node, _ b: Double) -> Node { select(a, a.constant(b)) }

    func converted(to element: Element) -> Node { with(f.convert(value, element)) }
    /// Rounded to bfloat16.
    var rounded: Node { converted(to: .bf16) }
    /// As float32.
    var wide: Node { converted(to: .f32) }
    func bits(as element: Element) -> Node { with(f.bits(value, as: element)) }

    /// A number in this value's shape and type.
    func constant(_ number: Double) -> Node { with(f.constant(number, like: value)) }

    // MARK: Sums

    func reduce(_ reduction: Reduction, _ axes: [Int]) -> Node { with(f.reduce(value, reduction, axes: axes)) }
    func sum(_ axes: [Int]) -> Node { reduce(.add, axes) }
    /// Over everything: shape [].
    var sum: Node { sum(Array(0..<rank)) }
    /// Over the last axis.
    var rowSums: Node { sum([rank - 1]) }
    var rowMaxima: Node { reduce(.maximum, [rank - 1]) }
    /// Over all axes but the last.
    var columnSums: Node { sum(leading) }

    // MARK: Shapes

    func reshaped(_ shape: Shape) -> Node { with(f.reshape(value, shape)) }
    /// Axis i becomes axis `axes[i]` of the result.
    func broadcast(to shape: Shape, axes: [Int]) -> Node { with(f.broadcast(value, to: shape, axes: axes)) }
    /// A number for each row, repeated along the last axes of `other`.
    func alongRows(of other: Node) -> Node { broadcast(to: other.shape, axes: Array(0..<rank)) }
    /// A number for each column, repeated along the first axes of `other`.
    func alongColumns(of other: Node) -> Node { broadcast(to: other.shape, axes: Array(other.rank - rank..<other.rank)) }
    func transposed(_ axes: [Int]) -> Node { with(f.transpose(value, axes)) }
    func sliced(_ axis: Int, _ range: Range<Int>) -> Node { with(f.slice(value, axis: axis, range)) }
    func sliced(_ ranges: [Range<Int>], strides: [Int]? = nil) -> Node { with(f.slice(value, ranges, strides: strides)) }
    func padded(with number: Double = 0, low: [Int], high: [Int], interior: [Int]? = nil) -> Node {
        with(f.pad(value, with: number, low: low, high: high, interior: interior))
    }
    /// Zeros before and behind along one axis.
    func padded(_ axis: Int, low: Int, high: Int) -> Node {
        padded(low: shape.indices.map { $0 == axis ? low : 0 }, high: shape.indices.map { $0 == axis ? high : 0 })
    }
    func reversed(_ axes: [Int]) -> Node { with(f.reverse(value, axes: axes)) }
    static func concatenated(_ parts: [Node], axis: Int) -> Node {
        parts.count == 1 ? parts[0] : parts[0].with(parts[0].f.concatenate(parts.map(\.value), axis: axis))
    }

    // MARK: Products and places

    /// Sums of products over the `contracting` axes; axes of the result: batch, the rest of this, the rest of `other`.
    ///
    /// Numbers of bfloat16 are summed in float32; those of float32 are multiplied as such.
    func dot(
        _ other: Node, _ contracting: ([Int], [Int]), batch: ([Int], [Int]) = ([], []), _ result: Element = .f32
    ) -> Node {
        with(f.dot(value, other.value, contracting: contracting, batch: batch, result: result))
    }

    /// this·otherᵀ over the last axes of both; `other` is [out, in].
    func timesRows(of other: Node, _ result: Element = .f32) -> Node { dot(other, ([rank - 1], [1]), result) }
    /// this·other; `other` is [in, out].
    func times(_ other: Node, _ result: Element = .f32) -> Node { dot(other, ([rank - 1], [0]), result) }
    /// thisᵀ·other over all axes but the last: [this.width, other.width].
    func outer(_ other: Node) -> Node { dot(other, (leading, other.leading)) }

    func convolved(with kernel: Node, _ window: ConvolutionWindow) -> Node {
        let type = program.convolutions
        return with(f.convolution(converted(to: type).value, kernel.converted(to: type).value, window)).wide
    }
    func windows(_ reduction: Reduction, size: [Int], strides: [Int], padding: [(low: Int, high: Int)]) -> Node {
        with(f.reduceWindow(value, reduction, size: size, strides: strides, padding: padding))
    }

    /// Rows of this table [rows, width] by indices [n] → [n, width].
    func rows(_ indices: Node) -> Node { with(f.gather(rows: indices.value, of: value)) }
    /// One entry of each row of [n, width] → [n].
    func entries(_ indices: Node) -> Node { with(f.gather(entries: indices.value, of: value)) }
    /// Rows [n, width] in their places among `count` rows of zeros. No index is there twice; those beyond `count` are left out.
    func placed(at indices: Node, count: Int) -> Node {
        with(f.scatterAdd(value, rows: indices.value, count: count, unique: true))
    }
    /// Sorted by the first of several values of one shape, which stay together; equal ones keep their order.
    static func sorted(_ values: [Node], axis: Int, descending: Bool = false) -> [Node] {
        values[0].f.sort(values.map(\.value), axis: axis, descending: descending).map(values[0].with)
    }
    func dynamicSlice(_ starts: [Node], sizes: [Int]) -> Node { with(f.dynamicSlice(value, starts: starts.map(\.value), sizes: sizes)) }
    func updated(with part: Node, _ starts: [Node]) -> Node {
        with(f.dynamicUpdate(value, with: part.value, starts: starts.map(\.value)))
    }
}
