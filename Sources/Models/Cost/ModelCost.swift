import NN

/// What a network costs for one image or sequence, worked out from its sizes: nothing is built or allocated.
///
/// FLOPs are those of matrix products and convolutions, a multiplication with its addition counted as two, as PyTorch's
/// `FlopCounterMode` does: 2·m·n·k for [m, k]·[k, n]. Whatever is done element by element is left out, and so is what is
/// computed once a batch (the condition's one row). Attention counts all pairs of positions, causal or not, and not the
/// scores that the backward pass computes again.
public struct ModelCost: Equatable, Sendable {
    /// Numbers in the parameters.
    public var parameters = 0
    /// FLOPs of a forward pass.
    public var forward = 0.0
    /// FLOPs of the parameters' gradients.
    public var parameterGradients = 0.0
    /// FLOPs of the gradients that pass on to what a layer reads.
    public var inputGradients = 0.0
    /// Numbers that a tape holds on to from forward to backward pass.
    public var kept = 0.0

    public init() {}

    /// FLOPs of a forward and a backward pass.
    public var training: Double { forward + parameterGradients + inputGradients }
    /// The same with frozen parameters, which gradients pass through.
    public var passing: Double { forward + inputGradients }

    public static func + (a: ModelCost, b: ModelCost) -> ModelCost {
        var sum = a
        sum += b
        return sum
    }

    public static func += (a: inout ModelCost, b: ModelCost) {
        a.parameters += b.parameters
        a.forward += b.forward
        a.parameterGradients += b.parameterGradients
        a.inputGradients += b.inputGradients
        a.kept += b.kept
    }

    /// So many networks or layers of this kind.
    public static func * (count: Int, cost: ModelCost) -> ModelCost {
        var product = cost
        product.parameters *= count
        product.forward *= Double(count)
        product.parameterGradients *= Double(count)
        product.inputGradients *= Double(count)
        product.kept *= Double(count)
        return product
    }

    /// Parameters that take part in no product, such as norms and queries.
    static func values(_ count: Int) -> ModelCost {
        var cost = ModelCost()
        cost.parameters = count
        return cost
    }

    /// Numbers kept for the backward pass.
    static func keeping(_ count: Int) -> ModelCost {
        var cost = ModelCost()
        cost.kept = Double(count)
        return cost
    }

    /// A linear layer on `rows` rows: y = x·Wᵀ, dW = dyᵀ·x, dx = dy·W, each 2·rows·input·output.
    ///
    /// - Parameter isFirst: it reads data, whose gradient is not needed.
    static func linear(rows: Int, from input: Int, to output: Int, bias: Bool, isFirst: Bool = false) -> ModelCost {
        var cost = values(input * output + (bias ? output : 0))
        cost.forward = 2 * Double(rows) * Double(input) * Double(output)
        cost.parameterGradients = cost.forward
        cost.inputGradients = isFirst ? 0 : cost.forward
        return cost
    }

    /// A convolution whose output has `places` pixels of `output` channels.
    static func convolution(
        places: Int, window: Int, from input: Int, to output: Int, bias: Bool, isFirst: Bool = false
    ) -> ModelCost {
        linear(rows: places, from: window * window * input, to: output, bias: bias, isFirst: isFirst)
    }
}

extension TransformerShape {
    /// Layers on a sequence of `length`, with condition embedding and, where there is one, the output norm.
    func cost(length: Int, labels: Int, conditionWidth c: Int, outputNorm: Bool) -> ModelCost {
        let affine = c * width + width
        let condition = labels * c + c + c
        return ModelCost.values(condition + (outputNorm ? affine : 0))
            // What the first layer reads, and what the output norm makes.
            + .keeping((outputNorm ? 2 : 1) * length * width) + layers * layerCost(length: length, conditionWidth: c)
    }

    /// FLOPs of attention itself, Q·Kᵀ and P·V over all pairs, in the forward pass of all layers.
    func attention(length: Int) -> Double { Double(layers) * 4 * Double(length) * Double(length) * Double(width) }

    private func layerCost(length: Int, conditionWidth c: Int) -> ModelCost {
        func linear(_ input: Int, _ output: Int, bias: Bool) -> ModelCost {
            .linear(rows: length, from: input, to: output, bias: bias)
        }
        var attention = ModelCost()
        attention.forward = 4 * Double(length) * Double(length) * Double(width)
        // dQ, dK, dV and the gradient of the probabilities.
        attention.inputGradients = 2 * attention.forward
        let projections =
            linear(width, width, bias: false) + linear(width, 2 * width, bias: false) + linear(width, width, bias: biases)
        let feedForward = linear(width, 2 * hidden, bias: biases) + linear(hidden, width, bias: biases)
        // Two norms' affines, two gates, the norms of queries and keys.
        let vectors = 2 * (c * width + width) + 2 * (c * width + (biases ? width : 0)) + 2 * headWidth
        // Each branch: what its norm makes, its own output, the residual sum; between them q, k, v, rotated q and k, and what
        // attention gives; then fc1's gate and value and their product.
        let kept = length * (6 * width + 6 * width + 3 * hidden + 3 * heads + 2)
        return projections + attention + feedForward + .values(vectors) + .keeping(kept)
    }
}
