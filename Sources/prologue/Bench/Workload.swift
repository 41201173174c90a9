import Foundation
import Models
import NN
import TensorCore

/// What `prologue bench` times, and its PyTorch peer too: fixed sizes, random weights and data.
///
/// Sizes: dim 256, 6 layers, 4 heads of 64. AR: 1024 visual + 256 prologue codes + EOS, 16+1+64 tokens, batch 64.
/// Tokenizer: 32×32×1, patch 4, 16 prologue tokens, batch 64.
enum Workload: String, CaseIterable {
    /// Forward, backward, clipping, AdamW and EMA of the AR model.
    case arStep = "ar-step"
    /// Step A and step B of the prologue variant with their updates.
    case tokenizerStep = "tokenizer-step"
    /// Greedy sampling with constant guidance and a key–value cache.
    case sampling

    static let batch = 64
    private static let network = TokenizerConfig.Network(width: 256, layers: 6, heads: 4, axes: [16, 24, 24])

    static let tokenizer: TokenizerConfig = {
        TokenizerConfig(
            visual: .grid, prologue: .shared, imageSize: 32, channels: 1, patch: 4, encoder: network,
            decoder: network, codeWidth: 14, codebook: 1024, prologueTokens: 16, prologueCodebook: 256, labels: 11)
    }()

    private static func arModel() -> ARModel {
        ARModel(
            ARConfig(layout: tokenizer.layout, network: network, labels: 11),
            stream: RandomStream(seed: 0, "bench/ar"))
    }

    /// Random codebook indices [batch, K + N].
    private static func indices() -> TokenTensor {
        var stream = RandomStream(seed: 0, "bench/tokens")
        let ids = (0..<batch).flatMap { _ in
            (0..<tokenizer.prologueTokens).map { _ in Int32(stream.integer(below: tokenizer.prologueCodebook)) }
                + (0..<tokenizer.visualTokens).map { _ in Int32(stream.integer(below: tokenizer.codebook)) }
        }
        return TokenTensor(ids, shape: [batch, tokenizer.prologueTokens + tokenizer.visualTokens])
    }

    private static func labels() -> TokenTensor {
        TokenTensor((0..<batch).map { Int32($0 % 10) }, shape: [batch])
    }

    /// Tokens and images that one repetition handles.
    var tokens: Int { Self.batch * Self.tokenizer.layout.length }
    var images: Int { Self.batch }

    /// Floating-point operations of the matrix products of one repetition, 2 per multiply–add; backward counts twice
    /// the forward.
    var operations: Double {
        let t = Self.tokenizer
        func network(_ width: Int, _ layers: Int, _ ratio: Double, tokens: Int, causalKeys: Int) -> Double {
            let d = Double(width)
            let perToken = 4 * d * d + 3 * d * (d * ratio).rounded() + 2 * d * Double(causalKeys)
            return 2 * Double(tokens * layers) * perToken
        }
        let length = t.layout.length
        let ar =
            network(256, 6, 11.0 / 4, tokens: length, causalKeys: length)
            + 2 * Double(length) * 256 * Double(t.layout.vocabulary)
        let encoder = network(256, 6, 8.0 / 3, tokens: 80, causalKeys: 80)
        let decoder = network(256, 6, 8.0 / 3, tokens: 64, causalKeys: 64)
        switch self {
        case .arStep: return Double(Self.batch) * 3 * ar
        // One pass through the AR model serves both steps.
        case .tokenizerStep: return Double(Self.batch) * (3 * (encoder + decoder) + 3 * ar)
        case .sampling: return Double(Self.batch) * 2 * ar
        }
    }

    /// The function that does one repetition; making it allocates models and data.
    func repetition() -> () -> Void {
        switch self {
        case .arStep: Self.arStep()
        case .tokenizerStep: Self.tokenizerStep()
        case .sampling: Self.sampling()
        }
    }

    private static func arStep() -> () -> Void {
        let model = arModel()
        let optimizer = AdamW(
            model.parameters, .init(beta1: 0.9, beta2: 0.96, decay: 0.03, clip: 1, averageHalfLife: 2500))
        let input = ARInput(targets: tokenizer.layout.targets(indices()), labels: labels())
        return {
            let tape = Tape(differentiating: model.parameters)
            tape.backward(from: model.meanCrossEntropy(input, on: tape))
            optimizer.step(tape, rate: 1e-4)
        }
    }

    private static func tokenizerStep() -> () -> Void {
        let (tokenizer, model) = (Tokenizer(Self.tokenizer, seed: 0), arModel())
        let autoencoder = AdamW(tokenizer.parameters, .init(beta1: 0, beta2: 0.99, averageHalfLife: 1000))
        let prior = AdamW(model.parameters, .init(beta1: 0.9, beta2: 0.99, decay: 0.03, averageHalfLife: 2500))
        var weights = Tokenizer.LossWeights()
        weights.prologueCrossEntropy = 3
        weights.visualCrossEntropy = 3
        var stream = RandomStream(seed: 0, "bench/images")
        let patches = Tensor(uninitialized: [batch, Self.tokenizer.visualTokens, Self.tokenizer.patchWidth])
        for i in 0..<patches.count { patches.pointer[i] = 2 * stream.uniform() - 1 }
        let dropped = (0..<batch).map { $0 % 2 == 0 }
        let labels = TokenTensor(repeating: model.unconditionalLabel, shape: [batch])
        let update = TokenizerUpdate(
            tokenizer, weights: weights, autoencoder: autoencoder, joint: (model, prior))
        return { _ = update(patches: patches, labels: labels, visualDropped: dropped, rate: 1e-4) }
    }

    private static func sampling() -> () -> Void {
        var settings = SamplerSettings()
        settings.topK = 1
        settings.guidance = .overall(scale: 2, schedule: .constant, power: 1)
        let sampler = Sampler(arModel(), settings)
        let labels = labels().ids
        return { _ = sampler.sample(labels: labels, seed: 0) }
    }
}
