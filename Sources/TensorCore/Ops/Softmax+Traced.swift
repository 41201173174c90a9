import StableHLO

/// Traced forms of `Softmax.swift`.
extension Program {
    func softmax(_ x: Tensor, scale: Float) -> Tensor {
        let y = softmaxRows(node(x) * Double(scale))
        return record(y, from: [x]) { dy in [softmaxGradient(dy, y) * Double(scale)] }
    }

    /// softmax over the last axis.
    func softmaxRows(_ x: Node) -> Node {
        let weights = (x - x.rowMaxima.alongRows(of: x)).exp
        return weights / weights.rowSums.alongRows(of: weights)
    }

    func crossEntropy(_ logits: Tensor, targets: TokenTensor) -> Tensor {
        let rows = CrossEntropyRows(node(logits), targets: node(targets))
        return record(rows.loss, from: [logits]) { [rows.gradient($0)] }
    }
}

/// P∘(dP − ΣP∘dP): the gradient of what P is the softmax of.
func softmaxGradient(_ dp: Node, _ p: Node) -> Node { p * (dp - (dp * p).rowSums.alongRows(of: dp)) }

/// −log softmax(x)[target] of each row, and its gradient.
struct CrossEntropyRows {
    private let x, targets, logSum: Node
    let loss: Node

    /// x [..., V], targets [...]; greatest entry and sum of exponentials are found in one pass over x.
    ///
    /// - Parameter stored: what lies in memory of x, equal to it at the targets; nil: x itself.
    init(_ x: Node, targets: Node, stored: Node? = nil) {
        let program = x.program
        let f = program.function
        let pair = f.reduce(
            [x.value, f.constant(1, like: x.value)], start: [f.constant(-1e30, [], x.element), f.constant(0, [], x.element)],
            axes: [x.rank - 1]
        ) { a, b in
            let greatest = f.maximum(a[0], b[0])
            func scaled(_ v: [Value]) -> Value { f.multiply(v[1], f.apply(.exponential, f.subtract(v[0], greatest))) }
            return [greatest, f.add(scaled(a), scaled(b))]
        }.map(program.node)
        let count = targets.shape.elementCount
        let own = (stored ?? x).reshaped([count, x.width]).entries(targets.reshaped([count])).reshaped(targets.shape).wide
        (self.x, self.targets, logSum) = (x, targets, pair[0] + pair[1].log)
        loss = logSum - own
    }

    /// softmax − onehot, of x's shape.
    var slope: Node {
        let isTarget = x.program.iota(x.shape, .i32, axis: x.rank - 1).compare(.equal, targets.alongRows(of: x))
        return (x - logSum.alongRows(of: x)).exp - isTarget.converted(to: x.element)
    }

    func gradient(_ dloss: Node) -> Node { slope * dloss.alongRows(of: x) }
}
