import CKernels

/// Derivatives of ops along a direction, themselves differentiable: what a penalty on a gradient is made of. The derivative of a sum
/// of outputs along a fixed v is ⟨v, gradient⟩, and its gradient, played back as any other, is the second derivative times v.

/// The derivative of `leakyReLU` at x along `tangent`. It is constant in x except at the kinks, where it has no derivative and none
/// is taken.
public func leakyReLUTangent(_ x: Tensor, along tangent: Tensor, slope: Float) -> Tensor {
    require(x.shape == tangent.shape, "leakyReLUTangent: shapes \(x.shape) and \(tangent.shape) differ")
    if let program = Program.tracing(x, tangent) { return program.leakyReLUTangent(x, along: tangent, slope: slope) }
    let (slot, x0) = (tangent.slot, x.detached())
    func product(_ u: Tensor) -> Tensor {
        let y = Tensor(uninitialized: x0.shape)
        Parallel.elements(y.count) { r in
            leaky_relu_backward(y.pointer + r.lowerBound, u.pointer + r.lowerBound, x0.pointer + r.lowerBound, slope, r.count)
        }
        return y
    }
    return Tape.record(product(tangent.detached()), from: [tangent]) { dy, tape in
        if let slot { tape.add(product(dy), to: slot) }
    }
}

/// The derivative along `tangent` of `batchNorm` at x, which the moments of x follow: per channel w·J·u with
/// J = 1/σ·(1 − 1·1ᵀ/n − x̂·x̂ᵀ/n); x and tangent u [..., C], weight w [C].
public func batchNormTangent(
    _ x: Tensor, along tangent: Tensor, weight: Tensor, moments: ChannelMoments, epsilon: Double = 1e-5
) -> Tensor {
    let (rows, channels) = (x.rows, x.width)
    require(
        x.shape == tangent.shape && weight.count == channels && moments.mean.count == channels,
        "batchNormTangent: x \(x.shape), tangent \(tangent.shape), weight \(weight.shape), moments \(moments.mean.shape) do not fit")
    if let program = Program.tracing(x, tangent, weight, moments.mean, moments.variance) {
        return program.batchNormTangent(x, along: tangent, weight: weight, moments: moments, epsilon: epsilon)
    }
    let (x0, w0, mean, inverse) = (x.detached(), weight.detached(), moments.mean, moments.inverse(epsilon))
    let ones = Tensor(repeating: 1, shape: [channels])
    /// w·J·u, which is its own transpose, and the means of u and of x̂·u.
    func applied(_ u: Tensor, weight w: Tensor) -> (Tensor, means: [Float]) {
        let sums = Tensor(uninitialized: [2, channels])
        Parallel.rowSums(rows: rows, width: 2 * channels, into: sums.pointer, accumulates: false) { sum, r in
            let at = r.lowerBound * channels
            channel_norm_sums(sum, u.pointer + at, x0.pointer + at, mean.pointer, inverse.pointer, r.count, channels)
        }
        let means = sums.values.map { $0 / Float(rows) }
        let slopes = Tensor(means.indices.map { w.pointer[$0 % channels] * means[$0] }, shape: [2, channels])
        let y = Tensor(uninitialized: x0.shape)
        Parallel.rows(rows, width: channels) { r in
            let at = r.lowerBound * channels
            channel_norm_backward(
                y.pointer + at, u.pointer + at, x0.pointer + at, mean.pointer, inverse.pointer, w.pointer, slopes.pointer,
                slopes.pointer + channels, r.count, channels)
        }
        return (y, means)
    }

    // With t = J·u: du = w·J·dy, dw = Σ dy·t, dx = −1/σ·(mean(x̂u)·du + w·mean(x̂·dy)·t + x̂·w·dw/n)
    let (xSlot, tangentSlot, weightSlot, u0) = (x.slot, tangent.slot, weight.slot, tangent.detached())
    return Tape.record(applied(u0, weight: w0).0, from: [x, tangent, weight]) { dy, tape in
        let (du, ofGradient) = applied(dy, weight: w0)
        let (t, ofTangent) = applied(u0, weight: ones)
        let dw = Tensor(uninitialized: [channels])
        Parallel.rowSums(rows: rows, width: channels, into: dw.pointer, accumulates: false) { sum, r in
            for i in r.lowerBound * channels..<r.upperBound * channels { sum[i % channels] += dy.pointer[i] * t.pointer[i] }
        }
        if let xSlot {
            let dx = Tensor(uninitialized: x0.shape)
            Parallel.rows(rows, width: channels) { r in
                for i in r.lowerBound * channels..<r.upperBound * channels {
                    let c = i % channels
                    let (w, scale) = (w0.pointer[c], inverse.pointer[c])
                    let unit = (x0.pointer[i] - mean.pointer[c]) * scale
                    dx.pointer[i] =
                        -scale
                        * (ofTangent[channels + c] * du.pointer[i] + w * ofGradient[channels + c] * t.pointer[i]
                            + unit * w * dw.pointer[c] / Float(rows))
                }
            }
            tape.add(dx, to: xSlot)
        }
        if let tangentSlot { tape.add(du, to: tangentSlot) }
        if let weightSlot { tape.add(dw, to: weightSlot) }
    }
}
