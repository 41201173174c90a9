import CKernels
import Foundation

/// Angles of rotary position embedding for a sequence (method §3.5): cosine and sine [L, head dim / 2].
public struct RotaryTable {
    /// A token's place: one position per axis, and the base frequency of its kind (2000 in 2D, 10000 in 1D).
    public struct Position: Equatable, Sendable {
        public let axes: (Int, Int, Int)
        public let theta: Double

        /// An image position.
        public static func grid(row: Int, column: Int) -> Position {
            Position(axes: (row, column, 0), theta: 2000)
        }
        /// A place in a plain sequence.
        public static func sequence(_ index: Int) -> Position { Position(axes: (index, 0, 0), theta: 10000) }
        /// A learned query beside image patches, on an axis of its own.
        public static func query(_ index: Int) -> Position { Position(axes: (0, 0, index), theta: 10000) }

        public static func == (a: Position, b: Position) -> Bool { a.axes == b.axes && a.theta == b.theta }
    }

    public let cosine: Tensor
    public let sine: Tensor
    public var tokens: Int { cosine.shape[0] }

    /// φ = pos·θ^(−2i/dₐ) for pair i of axis a, axes in order; `axisWidths` sum to the head dimension.
    public init(_ positions: [Position], axisWidths: [Int]) {
        require(
            axisWidths.count == 3 && axisWidths.allSatisfy { $0 % 2 == 0 && $0 >= 0 },
            "rope axes \(axisWidths) must be three even widths")
        let half = axisWidths.reduce(0, +) / 2
        cosine = Tensor(uninitialized: [positions.count, half])
        sine = Tensor(uninitialized: [positions.count, half])
        for (token, position) in positions.enumerated() {
            let places = [position.axes.0, position.axes.1, position.axes.2]
            var pair = token * half
            for (place, width) in zip(places, axisWidths) {
                for i in 0..<width / 2 {
                    let angle = Double(place) * pow(position.theta, -2 * Double(i) / Double(width))
                    cosine.pointer[pair] = Float(cos(angle))
                    sine.pointer[pair] = Float(sin(angle))
                    pair += 1
                }
            }
        }
    }

    init(cosine: Tensor, sine: Tensor) {
        self.cosine = cosine
        self.sine = sine
    }

    /// The angles of one token only, for decoding step by step.
    public func token(_ index: Int) -> RotaryTable {
        func row(_ table: Tensor) -> Tensor {
            let one = Tensor(uninitialized: [1, table.width])
            one.pointer.update(from: table.pointer + index * table.width, count: table.width)
            return one
        }
        return RotaryTable(cosine: row(cosine), sine: row(sine))
    }
}

/// Per-head RMS norm, then rotation: what queries and keys go through before attention.
///
/// x [B, L, stride], of which the first heads·d columns are used (keys lie in front of values in one tensor);
/// weight [d] → [B, L, heads·d].
public func rotaryNorm(_ x: Tensor, weight w: Tensor, table: RotaryTable, heads: Int) -> Tensor {
    RotaryNormJob.requireFitting(x, weight: w, table: table, heads: heads)
    if let program = Program.tracing(x, w, table.cosine) { return program.rotaryNorm(x, weight: w, table: table, heads: heads) }
    let job = RotaryNormJob(x, weight: w, table: table, heads: heads)
    let (xSlot, wSlot, whole) = (x.slot, w.slot, x.width == heads * w.count)
    return Tape.record(job.forward(), from: [x, w]) { dy, tape in
        let dx = xSlot.map { _ in whole ? Tensor(uninitialized: job.x.shape) : Tensor.zeros(job.x.shape) }
        job.backward(dx, wSlot, dy, tape)
        if let xSlot, let dx { tape.add(dx, to: xSlot) }
    }
}

/// Operands of one `rotaryNorm`, and what its gradient needs of the forward pass.
struct RotaryNormJob {
    let x, weight, cosine, sine, inverse: Tensor
    let tokens, heads: Int

    static func requireFitting(_ x: Tensor, weight: Tensor, table: RotaryTable, heads: Int) {
        require(
            x.rank == 3 && x.shape[1] == table.tokens && heads * weight.count <= x.width
                && table.cosine.width * 2 == weight.count,
            "rotaryNorm: x \(x.shape), weight \(weight.shape), \(heads) heads and table \(table.cosine.shape) do not fit")
        require(weight.count <= 1024, "rotaryNorm: heads of \(weight.count) are wider than 1024")
    }

    init(_ x: Tensor, weight: Tensor, table: RotaryTable, heads: Int) {
        Self.requireFitting(x, weight: weight, table: table, heads: heads)
        (self.x, self.weight) = (x.detached(), weight.detached())
        (cosine, sine, tokens, self.heads) = (table.cosine, table.sine, table.tokens, heads)
        inverse = Tensor(uninitialized: [x.rows, heads])
    }

    private var width: Int { weight.count }

    /// [B, L, heads·d]
    func forward() -> Tensor {
        let y = Tensor(uninitialized: [x.shape[0], tokens, heads * width])
        Parallel.rows(x.rows, width: heads * width) { r in
            rotary_norm_forward(
                y.pointer + r.lowerBound * heads * width, inverse.pointer + r.lowerBound * heads,
                x.pointer + r.lowerBound * x.width, weight.pointer, cosine.pointer, sine.pointer, r.lowerBound, r.count,
                tokens, heads, width, x.width)
        }
        return y
    }

    /// Fills the first heads·d columns of dx and adds the weight's gradient to its slot, where they are wanted.
    func backward(_ dx: Tensor?, _ weightSlot: Int?, _ dy: Tensor, _ tape: Tape) {
        func run(_ dw: UnsafeMutablePointer<Float>?, _ r: Range<Int>) {
            rotary_norm_backward(
                dx.map { $0.pointer + r.lowerBound * x.width }, dw, dy.pointer + r.lowerBound * heads * width,
                x.pointer + r.lowerBound * x.width, inverse.pointer + r.lowerBound * heads, weight.pointer,
                cosine.pointer, sine.pointer, r.lowerBound, r.count, tokens, heads, width, x.width, x.width)
        }
        guard let weightSlot else { return Parallel.rows(x.rows, width: heads * width) { run(nil, $0) } }
        tape.accumulate(weightSlot, shape: weight.shape) { dw, accumulates in
            Parallel.rowSums(rows: x.rows, width: width, into: dw.pointer, accumulates: accumulates, run)
        }
    }
}
