import CKernels

/// Mean and variance (over n, not n − 1) of each channel.
public struct ChannelMoments {
    public let mean, variance: Tensor
    /// How many numbers of a channel they are of, those of all devices that share a batch; nil where that is not known.
    public let count: Int?

    /// - Parameter mean: [C], as is `variance`.
    public init(mean: Tensor, variance: Tensor) {
        require(mean.count == variance.count, "moments of shapes \(mean.shape) and \(variance.shape)")
        self.mean = mean.detached()
        self.variance = variance.detached()
        count = nil
    }

    /// Those of the last axis of `x`, over all others.
    public init(of x: Tensor) {
        if let program = Program.tracing(x) {
            (mean, variance) = program.moments(of: x)
            count = x.rows * program.replicas
            return
        }
        let (rows, channels) = (x.rows, x.width)
        count = rows
        mean = Tensor(uninitialized: [channels])
        Parallel.rowSums(rows: rows, width: channels, into: mean.pointer, accumulates: false) { sum, rows in
            add_row_sum(sum, x.pointer + rows.lowerBound * channels, rows.count, channels)
        }
        scale_out(mean.pointer, mean.pointer, 1 / Float(rows), channels)
        variance = Tensor(uninitialized: [channels])
        Parallel.rowSums(rows: rows, width: channels, into: variance.pointer, accumulates: false) { [mean] sum, rows in
            add_squared_deviations(
                sum, x.pointer + rows.lowerBound * channels, mean.pointer, rows.count, channels)
        }
        scale_out(variance.pointer, variance.pointer, 1 / Float(rows), channels)
    }

    /// 1/√(variance + ε)
    func inverse(_ epsilon: Double) -> Tensor {
        Tensor(variance.values.map { Float(1 / (Double($0) + epsilon).squareRoot()) }, shape: variance.shape)
    }
}

/// Batch norm of training (Ioffe and Szegedy 2015): (x − mean)/√(variance + ε)·weight + bias with the moments of x
/// itself, which gradients pass through; x [..., C], weight and bias [C]. `moments` must be those of x.
public func batchNorm(
    _ x: Tensor, weight: Tensor, bias: Tensor, moments: ChannelMoments, epsilon: Double = 1e-5
) -> Tensor {
    channelNorm(x, weight, bias, moments, epsilon, op: "batchNorm", momentsFollow: true)
}

/// Batch norm with moments that are given, and constants to the gradient: that of inference.
public func frozenBatchNorm(
    _ x: Tensor, weight: Tensor, bias: Tensor, moments: ChannelMoments, epsilon: Double = 1e-5
) -> Tensor {
    channelNorm(x, weight, bias, moments, epsilon, op: "frozenBatchNorm", momentsFollow: false)
}

private func channelNorm(
    _ x: Tensor, _ weight: Tensor, _ bias: Tensor, _ moments: ChannelMoments, _ epsilon: Double, op: StaticString,
    momentsFollow: Bool
) -> Tensor {
    let (rows, channels) = (x.rows, x.width)
    require(
        weight.count == channels && bias.count == channels && moments.mean.count == channels,
        "\(op): x \(x.shape), weight \(weight.shape), bias \(bias.shape), moments \(moments.mean.shape) do not fit")
    if let program = Program.tracing(x, weight, bias, moments.mean, moments.variance) {
        return program.channelNorm(x, weight, bias, moments, epsilon, momentsFollow: momentsFollow, op: op)
    }
    let (mean, inverse) = (moments.mean, moments.inverse(epsilon))
    let y = Tensor(uninitialized: x.shape)
    Parallel.rows(rows, width: channels) { r in
        let at = r.lowerBound * channels
        channel_norm_forward(
            y.pointer + at, x.pointer + at, mean.pointer, inverse.pointer, weight.pointer, bias.pointer, r.count,
            channels)
    }

    // db = Σ dy, dw = Σ dy·x̂, dx = w/σ·(dy − (db + x̂·dw)/n); frozen: dx = w/σ·dy
    let (xSlot, weightSlot, biasSlot) = (x.slot, weight.slot, bias.slot)
    let (x0, weight0) = (x.detached(), weight.detached())
    return Tape.record(y, from: [x, weight, bias], op: op) { dy, tape in
        let sums = Tensor(uninitialized: [2, channels])
        Parallel.rowSums(rows: rows, width: 2 * channels, into: sums.pointer, accumulates: false) { sum, r in
            let at = r.lowerBound * channels
            channel_norm_sums(
                sum, dy.pointer + at, x0.pointer + at, mean.pointer, inverse.pointer, r.count, channels)
        }
        if let xSlot {
            let (dx, slopes) = (Tensor(uninitialized: x0.shape), Tensor.zeros([2, channels]))
            if momentsFollow {
                for i in 0..<2 * channels {
                    slopes.pointer[i] = weight0.pointer[i % channels] * sums.pointer[i] / Float(rows)
                }
            }
            Parallel.rows(rows, width: channels) { r in
                let at = r.lowerBound * channels
                channel_norm_backward(
                    dx.pointer + at, dy.pointer + at, x0.pointer + at, mean.pointer, inverse.pointer, weight0.pointer,
                    slopes.pointer, slopes.pointer + channels, r.count, channels)
            }
            tape.add(dx, to: xSlot)
        }
        if let biasSlot { tape.add(Tensor(Array(sums.values[..<channels]), shape: [channels]), to: biasSlot) }
        if let weightSlot { tape.add(Tensor(Array(sums.values[channels...]), shape: [channels]), to: weightSlot) }
    }
}
