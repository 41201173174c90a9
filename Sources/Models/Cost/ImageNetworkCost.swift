import NN
import TensorCore

extension PatchDiscriminator {
    /// Worked out from the sizes, for one image.
    ///
    /// - Parameter isFirst: the image is data; false: its gradient is wanted.
    public static func cost(imageSize: Int, channels: Int, width: Int, layers: Int, isFirst: Bool) -> ModelCost {
        var (cost, side, input) = (ModelCost(), imageSize, channels)
        func add(_ output: Int, stride: Int, normed: Bool, isLast: Bool = false) {
            side = logits(side, stride: stride)
            let places = side * side
            cost += .convolution(
                places: places, window: 4, from: input, to: output, bias: !normed, isFirst: isFirst && cost.forward == 0)
            if normed { cost += .values(2 * output) }
            // The convolution's output, the norm's, the activation's.
            cost += .keeping(places * output * (1 + (normed ? 1 : 0) + (isLast ? 0 : 1)))
            input = output
        }
        for layer in 0..<layers { add(width * min(1 << layer, 8), stride: 2, normed: layer > 0) }
        add(width * min(1 << layers, 8), stride: 1, normed: true)
        add(1, stride: 1, normed: false, isLast: true)
        return cost
    }
}

extension LPIPS {
    /// Forward FLOPs, gradients of the image and maps kept, for one image; its parameters are the user's.
    public static func cost(imageSize: Int) -> ModelCost {
        var (cost, side, input) = (ModelCost(), imageSize, 3)
        for (number, stage) in stages.enumerated() {
            if number > 0 { side /= 2 }
            for (_, output) in stage {
                cost += .convolution(places: side * side, window: 3, from: input, to: output, bias: true)
                cost += .keeping(side * side * output)
                input = output
            }
            // Activations scaled to length 1, of both images, and their difference.
            cost += .keeping(3 * side * side * input) + .linear(rows: side * side, from: input, to: 1, bias: false)
        }
        return cost
    }
}

extension ImageClassifier {
    /// Worked out from the sizes, for one image.
    public static func cost(
        imageSize: Int, channels: Int, classes: Int, width: Int, features: Int, isFirst: Bool = true
    ) -> ModelCost {
        var (cost, side, input) = (ModelCost(), imageSize, channels)
        for i in 0..<3 {
            side = (side + 1) / 2
            cost += .convolution(
                places: side * side, window: 3, from: input, to: width << i, bias: true, isFirst: isFirst && i == 0)
            input = width << i
            cost += .keeping(side * side * input)
        }
        return cost + .linear(rows: 1, from: side * side * input, to: features, bias: true)
            + .linear(rows: 1, from: features, to: classes, bias: true) + .keeping(2 * features + classes)
    }
}

extension ConvNeXt {
    /// Forward FLOPs, gradients of the image and values kept, for one image; its parameters are the user's.
    public static var cost: ModelCost {
        var (cost, side, input) = (ModelCost(), imageSize, 3)
        for (number, (blocks, channels)) in stages.enumerated() {
            let stride = number == 0 ? 4 : 2
            side /= stride
            let places = side * side
            cost += .convolution(places: places, window: stride, from: input, to: channels, bias: true)
            // Before a stage: the convolution, its norm and what that keeps.
            cost += .values(2 * (number == 0 ? channels : input)) + .keeping(places * 3 * channels)
            let block =
                ModelCost.convolution(places: places, window: 7, from: 1, to: channels, bias: true)
                + .linear(rows: places, from: channels, to: 4 * channels, bias: true)
                + .linear(rows: places, from: 4 * channels, to: channels, bias: true) + .values(3 * channels)
                // The convolution, the norm twice, both sides of GELU, the branch, the sum.
                + .keeping(places * (5 + 8) * channels)
            cost += blocks * block
            input = channels
        }
        return cost + .values(2 * input) + .linear(rows: 1, from: input, to: classes, bias: true)
    }
}
