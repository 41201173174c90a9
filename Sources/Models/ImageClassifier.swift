import NN
import TensorCore

/// The small in-domain classifier whose penultimate layer is the feature space of scores: three 3×3 convolutions of
/// stride 2 (widths w, 2w, 4w), a hidden layer of `features` units, and class logits; ReLU in between.
public struct ImageClassifier {
    public let parameters: [Parameter]
    public let features: Int
    private let convolutions: [(weight: Parameter, bias: Parameter)]
    private let hidden, head: Linear

    public init(imageSize: Int, channels: Int, classes: Int, width: Int, features: Int, stream: RandomStream) {
        self.init(
            imageSize: imageSize, channels: channels, classes: classes, width: width, features: features,
            parameters: .random(stream))
    }

    public init(
        imageSize: Int, channels: Int, classes: Int, width: Int, features: Int, parameters source: ParameterSource
    ) {
        let builder = ParameterBuilder(source)
        var (input, size) = (channels, imageSize)
        convolutions = (0..<3).map { i in
            let output = width << i
            // He initialisation: ReLU halves the variance.
            let deviation = (2 / Float(9 * input)).squareRoot()
            let weight = builder.normal("conv\(i).weight", [output, 9 * input], deviation: deviation)
            let bias = builder.zeros("conv\(i).bias", [output])
            (input, size) = (output, (size + 1) / 2)
            return (weight, bias)
        }
        self.features = features
        hidden = Linear("hidden", from: size * size * input, to: features, in: builder)
        head = Linear("head", from: features, to: classes, in: builder)
        parameters = builder.parameters
    }

    /// images [B, H, W, C] in [−1, 1] → features [B, features], not negative.
    public func features(_ images: Tensor) -> Tensor {
        let tape = images.tape
        var x = images
        for (weight, bias) in convolutions {
            x = relu(conv2d(x, weight: weight(on: tape), bias: bias(on: tape), kernel: 3, stride: 2, padding: 1))
        }
        return relu(hidden(x.reshaped([x.shape[0], x.count / x.shape[0]]), on: tape))
    }

    /// Class logits [B, classes] of features [B, features].
    public func logits(_ features: Tensor) -> Tensor { head(features, on: features.tape) }
}
