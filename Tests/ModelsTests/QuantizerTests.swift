import Files
import Foundation
import Models
import NN
import Settings
import TensorCore
import TestSupport
import Testing

/// Quantizers against the PyTorch twin of `Tests/reference/quantizer_menu.py`: values and gradients.
@Suite struct QuantizerTests {
    struct Example: Sendable, CustomStringConvertible {
        let name: String
        let kind: QuantizerKind
        let use: Quantizer.Use
        let temperature, entropyTemperature: Double

        var description: String { "\(name).\(use)" }
    }

    /// The sizes and temperatures of the fixture's cases.
    static let examples: [Example] = [
        ("vq", QuantizerKind.vq, 0.5, 0.1), ("probq", .probq, 0.2, 0.05), ("lfq", .lfq, 0.3, 0.2),
        ("fsq", .fsq(levels: [5, 4, 3]), 0.25, 0.1), ("gumbel", .gumbel(temperature: 0.8), 0.3, 0.1),
    ].flatMap { name, kind, temperature, entropy in
        [Quantizer.Use.visual, .prologue].map {
            Example(name: name, kind: kind, use: $0, temperature: temperature, entropyTemperature: entropy)
        }
    }

    private static let fixture = packageRoot.appendingPathComponent("Tests/Fixtures/layers/quantizers.safetensors")

