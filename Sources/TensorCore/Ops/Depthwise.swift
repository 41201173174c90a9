import CKernels

/// A convolution of each channel by itself, with zero padding; x [B, H, W, C], weight [height, width, C] of the window, bias [C]
/// → [B, H', W', C].
public func depthwiseConv2d(_ x: Tensor, weight: Tensor, bias: Tensor, window: Window) -> Tensor {
    let channels = x.width
    require(
        x.rank == 4 && weight.shape == [window.height, window.width, channels] && bias.count == channels,
        "depthwiseConv2d: x \(x.shape), weight \(weight.shape), bias \(bias.shape) and a window of "
            + "\(window.height)×\(window.width) do not fit")
    let geometry = window.over(x.shape, op: "depthwiseConv2d")
    if let program = Program.tracing(x, weight, bias) {
        return program.depthwiseConv2d(x, weight: weight, bias: bias, window: window)
    }
    let batch = x.shape[0]
    let y = Tensor(uninitialized: [batch, geometry.out_height, geometry.out_width, channels])
    let (inSize, outSize) = (x.count / batch, y.count / batch)
    Parallel.chunks(batch) { b in
        depthwise_forward(y.pointer + b * outSize, x.pointer + b * inSize, weight.pointer, bias.pointer, geometry)
    }
    let (xSlot, weightSlot, biasSlot) = (x.slot, weight.slot, bias.slot)
    let (x0, weight0) = (x.detached(), weight.detached())
    return Tape.record(y, from: [x, weight, bias]) { dy, tape in
        if let xSlot {
            let dx = Tensor.zeros(x0.shape)
            Parallel.chunks(batch) { b in
                depthwise_backward(dx.pointer + b * inSize, dy.pointer + b * outSize, weight0.pointer, geometry)
            }
            tape.add(dx, to: xSlot)
        }
        if let weightSlot {
            // In the order of the images, whatever the number of threads.
            let dw = Tensor.zeros(weight0.shape)
            for b in 0..<batch {
                depthwise_weight_sums(dw.pointer, dy.pointer + b * outSize, x0.pointer + b * inSize, geometry)
            }
            tape.add(dw, to: weightSlot)
        }
        if let biasSlot {
            tape.accumulate(biasSlot, shape: [channels]) { db, accumulates in
                Parallel.rowSums(rows: dy.rows, width: channels, into: db.pointer, accumulates: accumulates) { sum, rows in
                    add_row_sum(sum, dy.pointer + rows.lowerBound * channels, rows.count, channels)
                }
            }
        }
    }
}
