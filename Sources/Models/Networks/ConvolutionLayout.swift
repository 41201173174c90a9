import TensorCore

/// Convolution weights are [out, in, height, width] in files, as PyTorch has them, and [out, height, width, in] in memory,
/// where the channels of a pixel are neighbours.
enum ConvolutionLayout {
    /// The shape in a file of a parameter of `shape`; only convolution weights have four axes.
    static func shapeInFile(_ shape: Shape) -> Shape {
        shape.count == 4 ? [shape[0], shape[3], shape[1], shape[2]] : shape
    }

    /// [out, in, height, width] → [out, height, width, in].
    static func inMemory(_ weight: Tensor) -> Tensor {
        let shape = weight.shape
        return transposed(weight.reshaped([shape[0], shape[1], shape[2] * shape[3]]))
            .reshaped([shape[0], shape[2], shape[3], shape[1]])
    }

    /// [out, height, width, in] → [out, in, height, width].
    static func inFile(_ weight: Tensor) -> Tensor {
        let shape = weight.shape
        return transposed(weight.reshaped([shape[0], shape[1] * shape[2], shape[3]]))
            .reshaped([shape[0], shape[3], shape[1], shape[2]])
    }
}
