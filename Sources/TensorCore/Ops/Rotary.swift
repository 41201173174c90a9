import CKernels
import Foundation

/// Angles of rotary position embedding for a sequence (METHOD §3): cosine and sine [L, head dim / 2].
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

    private init(cosine: Tensor, sine: Tensor) {
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
    let (rows, width, stride, tokens) = (x.rows, w.count, x.width, table.tokens)
    require(
        x.rank == 3 && x.shape[1] == tokens && heads * width <= stride && table.cosine.width * 2 == width,
        "rotaryNorm: x \(x.shape), weight \(w.shape), \(heads) heads and table \(table.cosine.shape) do not fit")
    require(width <= 1024, "rotaryNorm: heads of width \(width) in \(x.shape) are wider than 1024")
    let y = Tensor(uninitialized: [x.shape[0], tokens, heads * width])
    let inverse = Tensor(uninitialized: [rows, heads])
    let (cosine, sine) = (table.cosine, table.sine)
    Parallel.rows(rows, width: heads * width) { r in
        rotary_norm_forward(
            y.pointer + r.lowerBound * heads * width, inverse.pointer + r.lowerBound * heads,
            x.pointer + r.lowerBound * stride, w.pointer, cosine.pointer, sine.pointer, r.lowerBound, r.count,
            tokens, heads, width, stride)
    }

    let (xSlot, wSlot, x0, w0) = (x.slot, w.slot, x.detached(), w.detached())
    return Tape.record(y, from: [x, w]) { dy, tape in
        let dx = xSlot.map { _ in
            stride == heads * width ? Tensor(uninitialized: x0.shape) : Tensor.zeros(x0.shape)
        }
        func run(_ dw: UnsafeMutablePointer<Float>?, _ r: Range<Int>) {
            rotary_norm_backward(
                dx.map { $0.pointer + r.lowerBound * stride }, dw, dy.pointer + r.lowerBound * heads * width,
                x0.pointer + r.lowerBound * stride, inverse.pointer + r.lowerBound * heads, w0.pointer,
                cosine.pointer, sine.pointer, r.lowerBound, r.count, tokens, heads, width, stride, stride)
        }
        if let wSlot {
            tape.accumulate(wSlot, shape: w0.shape) { dw, accumulates in
                Parallel.rowSums(rows: rows, width: width, into: dw.pointer, accumulates: accumulates, run)
            }
        } else {
            Parallel.rows(rows, width: heads * width) { run(nil, $0) }
        }
        if let xSlot, let dx { tape.add(dx, to: xSlot) }
    }
}
