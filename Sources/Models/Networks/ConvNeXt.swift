import Files
import TensorCore

/// ConvNeXt-S (Liu et al. 2022) as torchvision has it, for the logits of 1000 classes of ImageNet; its weights are the user's.
/// 7×7 depthwise convolution, layer norm, two linear layers with GELU between them, a scale for each channel, residual.
public struct ConvNeXt {
    /// Blocks and channels of the stages.
    static let stages: [(blocks: Int, channels: Int)] = [(3, 96), (3, 192), (27, 384), (3, 768)]
    static let classes = 1000
    /// Side of the images that it looks at.
    static let imageSize = 224
    /// ImageNet's means and deviations for levels in [0, 1].
    private static let mean: [Float] = [0.485, 0.456, 0.406]
    private static let deviation: [Float] = [0.229, 0.224, 0.225]

    private struct Affine {
        let weight, bias: Tensor
        func replacing(_ name: String, _ make: (_ name: String, Tensor) -> Tensor) -> Affine {
            Affine(weight: make("\(name).weight", weight), bias: make("\(name).bias", bias))
        }
        func normed(_ x: Tensor) -> Tensor { layerNorm(x, weight: weight, bias: bias) }
        func product(_ x: Tensor) -> Tensor { linear(x, weight: weight, bias: bias) }
    }

    private struct Block {
        let places, norm, wide, narrow: Affine
        let scale: Tensor
    }

    /// What stands before a stage: the stem, or a norm and a convolution of stride 2.
    private struct Entrance {
        let convolution, norm: Affine
        let side: Int
    }

    private let entrances: [Entrance]
    private let blocks: [[Block]]
    private let norm, head: Affine

    /// Loads what torchvision's convnext_small has under these names, `features.…` and `classifier.…`, as `save_file` writes its
    /// state dict; anything else in the file is left alone.
    /// - Throws: `InputError` naming the file and the first tensor that is missing or of another shape.
    public init(weights file: SafetensorsFile) throws {
        func tensor(_ name: String, _ shape: Shape) throws -> Tensor { try file.weight(name, shape, of: "ConvNeXt-S") }
        func affine(_ name: String, _ shape: Shape) throws -> Affine {
            Affine(weight: try tensor("\(name).weight", shape), bias: try tensor("\(name).bias", [shape[0]]))
        }
        /// A convolution of windows that do not overlap, [out, height, width, in] in memory.
        func convolution(_ name: String, _ shape: Shape) throws -> Affine {
            let read = try affine(name, shape)
            return Affine(weight: ConvolutionLayout.inMemory(read.weight), bias: read.bias)
        }
        var (entrances, blocks, input) = ([Entrance](), [[Block]](), 3)
        for (number, (count, channels)) in Self.stages.enumerated() {
            let place = "features.\(2 * number)"
            entrances.append(
                number == 0
                    ? Entrance(
                        convolution: try convolution("\(place).0", [channels, input, 4, 4]), norm: try affine("\(place).1", [channels]),
                        side: 4)
                    : Entrance(
                        convolution: try convolution("\(place).1", [channels, input, 2, 2]), norm: try affine("\(place).0", [input]),
                        side: 2))
            blocks.append(
                try (0..<count).map { index in
                    let name = "features.\(2 * number + 1).\(index)"
                    let places = try affine("\(name).block.0", [channels, 1, 7, 7])
                    return Block(
                        places: Affine(
                            weight: transposed(places.weight.reshaped([channels, 49])).reshaped([7, 7, channels]), bias: places.bias),
                        norm: try affine("\(name).block.2", [channels]), wide: try affine("\(name).block.3", [4 * channels, channels]),
                        narrow: try affine("\(name).block.5", [channels, 4 * channels]),
                        scale: try tensor("\(name).layer_scale", [channels, 1, 1]).reshaped([1, channels]))
                })
            input = channels
        }
        (self.entrances, self.blocks) = (entrances, blocks)
        norm = try affine("classifier.0", [input])
        head = try affine("classifier.2", [Self.classes, input])
    }

    /// The same network with other values, which `make` gives for each of its tensors.
    init(like other: ConvNeXt, _ make: (_ name: String, Tensor) -> Tensor) {
        entrances = other.entrances.enumerated().map { number, entrance in
            Entrance(
                convolution: entrance.convolution.replacing("entrance\(number).convolution", make),
                norm: entrance.norm.replacing("entrance\(number).norm", make), side: entrance.side)
        }
        blocks = other.blocks.enumerated().map { stage, blocks in
            blocks.enumerated().map { number, block in
                let name = "stage\(stage).block\(number)"
                return Block(
                    places: block.places.replacing("\(name).places", make), norm: block.norm.replacing("\(name).norm", make),
                    wide: block.wide.replacing("\(name).wide", make), narrow: block.narrow.replacing("\(name).narrow", make),
                    scale: make("\(name).scale", block.scale))
            }
        }
        norm = other.norm.replacing("norm", make)
        head = other.head.replacing("head", make)
    }

    /// Weights, by names of their own.
    var tensors: [(name: String, tensor: Tensor)] {
        var tensors: [(name: String, tensor: Tensor)] = []
        _ = ConvNeXt(like: self) { name, tensor in
            tensors.append((name, tensor))
            return tensor
        }
        return tensors
    }

    /// images [B, H, W, 1 or 3] in [−1, 1], grey repeated, brought to 224×224 → logits [B, 1000].
    public func logits(_ images: Tensor) -> Tensor {
        require(images.width == 1 || images.width == 3, "ConvNeXt: \(images.shape) has neither one channel nor three")
        // ((x + 1)/2 − mean)/deviation as a 1×1 convolution, which repeats grey as well.
        let scales = Self.deviation.map { 0.5 / $0 }
        let normalize =
            images.width == 1
            ? Tensor(scales, shape: [3, 1])
            : Tensor((0..<9).map { $0 % 4 == 0 ? scales[$0 / 4] : 0 }, shape: [3, 3])
        let offset = Tensor(zip(Self.mean, Self.deviation).map { (0.5 - $0) / $1 }, shape: [3])
        var x = linear(
            antialiasedResize(images, height: Self.imageSize, width: Self.imageSize), weight: normalize, bias: offset)
        for (number, (entrance, stage)) in zip(entrances, blocks).enumerated() {
            if number > 0 { x = entrance.norm.normed(x) }
            x = conv2d(
                x, weight: entrance.convolution.weight, bias: entrance.convolution.bias,
                window: Window(entrance.side, stride: entrance.side))
            if number == 0 { x = entrance.norm.normed(x) }
            for block in stage {
                let mixed = depthwiseConv2d(x, weight: block.places.weight, bias: block.places.bias, window: Window(7, padding: 3))
                let branch = block.narrow.product(exactGELU(block.wide.product(block.norm.normed(mixed))))
                x = gatedResidual(x, gate: block.scale, branch: branch)
            }
        }
        return head.product(norm.normed(globalAveragePool(x)))
    }
}
