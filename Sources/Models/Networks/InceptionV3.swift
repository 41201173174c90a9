import Files
import TensorCore

/// The network whose features ImageNet FID, sFID, inception score, precision and recall are measured in (method §6.2),
/// for inference. Its weights are the user's.
public struct InceptionV3 {
    public static let poolWidth = 2048
    /// 17·17 places of 7 channels.
    public static let spatialWidth = 2023
    public static let classes = 1008
    /// Images a forward pass takes: results of another number differ by rounding, so that scores fix it.
    public static let batch = 16

    private static let imageSize = 299
    private static let epsilon = 1e-3
    /// Whose first seven channels, after the ReLU, are the spatial features.
    private static let spatialLayer = (name: "Mixed_6d.branch1x1", channels: 7)

    /// Convolutions with their batch norm multiplied in; weight [out, height, width, in].
    private let convolutions: [String: (weight: Tensor, bias: Tensor)]
    private let head: Tensor

    /// Loads weights under pytorch-fid's names: `LAYER.conv.weight` [out, in, height, width], `LAYER.bn.weight`, `.bias`,
    /// `.running_mean`, `.running_var` and `fc.weight` [1008, 2048]; anything else in the file is left alone.
    /// - Throws: `InputError` naming the file and the first tensor that is missing or of another shape.
    public init(weights file: SafetensorsFile) throws {
        var loaded: [String: (weight: Tensor, bias: Tensor)] = [:]
        _ = try Self.load(.trunk, input: 3, from: file, into: &loaded)
        convolutions = loaded
        head = try Self.tensor("fc.weight", [Self.classes, Self.poolWidth], file)
    }

    /// The same network with other values, which `make` gives for each of its tensors.
    init(like other: InceptionV3, _ make: (_ name: String, Tensor) -> Tensor) {
        let convolutions = other.convolutions.sorted { $0.key < $1.key }.map { name, values in
            (name, (weight: make("\(name).weight", values.weight), bias: make("\(name).bias", values.bias)))
        }
        self.convolutions = Dictionary(uniqueKeysWithValues: convolutions)
        head = make("head", other.head)
    }

    /// Its weights, batch norms multiplied in, by names of their own.
    public var tensors: [(name: String, tensor: Tensor)] {
        convolutions.sorted { $0.key < $1.key }.flatMap { [("\($0).weight", $1.weight), ("\($0).bias", $1.bias)] } + [("head", head)]
    }

    /// What scores read of a batch of images.
    public struct Features {
        /// [B, 2048], the average of the last block: FID, precision, recall.
        public let pool: Tensor
        /// [B, 2023], rows, columns, channels: sFID.
        public let spatial: Tensor
        /// [B, 1008], without the head's bias: inception score.
        public let logits: Tensor
    }

    /// Features of pixels (n, row, column, channel), levels 0…255 of 1 or 3 channels; grey is repeated.
    public func features(_ pixels: [UInt8], count: Int, height: Int, width: Int, channels: Int) -> Features {
        require(
            (channels == 1 || channels == 3) && pixels.count == count * height * width * channels,
            "\(pixels.count) levels are not \(count) images of \(height)×\(width)×\(channels)")
        return features(Self.levels(pixels, shape: [count, height, width, channels]))
    }

    /// Levels [n, H, W, 3] of pixels of `shape`, [n, H, W, 1 or 3].
    public static func levels(_ pixels: [UInt8], shape: Shape) -> Tensor {
        let levels = shape[3] == 3 ? pixels.map(Float.init) : pixels.flatMap { [Float](repeating: Float($0), count: 3) }
        return Tensor(levels, shape: shape.dropLast() + [3])
    }

    /// images [B, H, W, 3], levels 0…255.
    func features(_ images: Tensor) -> Features {
        let batch = images.shape[0]
        var x = bilinearResize(images, height: Self.imageSize, width: Self.imageSize)
        x = (1 / 128) * (x - Tensor(repeating: 128, shape: x.shape))
        var tapped: Tensor?
        let pool = globalAveragePool(apply(.trunk, x, tapped: &tapped))
        guard let tapped else { fatalError("no layer is called \(Self.spatialLayer.name)") }
        return Features(
            pool: pool, spatial: firstChannels(tapped, Self.spatialLayer.channels).reshaped([batch, Self.spatialWidth]),
            logits: linear(pool, weight: head))
    }

