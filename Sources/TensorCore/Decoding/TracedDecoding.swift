/// A loop of a program over tensors.
extension Program {
    /// Repeats `body` for index `first`, `first` + 1, … `end` − 1, of shape [], on tensors and ids that it carries from turn to turn;
    /// what is replaced there lies in the same memory.
    package func loop(
        _ end: Int, from first: Int = 0, _ tensors: [Tensor], _ tokens: [TokenTensor],
        _ body: (_ index: TokenTensor, [Tensor], [TokenTensor]) -> (tensors: [Tensor], tokens: [TokenTensor])
    ) -> (tensors: [Tensor], tokens: [TokenTensor]) {
        func split(_ nodes: [Node]) -> (tensors: [Tensor], tokens: [TokenTensor]) {
            (nodes[..<tensors.count].map { Tensor(carried: $0) }, nodes[tensors.count...].map { TokenTensor($0) })
        }
        let results = loop(end, from: first, tensors.map(node) + tokens.map(node)) { index, carried in
            let (tensors, tokens) = split(carried)
            let next = body(TokenTensor(index), tensors, tokens)
            return next.tensors.map(node) + next.tokens.map(node)
        }
        return split(results)
    }

    /// Column `index`, a single id, of [rows, n] becomes `column` [rows].
    package func replaced(_ ids: TokenTensor, column index: TokenTensor, by column: TokenTensor) -> TokenTensor {
        let part = node(column).reshaped([column.count, 1])
        return TokenTensor(node(ids).updated(with: part, [constant(0, [], .i32), node(index)]))
    }

    /// Column `index` of [rows, n] → [rows].
    package func column(_ index: TokenTensor, of ids: TokenTensor) -> TokenTensor {
        let rows = ids.shape[0]
        return TokenTensor(node(ids).dynamicSlice([constant(0, [], .i32), node(index)], sizes: [rows, 1]).reshaped([rows]))
    }

    /// Entry `index` of a list → [1].
    package func entry(_ index: TokenTensor, of list: Tensor) -> Tensor { Tensor(node(list).dynamicSlice([node(index)], sizes: [1])) }
    package func entry(_ index: TokenTensor, of list: TokenTensor) -> TokenTensor {
        TokenTensor(node(list).dynamicSlice([node(index)], sizes: [1]))
    }

    /// Zeros, which a loop may begin its sums with.
    package func zeros(_ shape: Shape) -> Tensor { Tensor(constant(0, shape)) }

    /// s·a + (1 − s)·b of rows i and count + i of x [2·count, …], s a single number.
    package func mixedBranches(_ x: Tensor, scale: Tensor) -> Tensor {
        let (value, count) = (node(x), x.shape[0] / 2)
        let (a, b) = (value.sliced(0, 0..<count), value.sliced(0, count..<2 * count))
        let s = node(scale).reshaped([])
        return Tensor(s * a + (1 - s) * b)
    }

    /// `given` where that is not negative, else `drawn`.
    package func chosen(_ drawn: TokenTensor, given: TokenTensor) -> TokenTensor {
        let ids = node(given)
        return TokenTensor(ids.compare(.greaterOrEqual, 0).select(ids, node(drawn)))
    }
}

/// A weight [out, in] as a loop multiplies by it in bfloat16: rounded once, before the loop.
package struct BFloat16Weight {
    fileprivate let node: Node
}

extension Program {
    package func rounded(_ weight: Tensor) -> BFloat16Weight { BFloat16Weight(node: node(weight).rounded) }

    /// x·Wᵀ + b: factors are of bfloat16, their products summed in float32; the result is rounded to bfloat16 where it is to be.
    package func product(_ x: Tensor, _ weight: BFloat16Weight, bias: Tensor?, rounds: Bool) -> Tensor {
        let factor = node(x).rounded
        if rounds, bias == nil { return Tensor(factor.timesRows(of: weight.node, .bf16).wide) }
        let sums = factor.timesRows(of: weight.node)
        let y = bias.map { sums + node($0).alongColumns(of: sums) } ?? sums
        return Tensor(rounds ? y.rounded.wide : y)
    }
}

extension Tensor {
    /// What a loop carries: caches may be of bfloat16, which ops do not take.
    fileprivate init(carried node: Node) { self.init(shape: node.shape, content: .node(node), trace: nil) }
}

/// Keys and values of a loop that decodes token by token: a pair of tensors [rows, capacity, D] a layer, which the loop carries.
package final class TracedCache: DecodingCache {
    package let rows: Int
    /// Keys and values of all layers, in turn: what the loop carries on.
    package private(set) var tensors: [Tensor]
    private let program: Program
    private let heads: Int
    private let index: Node
    private let seen: Int

    /// - Parameter seen: tokens that attention reads, more than `index`: what lies behind is not read at all.
    package init(_ program: Program, carried: [Tensor], heads: Int, index: TokenTensor, seen: Int) {
        (self.program, tensors, self.heads, rows, self.seen) = (program, carried, heads, carried[0].shape[0], seen)
        self.index = program.node(index)
    }

    /// What a loop begins with. Caches that round hold bfloat16.
    package static func empty(
        layers: Int, rows: Int, capacity: Int, width: Int, rounds: Bool = false, in program: Program
    ) -> [Tensor] {
        (0..<2 * layers).map { _ in Tensor(carried: program.constant(0, [rows, capacity, width], rounds ? .bf16 : .f32)) }
    }

    package func position(in table: RotaryTable) -> RotaryTable { table.token(index) }

    package func attend(layer: Int, q: Tensor, k: Tensor, kv: Tensor) -> Tensor {
        let (width, d, zero) = (q.width, q.width / heads, program.constant(0, [], .i32))
        func entered(_ place: Int, _ part: Node) -> Node {
            let cache = program.node(tensors[place])
            let all = cache.updated(with: part.converted(to: cache.element), [zero, index, zero])
            tensors[place] = Tensor(carried: all)
            return all.sliced(1, 0..<seen).reshaped([rows, seen, heads, d])
        }
        let keys = entered(2 * layer, program.node(k))
        let values = entered(2 * layer + 1, program.node(kv).sliced(2, width..<2 * width))
        let queries = program.node(q).reshaped([rows, heads, d]).converted(to: keys.element)
        let scores = queries.dot(keys, ([2], [3]), batch: ([0, 1], [0, 2])) * Double(1 / Float(d).squareRoot())
        let isSeen = program.iota(scores.shape, .i32, axis: 2).compare(.lessOrEqual, index)
        let p = program.softmaxRows(isSeen.select(scores, -1e30)).converted(to: values.element)
        return Tensor(p.dot(values, ([2], [1]), batch: ([0, 1], [0, 2])).reshaped(q.shape))
    }

    package func advance() {}
}

extension RotaryTable {
    /// The angles of one token, whose number is known when the program runs.
    fileprivate func token(_ index: Node) -> RotaryTable {
        func row(_ table: Tensor) -> Tensor {
            let program = index.program
            return Tensor(program.node(table).dynamicSlice([index, program.constant(0, [], .i32)], sizes: [1, table.width]))
        }
        return RotaryTable(cosine: row(cosine), sine: row(sine))
    }
}
