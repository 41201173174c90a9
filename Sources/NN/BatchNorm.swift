import TensorCore

/// Batch norm over the channels of images, ε 1e-5, with running moments for inference (momentum 0.1, as in PyTorch).
public struct BatchNorm {
    /// Whose moments normalise.
    public enum Moments {
        /// The batch's own.
        case batch
        /// The batch's own, which enter the running ones.
        case observed
        /// The running ones, which gradients do not pass through.
        case running
    }

    public let weight, bias: Parameter
    /// Not trained; names end in `running_mean` and `running_var`.
    public let runningMean, runningVariance: Parameter
    private static let momentum: Float = 0.1

    /// The weight starts around 1 as pix2pix has it, the bias at 0.
    public init(_ name: String, channels: Int, in builder: ParameterBuilder) {
        weight = builder.normal("\(name).weight", [channels], mean: 1)
        bias = builder.zeros("\(name).bias", [channels])
        runningMean = builder.buffer("\(name).running_mean", [channels], repeating: 0)
        runningVariance = builder.buffer("\(name).running_var", [channels], repeating: 1)
    }

    public func callAsFunction(_ x: Tensor, _ moments: Moments, on tape: Tape?) -> Tensor {
        if case .running = moments {
            return frozenBatchNorm(
                x, weight: weight(on: tape), bias: bias(on: tape),
                moments: ChannelMoments(mean: runningMean.value, variance: runningVariance.value))
        }
        let own = ChannelMoments(of: x)
        if case .observed = moments { observe(own) }
        return batchNorm(x, weight: weight(on: tape), bias: bias(on: tape), moments: own)
    }

    /// x with the derivative along `tangent`, both of the batch's own moments: what `callAsFunction(x, .batch)` gives, and how it
    /// changes.
    public func withTangent(_ x: Tensor, along tangent: Tensor, on tape: Tape?) -> (value: Tensor, tangent: Tensor) {
        let (own, weight) = (ChannelMoments(of: x), weight(on: tape))
        return (
            batchNorm(x, weight: weight, bias: bias(on: tape), moments: own),
            batchNormTangent(x, along: tangent, weight: weight, moments: own)
        )
    }

    /// Running moments move a tenth of the way; the variance is that over n − 1.
    private func observe(_ own: ChannelMoments) {
        let count = own.count ?? 1
        let unbiased = Float(count) / Float(max(1, count - 1))
        runningMean.moveAverage(towards: own.mean, rate: Self.momentum)
        runningVariance.moveAverage(towards: own.variance, times: unbiased, rate: Self.momentum)
    }
}