    private func apply(_ layer: InceptionLayer, _ x: Tensor, tapped: inout Tensor?) -> Tensor {
        switch layer {
        case .convolution(let name, _, let window):
            guard let (weight, bias) = convolutions[name] else { fatalError("\(name) was not loaded") }
            let y = relu(conv2d(x, weight: weight, bias: bias, window: window))
            if name == Self.spatialLayer.name { tapped = y }
            return y
        case .maxPool(let window): return maxPool(x, window: window)
        case .averagePool(let window): return averagePool(x, window: window, countingPadding: false)
        case .chain(let layers): return layers.reduce(x) { apply($1, $0, tapped: &tapped) }
        case .branches(let layers): return concatChannels(layers.map { apply($0, x, tapped: &tapped) })
        }
    }

    // MARK: Loading

    /// Reads the convolutions of `layer`, of `input` channels; returns how many channels leave it.
    private static func load(
        _ layer: InceptionLayer, input: Int, from file: SafetensorsFile,
        into loaded: inout [String: (weight: Tensor, bias: Tensor)]
    ) throws -> Int {
        switch layer {
        case .convolution(let name, let output, let window):
            loaded[name] = try convolution(name, [output, input, window.height, window.width], file)
            return output
        case .maxPool, .averagePool: return input
        case .chain(let layers): return try layers.reduce(input) { try load($1, input: $0, from: file, into: &loaded) }
        case .branches(let layers):
            return try layers.reduce(0) { $0 + (try load($1, input: input, from: file, into: &loaded)) }
        }
    }

    /// γ(W·x − μ)/σ + β as one convolution: weights γW/σ, bias β − γμ/σ.
    private static func convolution(
        _ name: String, _ shape: Shape, _ file: SafetensorsFile
    ) throws -> (weight: Tensor, bias: Tensor) {
        let output = shape[0]
        let weight = ConvolutionLayout.inMemory(try tensor("\(name).conv.weight", shape, file))
        let norm = try ["weight", "bias", "running_mean", "running_var"].map { try tensor("\(name).bn.\($0)", [output], file) }
        let (gamma, beta, mean, variance) = (norm[0].values, norm[1].values, norm[2].values, norm[3].values)
        let scales = (0..<output).map { Double(gamma[$0]) / (Double(variance[$0]) + epsilon).squareRoot() }
        let bias = (0..<output).map { Float(Double(beta[$0]) - scales[$0] * Double(mean[$0])) }
        let depth = weight.count / output
        let scaled = weight.values.enumerated().map { Float(scales[$0 / depth] * Double($1)) }
        return (Tensor(scaled, shape: weight.shape), Tensor(bias, shape: [output]))
    }

    private static func tensor(_ name: String, _ shape: Shape, _ file: SafetensorsFile) throws -> Tensor {
        try file.weight(name, shape, of: "the Inception network of FID (1008 classes, pytorch-fid's port)")
    }
}

extension InceptionV3 {
    /// Of one image, forward alone; numbers kept are those of its largest layer with its input.
    public static let cost: ModelCost = {
        var (cost, largest) = (ModelCost(), 0)
        _ = add(.trunk, side: imageSize, input: 3, to: &cost, &largest)
        cost += .linear(rows: 1, from: poolWidth, to: classes, bias: false)
        cost.kept = Double(largest)
        return cost
    }()

    /// Adds a layer on images of `input` channels; returns side and channels of what leaves it.
    private static func add(
        _ layer: InceptionLayer, side: Int, input: Int, to cost: inout ModelCost, _ largest: inout Int
    ) -> (side: Int, channels: Int) {
        switch layer {
        case .convolution(_, let output, let window):
            let left = window.output(height: side, width: side).height
            cost += .linear(rows: left * left, from: window.height * window.width * input, to: output, bias: true)
            // The windows of the image stand in rows beside what comes out.
            largest = max(largest, left * left * (window.height * window.width * input + output))
            return (left, output)
        case .maxPool(let window), .averagePool(let window): return (window.output(height: side, width: side).height, input)
        case .chain(let layers):
            return layers.reduce((side, input)) { add($1, side: $0.0, input: $0.1, to: &cost, &largest) }
        case .branches(let layers):
            let left = layers.map { add($0, side: side, input: input, to: &cost, &largest) }
            return (left[0].side, left.reduce(0) { $0 + $1.channels })
        }
    }
}
