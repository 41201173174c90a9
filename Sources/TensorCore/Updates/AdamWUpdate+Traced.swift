/// Traced forms of `AdamWUpdate.swift`.
///
/// Numbers that change from step to step come in as a tensor, so that one program serves all steps.
public struct TracedAdamW {
    /// What a step is told: rate, 1 − β₁ᵗ, 1 − β₂ᵗ, the average's rate.
    public static let numberCount = 4

    private let program: Program
    private let beta1, beta2, epsilon: Double
    /// Shape [] each.
    private let rate, correction1, correction2, averageRate: Node
    /// With what gradients are multiplied: clipping.
    private let gradientScale: Node

    /// - Parameters:
    ///   - numbers: as `numberCount` says.
    ///   - norm: that of `gradientNorm`, [1].
    ///   - clip: the largest global gradient norm.
    public init(
        _ program: Program, beta1: Double, beta2: Double, epsilon: Double, numbers: Tensor, norm: Tensor, clip: Double?, scale: Double
    ) {
        self.program = program
        (self.beta1, self.beta2, self.epsilon) = (beta1, beta2, epsilon)
        let all = program.node(numbers)
        func number(_ place: Int) -> Node { all.sliced(0, place..<place + 1).reshaped([]) }
        (rate, correction1, correction2, averageRate) = (number(0), number(1), number(2), number(3))
        let whole = program.constant(scale, [])
        gradientScale = clip.map { whole * (Double($0) / (program.node(norm).reshaped([]) + 1e-6)).minimum(1) } ?? whole
    }

    /// The next values of a parameter, its moments and its average. A rate of 0 leaves all as they are.
    public func callAsFunction(
        _ value: Tensor, moments: (Tensor, Tensor), average: Tensor?, gradient: Tensor?, decay: Double
    ) -> (value: Tensor, moments: (Tensor, Tensor), average: Tensor?) {
        let (x, m, v) = (program.node(value), program.node(moments.0), program.node(moments.1))
        let g = (gradient.map { finite(program.node($0).reshaped(x.shape)) } ?? x.constant(0)) * gradientScale
        let first = m + Double(1 - Float(beta1)) * (g - m)
        let second = Double(Float(beta2)) * v + Double(1 - Float(beta2)) * g * g
        let root = 1 / correction2.squareRoot
        let next = x * (1 - rate * decay) - (rate / correction1) * first / (second.squareRoot * root + epsilon)
        let isActive = rate.compare(.greater, 0).broadcast(to: x.shape, axes: [])
        let kept = isActive.select(next, x)
        let mean = average.map { program.node($0) }.map { $0 + averageRate * (kept - $0) }
        return (
            Tensor(kept), (Tensor(isActive.select(first, m)), Tensor(isActive.select(second, v))),
            mean.map { mean in Tensor(isActive.select(mean, average.map { program.node($0) } ?? mean)) }
        )
    }
}

/// NaN → 0, ±∞ → ±1e5.
private func finite(_ g: Node) -> Node {
    let isNumber = g.compare(.equal, g)
    let isInfinite = g.abs.compare(.equal, .infinity)
    return isNumber.select(isInfinite.select(g.apply(.sign) * 1e5, g), 0)
}

extension Program {
    /// The length of all gradients together, [1], and how many entries were not finite, [1]; both float32. Where replicas share state
    /// out, of gradients of which each has its part.
    public func gradientNorm(of gradients: [Tensor]) -> (norm: Tensor, replaced: Tensor) {
        var (sum, replaced) = (constant(0, []), constant(0, []))
        for gradient in gradients.map(node) {
            sum = sum + finite(gradient).squared.sum
            let isFinite = node(function.isFinite(gradient.value))
            replaced = replaced + isFinite.select(gradient.constant(0), 1).sum
        }
        return (Tensor(sumOverShards(sum).squareRoot.reshaped([1])), Tensor(sumOverShards(replaced).reshaped([1])))
    }
}
