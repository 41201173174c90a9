import Files
import TensorCore

/// A network that images are compared in, with its weights.
protocol ComparingNetwork {
    /// Mean over a batch of images [B, H, W, C] in [−1, 1]; gradients reach `rebuilt` alone.
    func distance(_ rebuilt: Tensor, _ real: Tensor) -> Tensor
    /// Weights, by names of their own.
    var tensors: [(name: String, tensor: Tensor)] { get }
    /// The same network with `tensors` as inputs of a program, under their names after `prefix`.
    func traced(in program: Program, prefix: String) -> Self
}

/// A distance of images to their originals that looks with networks.
public struct PerceptualLoss {
    private let terms: [(network: any ComparingNetwork, weight: Float)]

    private init(terms: [(network: any ComparingNetwork, weight: Float)]) { self.terms = terms }

    /// Mean over places of Σ_c (â_c − b̂_c)², summed over the layers of the in-domain classifier; â and b̂ are the two images'
    /// activations at a place, scaled to length 1.
    public init(_ classifier: ImageClassifier) { self.init(terms: [(classifier, 1)]) }

    /// The released metric on VGG-16 (LPIPS; Zhang et al. 2018): the same with a weight w_c for each channel.
    public init(_ network: LPIPS) { self.init(terms: [(network, 1)]) }

    /// Mean squared difference of the logits.
    public init(_ network: ConvNeXt) { self.init(terms: [(network, 1)]) }

    /// A weighted sum of distances.
    public init(_ terms: [(loss: PerceptualLoss, weight: Float)]) {
        self.init(terms: terms.flatMap { loss, weight in loss.terms.map { ($0.network, weight * $0.weight) } })
    }

    /// Mean over a batch; gradients flow to `rebuilt` alone.
    public func callAsFunction(rebuilt: Tensor, real: Tensor) -> Tensor {
        require(rebuilt.shape == real.shape, "PerceptualLoss: shapes \(rebuilt.shape) and \(real.shape) differ")
        let original = real.detached()
        return terms.map { $0.weight * $0.network.distance(rebuilt, original) }.reduce(.zeros([1]), +)
    }

    /// Weights of all its networks, by names of their own.
    public var tensors: [(name: String, tensor: Tensor)] {
        terms.enumerated().flatMap { number, term in term.network.tensors.map { ("\(number)/\($0.name)", $0.tensor) } }
    }

    /// The same in a program, whose inputs are `tensors` under their names after `prefix`.
    package func traced(in program: Program, prefix: String) -> PerceptualLoss {
        PerceptualLoss(
            terms: terms.enumerated().map { number, term in
                (term.network.traced(in: program, prefix: "\(prefix)\(number)/"), term.weight)
            })
    }

    /// Of activations, layer by layer.
    fileprivate static func layered(_ ours: [Tensor], _ theirs: [Tensor], weights: [Tensor]?) -> Tensor {
        ours.indices.map { layer -> Tensor in
            let (a, b) = (l2Normalize(ours[layer]), l2Normalize(theirs[layer]))
            guard let weights else { return Float(a.width) * meanSquaredDifference(a, b) }
            let difference = a - b
            return mean(linear(difference * difference, weight: weights[layer]))
        }.reduce(.zeros([1]), +)
    }
}

extension ImageClassifier: ComparingNetwork {
    func distance(_ rebuilt: Tensor, _ real: Tensor) -> Tensor { PerceptualLoss.layered(maps(rebuilt), maps(real), weights: nil) }

    var tensors: [(name: String, tensor: Tensor)] { parameters.map { ($0.name, $0.value) } }

    func traced(in program: Program, prefix: String) -> ImageClassifier {
        ImageClassifier(sizes, parameters: .program(program, prefix: prefix))
    }
}

extension ConvNeXt: ComparingNetwork {
    func distance(_ rebuilt: Tensor, _ real: Tensor) -> Tensor { meanSquaredDifference(logits(rebuilt), logits(real)) }

    func traced(in program: Program, prefix: String) -> ConvNeXt {
        ConvNeXt(like: self) { program.input(prefix + $0, $1.shape) }
    }
}

extension LPIPS: ComparingNetwork {
    func distance(_ rebuilt: Tensor, _ real: Tensor) -> Tensor {
        PerceptualLoss.layered(activations(rebuilt), activations(real), weights: channelWeights)
    }

    func traced(in program: Program, prefix: String) -> LPIPS { LPIPS(like: self) { program.input(prefix + $0, $1.shape) } }
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
    private static let channels = 3
    /// ImageNet's means and deviations for images in [−1, 1].
    private static let shift: [Float] = [-0.030, -0.088, -0.188]
    private static let scale: [Float] = [0.458, 0.448, 0.450]

    /// Loads `features.N.weight` [out, in, 3, 3] and `.bias` as torchvision's vgg16 has them, and `linK.model.1.weight`
    /// [1, c, 1, 1] as lpips has them; anything else in the file is left alone.
    /// - Throws: `InputError` naming the file and the first tensor that is missing or of another shape.
    public init(weights file: SafetensorsFile) throws {
        func tensor(_ name: String, _ shape: Shape) throws -> Tensor { try file.weight(name, shape, of: "LPIPS on VGG-16") }
        var input = Self.channels
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

    /// Shapes alone, for a program whose inputs the weights are.
    public static var meta: LPIPS { LPIPS() }

    private init() {
        var input = Self.channels
        convolutions = Self.stages.joined().map { _, output in
            defer { input = output }
            return (Tensor(meta: [output, 3, 3, input]), Tensor(meta: [output]))
        }
        channelWeights = Self.stages.map { Tensor(meta: [1, $0[0].channels]) }
    }

    /// The same network with other values, which `make` gives for each of `tensors`.
    init(like other: LPIPS, _ make: (_ name: String, Tensor) -> Tensor) {
        convolutions = other.convolutions.enumerated().map { place, values in
            (make("convolution\(place).weight", values.weight), make("convolution\(place).bias", values.bias))
        }
        channelWeights = other.channelWeights.enumerated().map { make("layer\($0).weight", $1) }
    }

    /// Weights, by names of their own.
    var tensors: [(name: String, tensor: Tensor)] {
        convolutions.enumerated().flatMap { [("convolution\($0).weight", $1.weight), ("convolution\($0).bias", $1.bias)] }
            + channelWeights.enumerated().map { ("layer\($0).weight", $1) }
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
