import StableHLO

/// Traced forms of `Depthwise.swift`.
extension Program {
    func depthwiseConv2d(_ x: Tensor, weight: Tensor, bias: Tensor, window: Window) -> Tensor {
        let geometry = window.over(x.shape, op: "depthwiseConv2d")
        let (value, channels, stride) = (node(x), x.width, window.stride)
        let kernel = node(weight).reshaped([window.height, window.width, 1, channels])
        let padding = [(low: window.top, high: window.bottom), (low: window.left, high: window.right)]
        let y = value.convolved(with: kernel, ConvolutionWindow(strides: [stride, stride], padding: padding, groups: channels))
        let (size, images) = ([window.height, window.width], [x.shape[1], x.shape[2]])
        /// Extents of dy with the strides' gaps.
        let spread = [geometry.out_height, geometry.out_width].map { ($0 - 1) * stride + 1 }
        return record(y + node(bias).reshaped([channels]).alongColumns(of: y), from: [x, weight, bias]) { dy in
            let behind = (0..<2).map { axis in
                let low = size[axis] - 1 - padding[axis].low
                return (low: low, high: images[axis] + size[axis] - 1 - spread[axis] - low)
            }
            let dx = dy.convolved(
                with: kernel.reversed([0, 1]),
                ConvolutionWindow(strides: [1, 1], padding: behind, imageDilation: [stride, stride], groups: channels))
            // dw at a place of the window: dy times what lies there of x, over all images.
            let padded = value.padded(low: [0, window.top, window.left, 0], high: [0, window.bottom, window.right, 0])
            let parts = (0..<window.height).flatMap { i in
                (0..<window.width).map { j in
                    let part = padded.sliced(
                        [0..<x.shape[0], i..<i + spread[0], j..<j + spread[1], 0..<channels], strides: [1, stride, stride, 1])
                    return (dy * part).columnSums.reshaped([1, channels])
                }
            }
            return [dx, Node.concatenated(parts, axis: 0).reshaped(weight.shape), dy.columnSums.reshaped(bias.shape)]
        }
    }
}