    @Test(arguments: examples)
    func valuesAndGradientsAgreeWithPyTorch(_ example: Example) throws {
        let file = try SafetensorsFile(reading: Self.fixture)
        func tensor(_ key: String) throws -> Tensor {
            Tensor(try file.floats("\(example).\(key)"), shape: try file.shape("\(example).\(key)"))
        }
        let (h, wp) = (try tensor("h"), try tensor("weight_probabilities"))
        let builder = ParameterBuilder(RandomStream(seed: 0, "quantizer"))
        let isLearned = file.contains("\(example).embedding")
        let quantizer = Quantizer(
            "q", example.kind, for: example.use, from: h.width, codes: wp.width,
            codeWidth: isLearned ? try tensor("embedding").width : 1, commitment: 0.3, temperature: example.temperature,
            pathTemperature: example.temperature, entropyTemperature: example.entropyTemperature, in: builder)
        let keys = ["q.proj_in.weight": "weight", "q.proj_in.bias": "bias", "q.embedding.weight": "embedding"]
        #expect(builder.parameters.count == (isLearned ? 3 : 2))
        for parameter in builder.parameters {
            let value = try tensor(try #require(keys[parameter.name]))
            try #require(value.shape == parameter.shape, "\(parameter.name)")
            parameter.value.overwrite(with: value.values)
        }
        let tape = Tape(differentiating: builder.parameters)
        let input = tape.variable(h)
        let noise = file.contains("\(example).noise") ? try tensor("noise") : nil
        let found = quantizer(input, on: tape, noise: noise)
        #expect(found.indices.ids.map(Int.init) == (try file.ints("\(example).indices")))

        try compare(found.codes, with: tensor("codes"), 1e-5, "codes")
        let probabilities = try #require(found.probabilities)
        try compare(probabilities, with: tensor("probabilities"), 1e-5, "probabilities")
        let entropy = try #require(found.entropyLoss)
        try compare(entropy, with: tensor("entropy_loss"), 1e-4, "entropy loss")
        #expect((found.loss != nil) == file.contains("\(example).loss"))

        var total = weightedSum(probabilities, weights: wp.values) + 0.4 * entropy
        if let loss = found.loss {
            try compare(loss, with: tensor("loss"), 1e-5, "loss")
            total = total + 0.7 * loss
        }
        if example.use == .visual { total = total + weightedSum(found.codes, weights: try tensor("weight_codes").values) }
        tape.backward(from: total)
        try compare(try #require(tape.gradient(of: input)), with: tensor("grad.h"), 1e-4, "gradient of h")
        for parameter in builder.parameters {
            let key = "grad.\(keys[parameter.name] ?? "")"
            try compare(try #require(tape.gradient(of: parameter)), with: tensor(key), 1e-4, key)
        }
    }

    /// Largest error as a share of the largest entry.
    private func compare(_ found: Tensor, with expected: Tensor, _ tolerance: Float, _ what: String) {
        #expect(found.count == expected.count, "\(what)")
        let largest = expected.values.reduce(0) { max($0, abs($1)) }
        let error = zip(found.values, expected.values).reduce(0) { max($0, abs($1.0 - $1.1)) }
        #expect(error <= tolerance * largest, "\(what): \(error) of \(largest)")
    }

    /// Decoding an index gives the code that was chosen, whatever the kind.
    @Test(arguments: examples)
    func indicesNameTheirCodes(_ example: Example) throws {
        var config = Self.config(example.kind, codes: example.name == "fsq" ? 60 : 16)
        let quantizer = try #require(TokenizerSettings.Quantizer(rawValue: example.name))
        config.gumbelTemperature = 0.8
        if case .prologue = example.use {
            (config.settings.prologueQuantizer, config.prologueLevels) = (quantizer, [5, 4, 3])
        } else {
            (config.settings.visualQuantizer, config.visualLevels) = (quantizer, [5, 4, 3])
        }
        let encoder = Encoder(config, stream: RandomStream(seed: 1, "encoder"))
        let encoding = encoder(random([2, config.visualTokens, config.patchWidth]))
        #expect(encoder.visualCodes(encoding.visual.indices).values == encoding.visual.codes.values)
        let prologue = try #require(encoding.prologue)
        #expect(encoder.prologueCodes(prologue.indices)?.values == prologue.codes.values)
        #expect(encoding.visual.codes.width == config.visualCodeWidth)
    }

    /// Gumbel noise changes codes in training only, and a stream always gives the same noise.
    @Test func gumbelNoiseIsForTraining() {
        var config = Self.config(.vq, codes: 16)
        config.settings.visualQuantizer = .gumbel
        let encoder = Encoder(config, stream: RandomStream(seed: 1, "encoder"))
        let patches = random([3, config.visualTokens, config.patchWidth])
        func indices(step: Int) -> [Int32] {
            let noise = GumbelNoise(visual: RandomStream(seed: 5, "noise", step: step), prologue: nil)
            return encoder(patches, noise: noise).visual.indices.ids
        }
        let plain = encoder(patches).visual.indices.ids
        #expect(encoder(patches).visual.indices.ids == plain)
        #expect(indices(step: 0) == indices(step: 0))
        #expect(indices(step: 0) != indices(step: 1))
        #expect(indices(step: 0) != plain)
    }

    /// Drawn with Gumbel noise, codes come as often as P says.
    @Test func gumbelDrawsFromP() throws {
        let builder = ParameterBuilder(RandomStream(seed: 2, "q"))
        let quantizer = Quantizer(
            "q", .gumbel(temperature: 1), for: .visual, from: 4, codes: 5, codeWidth: 3, commitment: 0, temperature: 0.7,
            pathTemperature: 0.7, entropyTemperature: nil, in: builder)
        // Large parameters, so that P is far from even.
        for parameter in builder.parameters { parameter.value.overwrite(with: parameter.value.values.map { 20 * $0 }) }
        let draws = 20_000
        let h = Tensor((0..<draws * 4).map { Float($0 % 4) - 1 }, shape: [1, draws, 4])
        let p = try #require(quantizer(h, on: nil).probabilities).values.prefix(5)
        var counts = [Double](repeating: 0, count: 5)
        let noise = gumbel(RandomStream(seed: 3, "noise"), count: draws * 5)
        for id in quantizer(h, on: nil, noise: noise).indices.ids { counts[Int(id)] += 1 }
        for (count, p) in zip(counts, p) {
            // Five standard deviations.
            let deviation = (Double(p) * (1 - Double(p)) / Double(draws)).squareRoot()
            #expect(abs(count / Double(draws) - Double(p)) <= 5 * deviation, "\(counts) against \(p)")
        }
    }

    private func gumbel(_ stream: RandomStream, count: Int) -> Tensor { stream.gumbelNoise(count) }

    /// A dead code moves to a token of the batch with fresh moments; used ones stay.
    @Test func deadCodesRestart() throws {
        let config = Self.config(.vq, codes: 16)
        let encoder = Encoder(config, stream: RandomStream(seed: 1, "encoder"))
        let codebook = try #require(encoder.codebooks.visual)
        let optimizer = AdamW(encoder.parameters, .init(beta1: 0, beta2: 0.9), averageHalfLife: 10)
        let quantized = encoder(random([1, config.visualTokens, config.patchWidth])).visual
        let used = Set(quantized.indices.ids.map(Int.init))
        #expect(used.count < 16)
        let before = codebook.value.copied()
        let restart = CodeRestart(codebook, patience: 2)
        #expect(restart(quantized.indices, points: { quantized.points }, optimizer, stream: RandomStream(seed: 0, "r")) == 0)
        #expect(codebook.value.values == before.values, "nothing is dead after one step")
        #expect(restart(quantized.indices, points: { quantized.points }, optimizer, stream: RandomStream(seed: 0, "r")) == 16 - used.count)
        func row(_ tensor: Tensor, _ i: Int) -> [Float] { Array(tensor.values[i * tensor.width..<(i + 1) * tensor.width]) }
        let points = Set((0..<quantized.points.rows).map { row(quantized.points, $0) })
        for code in 0..<16 {
            if used.contains(code) {
                #expect(row(codebook.value, code) == row(before, code))
            } else {
                #expect(points.contains(row(codebook.value, code)), "code \(code) is no token")
            }
        }
        #expect(restart.idle.values.allSatisfy { $0 == 0 })
        optimizer.withAverages { #expect(points.contains(row(codebook.value, (0..<16).first { !used.contains($0) } ?? 0))) }
    }

    private static func config(_ kind: QuantizerKind, codes: Int) -> TokenizerConfig {
        let network = TokenizerConfig.Network(width: 24, layers: 1, heads: 2, axes: [4, 4, 4])
        var config = TokenizerConfig(
            visual: .grid, prologue: .shared, imageSize: 12, channels: 1, patch: 4, encoder: network, decoder: network,
            codeWidth: 5, codebook: codes, prologueTokens: 3, prologueCodebook: codes, labels: 4)
        config.commitment = 0.3
        return config
    }

    private func random(_ shape: [Int]) -> Tensor {
        var stream = RandomStream(seed: 7, "input")
        return Tensor((0..<shape.reduce(1, *)).map { _ in stream.normal() }, shape: shape)
    }
}
