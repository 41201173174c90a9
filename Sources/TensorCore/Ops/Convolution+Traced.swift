import StableHLO

/// Traced forms of `Convolution.swift`.
extension Program {
    func conv2d(_ x: Tensor, weight: Tensor, bias: Tensor?, window: Window) -> Tensor {
        let geometry = window.over(x.shape, op: "conv2d")
        let (value, output, stride) = (node(x), weight.shape[0], window.stride)
        let kernel = node(weight).reshaped([output, window.height, window.width, x.width])
        let padding = [(low: window.top, high: window.bottom), (low: window.left, high: window.right)]
        let y = value.convolved(
            with: kernel.transposed([1, 2, 3, 0]), ConvolutionWindow(strides: [stride, stride], padding: padding))
        let biased = bias.map { y + node($0).reshaped([output]).alongColumns(of: y) }

        let (size, images) = ([window.height, window.width], [x.shape[1], x.shape[2]])
        /// Extents of dy with the strides' gaps.
        let spread = [geometry.out_height, geometry.out_width].map { ($0 - 1) * stride + 1 }
        return record(biased ?? y, from: [x, weight] + (bias.map { [$0] } ?? [])) { dy in
            // dx: windows of the reversed kernel over dy with gaps, as many as x has pixels.
            let behind = (0..<2).map { axis in
                let low = size[axis] - 1 - padding[axis].low
                return (low: low, high: images[axis] + size[axis] - 1 - spread[axis] - low)
            }
            let dx = dy.convolved(
                with: kernel.reversed([1, 2]).transposed([1, 2, 0, 3]),
                ConvolutionWindow(strides: [1, 1], padding: behind, imageDilation: [stride, stride]))
            // dw: dy with gaps as the kernel over x, images and channels in each other's place.
            let around = (0..<2).map { axis in
                (low: padding[axis].low, high: size[axis] - 1 + spread[axis] - images[axis] - padding[axis].low)
            }
            let dw = value.transposed([3, 1, 2, 0]).convolved(
                with: dy.transposed([1, 2, 0, 3]),
                ConvolutionWindow(strides: [1, 1], padding: around, kernelDilation: [stride, stride]))
            return [dx, dw.transposed([3, 1, 2, 0]).reshaped(weight.shape)] + (bias.map { [dy.columnSums.reshaped($0.shape)] } ?? [])
        }
    }
}
