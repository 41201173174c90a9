import CKernels

/// 2-D convolution with zero padding; x [B, H, W, C], weight [out, k·k·C] (row, column, channel), bias [out].
public func conv2d(_ x: Tensor, weight: Tensor, bias: Tensor, kernel: Int, stride: Int, padding: Int) -> Tensor {
    require(
        x.rank == 4 && weight.rank == 2 && weight.shape[1] == kernel * kernel * x.width
            && bias.count == weight.shape[0],
        "conv2d: x \(x.shape), weight \(weight.shape), bias \(bias.shape), kernel \(kernel) do not fit")
    let columns = imageColumns(x, kernel: kernel, stride: stride, padding: padding)
    return linear(columns, weight: weight, bias: bias)
}

/// The patches that a convolution multiplies: [B, H, W, C] → [B, H', W', k·k·C].
private func imageColumns(_ x: Tensor, kernel: Int, stride: Int, padding: Int) -> Tensor {
    let (batch, height, width, channels) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    let outHeight = (height + 2 * padding - kernel) / stride + 1
    let outWidth = (width + 2 * padding - kernel) / stride + 1
    require(outHeight > 0 && outWidth > 0, "conv2d: kernel \(kernel) is larger than \(x.shape)")
    let shape = [batch, outHeight, outWidth, kernel * kernel * channels]
    let y = Tensor(uninitialized: shape)
    let (imageSize, columnSize) = (x.count / batch, y.count / batch)
    Parallel.chunks(batch) { b in
        im2col(
            y.pointer + b * columnSize, x.pointer + b * imageSize, height, width, channels, kernel, stride, padding,
            outHeight, outWidth)
    }
    let (slot, xShape) = (x.slot, x.shape)
    return Tape.record(y, from: [x]) { dy, tape in
        guard let slot else { return }
        let dx = Tensor.zeros(xShape)
        Parallel.chunks(batch) { b in
            col2im(
                dx.pointer + b * imageSize, dy.pointer + b * columnSize, height, width, channels, kernel, stride,
                padding, outHeight, outWidth)
        }
        tape.add(dx, to: slot)
    }
}

/// Mean over height and width: [B, H, W, C] → [B, C].
public func globalAveragePool(_ x: Tensor) -> Tensor {
    require(x.rank == 4, "globalAveragePool: \(x.shape) is not [B, H, W, C]")
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
