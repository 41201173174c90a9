import TensorCore

/// y = x·Wᵀ + b with W under `name.weight` [out, in] and b under `name.bias` [out].
public struct Linear {
    public let weight: Parameter
    public let bias: Parameter?

    /// `scale` multiplies the initial weights: 1e-5 for norm affines, gates and the decoder's head.
    public init(
        _ name: String, from input: Int, to output: Int, bias: Bool = true, scale: Float = 1,
        in builder: ParameterBuilder
    ) {
        self.bias = bias ? builder.zeros("\(name).bias", [output]) : nil
        weight = builder.normal("\(name).weight", [output, input], scale: scale)
    }

    public func callAsFunction(_ x: Tensor, on tape: Tape?) -> Tensor {
        linear(x, weight: weight(on: tape), bias: bias?(on: tape))
    }

    /// Weight and bias as inputs of a fused op.
    func blockWeight(on tape: Tape?) -> BlockWeight { BlockWeight(weight(on: tape), bias: bias?(on: tape)) }
}
