import NN
import TensorCore

/// The small in-domain classifier whose penultimate layer is the feature space of scores: three 3×3 convolutions of
/// stride 2 (widths w, 2w, 4w), a hidden layer of `features` units, and class logits; ReLU in between.
public struct ImageClassifier {
    /// Of images, and of what it makes of them.
    public struct Sizes: Equatable, Sendable {
        public var imageSize, channels: Int
        /// Of its head: classes, or what is learned of factors.
        public var outputs: Int
        /// Channels of the first convolution.
        public var width: Int
        /// Numbers in the features of an image.
        public var features: Int

        public init(imageSize: Int, channels: Int, outputs: Int, width: Int, features: Int) {
            (self.imageSize, self.channels, self.outputs) = (imageSize, channels, outputs)
            (self.width, self.features) = (width, features)
        }
    }

    public let sizes: Sizes
    public let parameters: [Parameter]
    /// Numbers in the spatial features of an image.
    public let spatialWidth: Int
    private let convolutions: [(weight: Parameter, bias: Parameter)]
    private let hidden, head: Linear

    public init(_ sizes: Sizes, parameters source: ParameterSource) {
        self.sizes = sizes
        let builder = ParameterBuilder(source)
        var (input, size) = (sizes.channels, sizes.imageSize)
        convolutions = (0..<3).map { i in
            let output = sizes.width << i
            // He initialisation: ReLU halves the variance.
            let deviation = (2 / Float(9 * input)).squareRoot()
            let weight = builder.normal("conv\(i).weight", [output, 9 * input], deviation: deviation)
            let bias = builder.zeros("conv\(i).bias", [output])
            (input, size) = (output, (size + 1) / 2)
            return (weight, bias)
        }
        let side = min(8, (sizes.imageSize + 3) / 4)
        spatialWidth = side * side * min(7, 2 * sizes.width)
        hidden = Linear("hidden", from: size * size * input, to: sizes.features, in: builder)
        head = Linear("head", from: sizes.features, to: sizes.outputs, in: builder)
        parameters = builder.parameters
    }

    /// images [B, H, W, C] in [−1, 1] → features [B, features], not negative.
    public func features(_ images: Tensor) -> Tensor { features(ofMaps: maps(images)) }

    /// What each convolution gives, [B, ⌈H/2ⁱ⌉, ⌈W/2ⁱ⌉, w·2ⁱ⁻¹] for i = 1, 2, 3, not negative.
    public func maps(_ images: Tensor) -> [Tensor] {
        let tape = images.tape
        var x = images
        return convolutions.map { weight, bias in
            x = relu(conv2d(x, weight: weight(on: tape), bias: bias(on: tape), window: Window(3, stride: 2, padding: 1)))
            return x
        }
    }

    /// Features [B, features] of the maps of the same images.
    public func features(ofMaps maps: [Tensor]) -> Tensor {
        let last = maps[2]
        return relu(hidden(last.reshaped([last.shape[0], last.count / last.shape[0]]), on: last.tape))
    }

    /// Class logits [B, classes] of features [B, features].
    public func logits(_ features: Tensor) -> Tensor { head(features, on: features.tape) }

    /// The features of a distance that sees where things are (sFID): the first 7 channels of the second map, averaged over
    /// at most 8×8 cells, [B, cells·cells·7] in the order row, column, channel.
    ///
    /// Cell i of g along an axis of n covers ⌊i·n/g⌋ ..< ⌈(i+1)·n/g⌉, so a map of 8×8 or less is taken as it is. A classifier
    /// whose second map has fewer channels gives those. Not differentiable.
    public static func spatialFeatures(ofMaps maps: [Tensor]) -> Tensor {
        let map = maps[1]
        return cellMeans(map, rows: min(8, map.shape[1]), columns: min(8, map.shape[2]), channels: min(7, map.shape[3]))
    }
}
