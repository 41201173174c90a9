import TensorCore

/// A convolution with its weight under `name.weight` [out, height, width, in] and its bias under `name.bias` [out].
public struct Convolution {
    public let weight: Parameter
    public let bias: Parameter?
    public let window: Window

    /// Weights start normal with `deviation`, biases at 0.
    public init(
        _ name: String, from input: Int, to output: Int, window: Window, bias: Bool = true,
        deviation: Float = ParameterBuilder.deviation, in builder: ParameterBuilder
    ) {
        self.window = window
        weight = builder.normal("\(name).weight", [output, window.height, window.width, input], deviation: deviation)
        self.bias = bias ? builder.zeros("\(name).bias", [output]) : nil
    }

    /// x [B, H, W, in] → [B, H', W', out].
    public func callAsFunction(_ x: Tensor, on tape: Tape?) -> Tensor {
        conv2d(x, weight: weight(on: tape), bias: bias?(on: tape), window: window)
    }

    /// The derivative along `tangent`, wherever it is taken: the bias does not change.
    public func tangent(_ tangent: Tensor, on tape: Tape?) -> Tensor { conv2d(tangent, weight: weight(on: tape), window: window) }
}
