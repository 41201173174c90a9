import NN
import TensorCore

/// The PatchGAN discriminator of pix2pix (Isola et al. 2017; method §4.4): 4×4 convolutions, `layers` of them of stride 2 with
/// widths w, 2w, 4w, 8w, …, 8w, then two of stride 1; batch norm in all but the first and the last, leaky ReLU 0.2.
/// One logit a patch. Parameters have pix2pix's names, `main.N`.
public struct PatchDiscriminator {
    public let parameters: [Parameter]
    /// Running moments of the batch norms: kept with the parameters, not trained.
    public let buffers: [Parameter]
    private let sizes: (channels: Int, width: Int, layers: Int)
    private let blocks: [(convolution: Convolution, norm: BatchNorm?)]

    private static func window(stride: Int) -> Window { Window(4, stride: stride, padding: 1) }

    public init(channels: Int, width: Int, layers: Int, stream: RandomStream) {
        self.init(channels: channels, width: width, layers: layers, parameters: .random(stream))
    }

    /// The same network with parameters and running moments from elsewhere.
    init(like other: PatchDiscriminator, parameters source: ParameterSource) {
        let (channels, width, layers) = other.sizes
        self.init(channels: channels, width: width, layers: layers, parameters: source)
    }

    public init(channels: Int, width: Int, layers: Int, parameters source: ParameterSource) {
        sizes = (channels, width, layers)
        let builder = ParameterBuilder(source)
        var blocks: [(convolution: Convolution, norm: BatchNorm?)] = []
        var (input, place) = (channels, 0)
        func add(_ output: Int, stride: Int, normed: Bool) {
            // A norm has a bias of its own. Each activation takes a number in the names.
            let convolution = Convolution(
                "main.\(place)", from: input, to: output, window: Self.window(stride: stride), bias: !normed, in: builder)
            let norm = normed ? BatchNorm("main.\(place + 1)", channels: output, in: builder) : nil
            blocks.append((convolution, norm))
            place += normed ? 3 : 2
            input = output
        }
        for layer in 0..<layers { add(width * min(1 << layer, 8), stride: 2, normed: layer > 0) }
        add(width * min(1 << layers, 8), stride: 1, normed: true)
        add(1, stride: 1, normed: false)
        self.blocks = blocks
        parameters = builder.parameters
        buffers = blocks.flatMap { block in block.norm.map { [$0.runningMean, $0.runningVariance] } ?? [] }
    }

    /// images [B, H, W, C] in [−1, 1] → logits [B, H', W', 1], positive for real; on the images' tape, or on `tape` where
    /// only the parameters' gradients are wanted.
    public func callAsFunction(_ images: Tensor, _ moments: BatchNorm.Moments, on tape: Tape? = nil) -> Tensor {
        let tape = tape ?? images.tape
        var x = images
        for (number, block) in blocks.enumerated() {
            x = block.convolution(x, on: tape)
            if let norm = block.norm { x = norm(x, moments, on: tape) }
            if number < blocks.count - 1 { x = leakyReLU(x, slope: 0.2) }
        }
        return x
    }

    /// The derivative of the logits [B, H', W', 1] on the batch's own moments when `images` move along `direction`, on `tape`, where
    /// the parameters' gradients are wanted.
    func tangent(_ images: Tensor, along direction: Tensor, on tape: Tape) -> Tensor {
        var (x, u) = (images, direction)
        for (number, block) in blocks.enumerated() {
            let last = number == blocks.count - 1
            u = block.convolution.tangent(u, on: tape)
            // What the last convolution gives is of no matter to its derivative.
            if last { break }
            x = block.convolution(x, on: tape)
            if let norm = block.norm { (x, u) = norm.withTangent(x, along: u, on: tape) }
            u = leakyReLUTangent(x, along: u, slope: 0.2)
            x = leakyReLU(x, slope: 0.2)
        }
        return u
    }

    /// Side of the grid of logits that images of side `imageSize` get; 0: they are too small for this many layers.
    public static func logits(imageSize: Int, layers: Int) -> Int {
        let strides = Array(repeating: 2, count: layers) + [1, 1]
        return strides.reduce(imageSize) { $0 == 0 ? 0 : logits($0, stride: $1) }
    }

    /// Side of what one convolution makes of maps of side `size`.
    static func logits(_ size: Int, stride: Int) -> Int { window(stride: stride).output(height: size, width: size).height }
}
