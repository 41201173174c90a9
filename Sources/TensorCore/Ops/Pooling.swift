import CKernels

/// The largest value in each window; padding never is; [B, H, W, C] → [B, H', W', C]. Of equal ones the first counts.
public func maxPool(_ x: Tensor, window: Window) -> Tensor {
    requireInside(window, op: "maxPool")
    if let program = Program.tracing(x) { return program.maxPool(x, window: window) }
    return pool(x, window, op: "maxPool") { y, x, geometry in
        max_pool_forward(y, x, geometry)
    } backward: { dx, dy, x, y, geometry in
        max_pool_backward(dx, dy, x, y, geometry)
    }
}

/// The mean of each window, over its whole area (padding counts as zeros) or over what lies in the image;
/// [B, H, W, C] → [B, H', W', C].
public func averagePool(_ x: Tensor, window: Window, countingPadding: Bool) -> Tensor {
    requireInside(window, op: "averagePool")
    if let program = Program.tracing(x) { return program.averagePool(x, window: window, countingPadding: countingPadding) }
    return pool(x, window, op: "averagePool") { y, x, geometry in
        average_pool_forward(y, x, geometry, countingPadding ? 1 : 0)
    } backward: { dx, dy, _, _, geometry in
        average_pool_backward(dx, dy, geometry, countingPadding ? 1 : 0)
    }
}

/// A window in the padding alone would have neither a maximum nor a mean.
private func requireInside(_ window: Window, op: String) {
    require(
        max(window.top, window.bottom) < window.height && max(window.left, window.right) < window.width,
        "\(op): padding \(window.top) \(window.left) \(window.bottom) \(window.right) exceeds a window of "
            + "\(window.height)×\(window.width)")
}

/// What pools have in common: images are independent of each other.
private func pool(
    _ x: Tensor, _ window: Window, op: String,
    forward: (_ y: UnsafeMutablePointer<Float>, _ x: UnsafePointer<Float>, image_window) -> Void,
    backward:
        @escaping (
            _ dx: UnsafeMutablePointer<Float>, _ dy: UnsafePointer<Float>, _ x: UnsafePointer<Float>,
            _ y: UnsafePointer<Float>, image_window
        ) -> Void
) -> Tensor {
    let geometry = window.over(x.shape, op: op)
    let batch = x.shape[0]
    let y = Tensor(uninitialized: [batch, geometry.out_height, geometry.out_width, x.width])
    let (inSize, outSize) = (x.count / batch, y.count / batch)
    Parallel.chunks(batch) { b in forward(y.pointer + b * outSize, x.pointer + b * inSize, geometry) }
    let (slot, x0) = (x.slot, x.detached())
    return Tape.record(y, from: [x]) { [y = y.detached()] dy, tape in
        guard let slot else { return }
        let dx = Tensor.zeros(x0.shape)
        Parallel.chunks(batch) { b in
            backward(
                dx.pointer + b * inSize, dy.pointer + b * outSize, x0.pointer + b * inSize, y.pointer + b * outSize,
                geometry)
        }
        tape.add(dx, to: slot)
    }
}

/// Mean over height and width: [B, H, W, C] → [B, C].
public func globalAveragePool(_ x: Tensor) -> Tensor {
    require(x.rank == 4, "globalAveragePool: \(x.shape) is not [B, H, W, C]")
    if let program = Program.tracing(x) { return program.globalAveragePool(x) }
    let (batch, area, channels) = (x.shape[0], x.shape[1] * x.shape[2], x.shape[3])
    let y = Tensor.zeros([batch, channels])
    for b in 0..<batch { add_row_sum(y.pointer + b * channels, x.pointer + b * area * channels, area, channels) }
    scale_out(y.pointer, y.pointer, 1 / Float(area), y.count)
    let (slot, shape) = (x.slot, x.shape)
    return Tape.record(y, from: [x]) { dy, tape in
        guard let slot else { return }
        let dx = Tensor(uninitialized: shape)
        let row = scaled(dy, by: 1 / Float(area))
        for b in 0..<batch {
            fill_rows(dx.pointer + b * area * channels, row.pointer + b * channels, area, channels)
        }
        tape.add(dx, to: slot)
    }
}
