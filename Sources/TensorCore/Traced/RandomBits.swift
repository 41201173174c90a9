import Foundation
import StableHLO

/// What a random mask is drawn from: the same bits for the same key, however the work is split.
public struct MaskKey: ExpressibleByIntegerLiteral, Sendable {
    enum Content: Sendable {
        case number(UInt64)
        /// Type ui64, shape [].
        case node(Node)
    }

    let content: Content

    public init(_ number: UInt64) { content = .number(number) }
    public init(integerLiteral number: UInt64) { self.init(number) }
    init(_ node: Node) { content = .node(node) }

    /// A number, where it is one; a key of a program is none before that runs.
    var number: UInt64 {
        switch content {
        case .number(let number): return number
        case .node(let node): fatalError("a key of the program '\(node.program.name)' has no value before it runs")
        }
    }
}

extension MaskKey {
    /// The key of the part of a mask that begins at entry `index`·`count`, `index` a single id.
    public func part(_ index: TokenTensor, of count: Int) -> MaskKey {
        let step = UInt64(count) &* Self.increment
        guard let place = index.node else {
            guard case .number(let number) = content else { fatalError("a part of a program's mask is numbered by the program") }
            return MaskKey(number &+ UInt64(index.ids[0]) &* step)
        }
        let program = place.program
        func node(_ bits: UInt64) -> Node { program.node(program.function.constant(bits: bits, [])) }
        let start: Node =
            switch content {
            case .number(let number): node(number)
            case .node(let node): node
            }
        return MaskKey(start + place.reshaped([]).converted(to: .ui64) * node(step))
    }

    /// What the mixed bits of neighbouring entries are apart before they are mixed.
    static let increment: UInt64 = 0x9E37_79B9_7F4A_7C15
}

/// Where ops draw from: a `RandomStream`, or one that is the input of a program.
public protocol RandomSource: Sendable {
    mutating func nextMaskKey() -> MaskKey
    /// Gumbel noise −log(−log u), [count], of a source that nothing has been drawn from.
    func gumbelNoise(_ count: Int) -> Tensor
}

extension RandomStream: RandomSource {
    public mutating func nextMaskKey() -> MaskKey { MaskKey(nextKey()) }

    public func gumbelNoise(_ count: Int) -> Tensor {
        var stream = self
        return Tensor([count]) { Float(-log(-log((Double(stream.nextBits()) + 0.5) * 0x1p-32))) }
    }
}

/// A `RandomStream` that is the input of a program, and draws the same bits: the program is made once and runs for every step
/// and seed.
public struct TracedStream: RandomSource {
    private let program: Program
    /// Key and step, [2] each, of type ui32.
    private let key, step: Node
    private var block = 0
    private var words: [Node] = []

    fileprivate init(_ program: Program, _ words: Node) {
        self.program = program
        (key, step) = (words.sliced(0, 0..<2), words.sliced(0, 2..<4))
    }

    /// Bits of the next draws of 32, [count], as they come one after another.
    ///
    /// Draws begin with a block of four; what a former call has left of one is not used, as it is by a stream with values.
    private mutating func blocks(_ count: Int) -> [Node] {
        let counter = program.iota([count], .ui32, axis: 0) + Double(block)
        block += count
        let high = program.constant(0, [count], .ui32)
        func word(_ node: Node, _ place: Int) -> Node { node.sliced(0, place..<place + 1).reshaped([]).broadcast(to: [count], axes: []) }
        return program.philox([counter, high, word(step, 0), word(step, 1)], key: [word(key, 0), word(key, 1)])
    }

    public mutating func nextMaskKey() -> MaskKey {
        if words.isEmpty { words = blocks(1).map { $0.reshaped([]) } }
        let (high, low) = (words.removeFirst().converted(to: .ui64), words.removeFirst().converted(to: .ui64))
        let shift = high.constant(32)
        return MaskKey(program.node(program.function.apply(.shiftLeft, high.value, shift.value)).or(low))
    }

    /// The same noise as that of a `RandomStream` with the same bits, to the rounding of float32.
    public func gumbelNoise(_ count: Int) -> Tensor {
        let bits = bits(count)
        // −log u by way of 1 − u where u is near 1: both are sums of 32 bits and a half, exact but for one rounding.
        let (u, rest) = ((bits.wide + 0.5) * 0x1p-32, (bits.apply(.not).wide + 0.5) * 0x1p-32)
        let minusLog = -u.compare(.less, 0.5).select(u.log, (-rest).apply(.logPlusOne))
        return Tensor(-minusLog.log)
    }

    /// Bits [count] of a stream that nothing has been drawn from, in its order.
    private func bits(_ count: Int) -> Node {
        require(block == 0 && words.isEmpty, "bits of a stream that has been drawn from")
        var stream = self
        let columns = stream.blocks((count + 3) / 4).map { $0.reshaped([$0.shape[0], 1]) }
        return Node.concatenated(columns, axis: 1).reshaped([4 * columns[0].shape[0]]).sliced(0, 0..<count)
    }

    /// The same for a stream that is at hand: what the input named like it is given, [4].
    public static func words(of stream: RandomStream) -> [UInt32] { stream.words }
}

extension Program {
    /// A stream that is given when the program runs, as `TracedStream.words(of:)`.
    public func stream(_ name: String) -> TracedStream { TracedStream(self, input(name, [4], .ui32)) }

    /// One Philox 4×32-10 block for each counter; all of equal shape and type ui32.
    func philox(_ counter: [Node], key: [Node]) -> [Node] {
        call("philox\(counter[0].shape.map { "_\($0)" }.joined())", counter + key) { arguments in
            func product(_ x: Node, _ factor: Double) -> (high: Node, low: Node) {
                let wide = x.converted(to: .ui64) * factor
                return (wide.shiftedRight(32).converted(to: .ui32), wide.converted(to: .ui32))
            }
            var (c, k) = (Array(arguments[..<4]), Array(arguments[4...]))
            for _ in 0..<10 {
                let (a, b) = (product(c[0], 0xD251_1F53), product(c[2], 0xCD9E_8D57))
                c = [b.high.xor(c[1]).xor(k[0]), b.low, a.high.xor(c[3]).xor(k[1]), a.low]
                k = [k[0] + 0x9E37_79B9, k[1] + 0xBB67_AE85]
            }
            return c
        }
    }

    /// Truth values of 32 mixed bits being at least `p`·2³² for each counter, of type ui64: what a dropout keeps.
    func keeps(_ p: Float, _ key: MaskKey, counters: Node) -> Node {
        func number(_ bits: UInt64) -> Node { node(function.constant(bits: bits, [])) }
        let start: Node =
            switch key.content {
            case .number(let key): number(key)
            case .node(let node): node
            }
        var z = start + counters * number(MaskKey.increment)
        z = z.xor(z.shiftedRight(30)) * number(0xBF58_476D_1CE4_E5B9)
        z = z.xor(z.shiftedRight(27)) * number(0x94D0_49BB_1331_11EB)
        return z.shiftedRight(32).converted(to: .ui32).compare(.greaterOrEqual, Double(UInt32(Double(p) * 0x1p32)))
    }

    /// 0, 1, 2, … in row-major order.
    func counters(_ shape: Shape) -> Node { iota([shape.elementCount], .ui64, axis: 0).reshaped(shape) }

    /// What a dropout makes of x: entries that are not kept become 0, the others grow.
    func dropped(_ x: Node, _ p: Float, keeps: Node) -> Node { keeps.select(x * Double(1 / (1 - p)), 0) }
}
