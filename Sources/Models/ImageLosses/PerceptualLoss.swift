import Files
import TensorCore

/// A distance of images to their originals that looks with a network.
public struct PerceptualLoss {
    /// images [B, H, W, C] in [−1, 1]; gradients reach those that are rebuilt, and no parameter.
    private let distance: (_ rebuilt: Tensor, _ real: Tensor) -> Tensor

    /// Mean over places of Σ_c (â_c − b̂_c)², summed over the layers of the in-domain classifier; â and b̂ are the two images'
    /// activations at a place, scaled to length 1.
    public init(_ classifier: ImageClassifier) {
        distance = { Self.layered(classifier.maps($0), classifier.maps($1), weights: nil) }
    }

    /// The released metric on VGG-16 (LPIPS; Zhang et al. 2018): the same with a weight w_c for each channel.
    public init(_ network: LPIPS) {
        distance = { Self.layered(network.activations($0), network.activations($1), weights: network.channelWeights) }
    }

    /// Mean squared difference of the logits.
    public init(_ network: ConvNeXt) {
        distance = { meanSquaredDifference(network.logits($0), network.logits($1)) }
    }

    /// A weighted sum of distances.
    public init(_ terms: [(loss: PerceptualLoss, weight: Float)]) {
        distance = { rebuilt, real in
            terms.map { $0.weight * $0.loss(rebuilt: rebuilt, real: real) }.reduce(.zeros([1]), +)
        }
    }

    /// Mean over a batch; gradients flow to `rebuilt` alone.
    public func callAsFunction(rebuilt: Tensor, real: Tensor) -> Tensor {
        require(rebuilt.shape == real.shape, "PerceptualLoss: shapes \(rebuilt.shape) and \(real.shape) differ")
        return distance(rebuilt, real.detached())
    }

    private static func layered(_ ours: [Tensor], _ theirs: [Tensor], weights: [Tensor]?) -> Tensor {
        ours.indices.map { layer -> Tensor in
            let (a, b) = (l2Normalize(ours[layer]), l2Normalize(theirs[layer]))
            guard let weights else { return Float(a.width) * meanSquaredDifference(a, b) }
            let difference = a - b
            return mean(linear(difference * difference, weight: weights[layer]))
        }.reduce(.zeros([1]), +)
    }
}

/// The perceptual metric LPIPS 0.1 on VGG-16, from the user's weights.
public struct LPIPS {
    /// Weights of the channels of each layer, [1, c].
    let channelWeights: [Tensor]
    private let convolutions: [(weight: Tensor, bias: Tensor)]

    /// Convolutions of each of VGG-16's five stages: place in torchvision's `features`, channels. Layers are what leaves the
    /// stages; a maximum over 2×2 lies between them.
    static let stages: [[(place: Int, channels: Int)]] = [
        [(0, 64), (2, 64)], [(5, 128), (7, 128)], [(10, 256), (12, 256), (14, 256)], [(17, 512), (19, 512), (21, 512)],
        [(24, 512), (26, 512), (28, 512)],
    ]
    /// ImageNet's means and deviations for images in [−1, 1].
    private static let shift: [Float] = [-0.030, -0.088, -0.188]
    private static let scale: [Float] = [0.458, 0.448, 0.450]

    /// Loads `features.N.weight` [out, in, 3, 3] and `.bias` as torchvision's vgg16 has them, and `linK.model.1.weight`
    /// [1, c, 1, 1] as lpips has them; anything else in the file is left alone.
    /// - Throws: `InputError` naming the file and the first tensor that is missing or of another shape.
    public init(weights file: SafetensorsFile) throws {
        func tensor(_ name: String, _ shape: Shape) throws -> Tensor { try file.weight(name, shape, of: "LPIPS on VGG-16") }
        var input = 3
        convolutions = try Self.stages.joined().map { place, output in
            let weight = try tensor("features.\(place).weight", [output, input, 3, 3])
            input = output
            return (ConvolutionLayout.inMemory(weight), try tensor("features.\(place).bias", [output]))
        }
        channelWeights = try Self.stages.enumerated().map { number, stage in
            let channels = stage[0].channels
            return try tensor("lin\(number).model.1.weight", [1, channels, 1, 1]).reshaped([1, channels])
        }
    }

    /// images [B, H, W, 1 or 3] in [−1, 1]; grey is repeated.
    func activations(_ images: Tensor) -> [Tensor] {
        require(images.width == 1 || images.width == 3, "LPIPS: \(images.shape) has neither one channel nor three")
        // (x − shift)/scale as a 1×1 convolution, which repeats grey as well.
        let scales = Self.scale.map { 1 / $0 }
        let normalize =
            images.width == 1
            ? Tensor(scales, shape: [3, 1])
            : Tensor((0..<9).map { $0 % 4 == 0 ? scales[$0 / 4] : 0 }, shape: [3, 3])
        let offset = Tensor(zip(Self.shift, Self.scale).map { -$0 / $1 }, shape: [3])
        var x = linear(images, weight: normalize, bias: offset)
        var (layers, next) = ([Tensor](), 0)
        for (number, stage) in Self.stages.enumerated() {
            if number > 0 { x = maxPool(x, window: Window(2, stride: 2)) }
            for _ in stage {
                let (weight, bias) = convolutions[next]
                x = relu(conv2d(x, weight: weight, bias: bias, window: Window(3, padding: 1)))
                next += 1
            }
            layers.append(x)
        }
        return layers
    }
}
