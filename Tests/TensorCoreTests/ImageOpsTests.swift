import Files
import Foundation
import TensorCore
import TestSupport
import Testing

/// Convolution, norms, pools and resizing against PyTorch: `Tests/reference/image_ops.py` wrote the fixture.
@Suite struct ImageOpsTests {
    private static let fixture: SafetensorsFile? = try? SafetensorsFile(
        reading: packageRoot.appendingPathComponent("Tests/Fixtures/ops/images.safetensors"))

    private struct Case {
        let file: SafetensorsFile
        let name: String

        func tensor(_ key: String) throws -> Tensor {
            Tensor(try file.floats("\(name).\(key)"), shape: try file.shape("\(name).\(key)"))
        }

        func ints(_ key: String) throws -> [Int] { try file.ints("\(name).\(key)") }

        func window() throws -> Window {
            let w = try ints("window")
            return Window(height: w[0], width: w[1], stride: w[2], top: w[3], left: w[4], bottom: w[5], right: w[6])
        }
    }

    /// All cases of an op, compared: values to 1e-5 of the largest, gradients to 1e-4.
    private func check(
        _ op: String, atLeast count: Int, inputs: [String], _ apply: (Case, [Tensor]) throws -> Tensor
    ) throws {
        let file = try #require(Self.fixture)
        let names = Set(
            file.names.compactMap { name -> String? in
                let parts = name.split(separator: ".")
                return parts[0] == op ? "\(parts[0]).\(parts[1])" : nil
            })
        #expect(names.count >= count)
        for name in names.sorted() {
            let example = Case(file: file, name: name)
            let tape = Tape()
            let variables = try inputs.map { tape.variable(try example.tensor($0)) }
            let y = try apply(example, variables)
            let expected = try example.tensor("y")
            #expect(y.shape == expected.shape, "\(name)")
            #expect(Naive.error(y, Naive.doubles(expected)) < 1e-5, "\(name)")
            tape.backward(from: weightedSum(y, weights: try example.tensor("dy").values))
            for (input, variable) in zip(inputs, variables) {
                let gradient = try #require(tape.gradient(of: variable))
                #expect(Naive.error(gradient, Naive.doubles(try example.tensor("d\(input)"))) < 1e-4, "\(name) d\(input)")
            }
        }
    }

    @Test func convolutionIsPyTorchs() throws {
        try check("conv2d", atLeast: 6, inputs: ["x", "w", "b"]) {
            conv2d($1[0], weight: $1[1], bias: $1[2], window: try $0.window())
        }
    }

    @Test func depthwiseConvolutionIsPyTorchs() throws {
        try check("depthwise", atLeast: 3, inputs: ["x", "w", "b"]) {
            depthwiseConv2d($1[0], weight: $1[1], bias: $1[2], window: try $0.window())
        }
    }

    @Test func poolsArePyTorchs() throws {
        try check("max_pool", atLeast: 4, inputs: ["x"]) { maxPool($1[0], window: try $0.window()) }
        try check("average_pool", atLeast: 4, inputs: ["x"]) {
            averagePool($1[0], window: try $0.window(), countingPadding: false)
        }
        try check("average_pool_padding", atLeast: 4, inputs: ["x"]) {
            averagePool($1[0], window: try $0.window(), countingPadding: true)
        }
    }

    @Test func normsArePyTorchs() throws {
        try check("batch_norm", atLeast: 3, inputs: ["x", "w", "b"]) {
            batchNorm($1[0], weight: $1[1], bias: $1[2], moments: ChannelMoments(of: $1[0]))
        }
        try check("layer_norm", atLeast: 3, inputs: ["x", "w", "b"]) { layerNorm($1[0], weight: $1[1], bias: $1[2]) }
        try check("frozen_batch_norm", atLeast: 3, inputs: ["x", "w", "b"]) {
            let moments = ChannelMoments(mean: try $0.tensor("mean"), variance: try $0.tensor("variance"))
            return frozenBatchNorm($1[0], weight: $1[1], bias: $1[2], moments: moments)
        }
    }

    @Test func elementwiseAndResizingArePyTorchs() throws {
        try check("leaky_relu", atLeast: 1, inputs: ["x"]) { leakyReLU($1[0], slope: 0.2) }
        try check("softplus", atLeast: 1, inputs: ["x"]) { softplus($1[0]) }
        try check("exact_gelu", atLeast: 1, inputs: ["x"]) { exactGELU($1[0]) }
        try check("antialiased", atLeast: 4, inputs: ["x"]) {
            let size = try $0.tensor("y").shape
            return antialiasedResize($1[0], height: size[1], width: size[2])
        }
        try check("resize", atLeast: 3, inputs: ["x"]) {
            let size = try $0.tensor("y").shape
            return bilinearResize($1[0], height: size[1], width: size[2])
        }
    }

    /// Images whose windows take more memory than a group may: computed in several groups, to the same values.
    @Test func convolutionInGroupsIsTheSame() {
        let (x, weight) = (random([5, 96, 96, 64], "x"), random([3, 3, 3, 64], "w"))
        let window = Window(3, padding: 1)
        func all(_ x: Tensor) -> (y: Tensor, dx: Tensor?, dw: Tensor?) {
            let tape = Tape()
            let (input, filter) = (tape.variable(x), tape.variable(weight))
            let y = conv2d(input, weight: filter, window: window)
            tape.backward(from: weightedSum(y, weights: random(y.shape, "dy").values))
            return (y.detached(), tape.gradient(of: input), tape.gradient(of: filter))
        }
        let together = all(x)
        let size = x.count / 5
        let alone = (0..<5).map {
            conv2d(sliceRows(x.reshaped([5, size]), $0..<$0 + 1).reshaped([1, 96, 96, 64]), weight: weight, window: window)
        }
        #expect(Naive.error(together.y, alone.flatMap(Naive.doubles)) < 1e-5)
        // Gradients are linear in dy: those along one random direction of x and of the weight agree with differences.
        let direction = random(x.shape, "direction")
        let moved = conv2d(direction, weight: weight, window: window)
        let weights = random(together.y.shape, "dy")
        let slope = weightedSum(moved, weights: weights.values).scalar
        let byGradient = weightedSum(direction, weights: together.dx?.values ?? []).scalar
        #expect(abs(slope - byGradient) < 1e-3 * abs(slope) + 1)
        let filter = random(weight.shape, "filter")
        let filtered = weightedSum(conv2d(x, weight: filter, window: window), weights: weights.values).scalar
        let byWeight = weightedSum(filter, weights: together.dw?.values ?? []).scalar
        #expect(abs(filtered - byWeight) < 1e-3 * abs(filtered) + 1)
    }
}
