import CKernels

/// The numbers of one AdamW update (method §4.5).
public struct AdamWUpdate {
    public var rate, beta1, beta2, epsilon, decay: Double
    /// 1 − βᵗ of both moments.
    public var corrections: (Double, Double)
    /// What gradients are multiplied with first: clipping, and a loss that was a multiple.
    public var gradientScale: Double
    /// The share of the way that the average moves to the new value.
    public var averageRate: Double

    public init(
        rate: Double, beta1: Double, beta2: Double, epsilon: Double, decay: Double, corrections: (Double, Double),
        gradientScale: Double, averageRate: Double
    ) {
        (self.rate, self.beta1, self.beta2, self.epsilon, self.decay) = (rate, beta1, beta2, epsilon, decay)
        (self.corrections, self.gradientScale, self.averageRate) = (corrections, gradientScale, averageRate)
    }

    /// Changes a parameter, its moments and its average in one pass; all have the gradient's shape.
    public func apply(to value: Tensor, moments: (Tensor, Tensor), average: Tensor?, gradient: Tensor) {
        requireValues(value, moments.0, moments.1, gradient)
        let settings = adamw_settings(
            rate: Float(rate), beta1: Float(beta1), beta2: Float(beta2), epsilon: Float(epsilon), decay: Float(decay),
            correction1: Float(corrections.0), correction2: Float(corrections.1), gradient_scale: Float(gradientScale),
            average_rate: Float(averageRate))
        let (value, first, second) = (value.pointer, moments.0.pointer, moments.1.pointer)
        let (average, count, gradient) = (average?.pointer, gradient.count, gradient.pointer)
        Parallel.ranges(count, grain: 16384) { r in
            let at = r.lowerBound
            adamw_step(value + at, first + at, second + at, average.map { $0 + at }, gradient + at, settings, r.count)
        }
    }
}

/// The length of all gradients together. Entries that are not finite count as 0 (NaN) or ±1e5, as the update takes them, and
/// are counted.
public func gradientNorm(of gradients: [Tensor]) -> (norm: Double, replaced: Int) {
    var (sum, replaced) = (0.0, 0)
    for gradient in gradients {
        requireValues(gradient)
        // Fixed chunks: the sum does not depend on the number of threads.
        let chunk = 1 << 17
        let parts = (gradient.count + chunk - 1) / chunk
        var sums = [(Double, Int)](repeating: (0, 0), count: parts)
        sums.withUnsafeMutableBufferPointer { buffer in
            nonisolated(unsafe) let sums = buffer.baseAddress!
            Parallel.chunks(parts) { part in
                let lower = part * chunk
                let total = gradient_sum_of_squares(
                    gradient.pointer + lower, &sums[part].1, min(chunk, gradient.count - lower))
                sums[part].0 = total
            }
        }
        for part in sums {
            sum += part.0
            replaced += part.1
        }
    }
    return (sum.squareRoot(), replaced)
}
