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
        return moved(weight, [shape[0], shape[2], shape[3], shape[1]], inputs: shape[1]) { ($0, $1) }
    }

    /// [out, height, width, in] → [out, in, height, width].
    static func inFile(_ weight: Tensor) -> Tensor {
        let shape = weight.shape
        return moved(weight, [shape[0], shape[3], shape[1], shape[2]], inputs: shape[3]) { ($1, $0) }
    }

    /// `places` gives source and target of an element from its places in a file and in memory.
    private static func moved(
        _ weight: Tensor, _ shape: Shape, inputs: Int, _ places: (_ file: Int, _ memory: Int) -> (Int, Int)
    ) -> Tensor {
        let result = Tensor(uninitialized: shape)
        let area = weight.count / (shape[0] * inputs)
        for out in 0..<shape[0] {
            for input in 0..<inputs {
                for place in 0..<area {
                    let (from, to) = places((out * inputs + input) * area + place, (out * area + place) * inputs + input)
                    result.pointer[to] = weight.pointer[from]
                }
            }
        }
        return result
    }
}
