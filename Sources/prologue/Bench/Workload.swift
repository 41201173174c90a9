import Foundation
import Models
import NN
import Settings
import TensorCore

/// What `prologue bench` times, and its PyTorch peer too: fixed sizes, random weights and data.
///
/// Sizes: dim 256, 6 layers, 4 heads of 64. AR: 1024 visual + 256 prologue codes + EOS, 16+1+64 tokens, batch 64.
/// Tokenizer: 32×32×1, patch 4, 16 prologue tokens, batch 64. `base-ar-step` is the paper's Base size: dim 768, 12 layers, 12
/// heads, 16384 visual + 1024 prologue codes + EOS, 16+1+256 tokens, batch 4.
enum Workload: String, CaseIterable {
    /// Forward, backward, clipping, AdamW and EMA of the AR model.
    case arStep = "ar-step"
    /// The same at the paper's Base size.
    case baseArStep = "base-ar-step"
    /// Step A and step B of the prologue variant with their updates.
    case tokenizerStep = "tokenizer-step"
    /// Greedy sampling with constant guidance and a key–value cache.
    case sampling

    private static let network = TokenizerConfig.Network(width: 256, layers: 6, heads: 4, axes: [16, 24, 24])

    private var batch: Int { self == .baseArStep ? 4 : 64 }

    private var layout: SequenceLayout {
        self == .baseArStep
            ? SequenceLayout(prologueTokens: 16, visualTokens: 256, visualCodes: 16384, prologueCodes: 1024)
            : Self.tokenizer.layout
    }

    private func arConfig(_ precision: Precision) -> ARConfig {
        let network =
            self == .baseArStep
            ? TokenizerConfig.Network(width: 768, layers: 12, heads: 12, axes: [16, 24, 24]) : Self.network
        var config = ARConfig(layout: layout, network: network, labels: 11)
        config.precision = precision
        return config
    }

    static let tokenizer: TokenizerConfig = {
        TokenizerConfig(
            visual: .grid, prologue: .shared, imageSize: 32, channels: 1, patch: 4, encoder: network,
            decoder: network, codeWidth: 14, codebook: 1024, prologueTokens: 16, prologueCodebook: 256, labels: 11)
    }()

    func arModel(_ precision: Precision) -> ARModel {
        ARModel(arConfig(precision), stream: RandomStream(seed: 0, "bench/ar"))
    }

    /// Random codebook indices [batch, K + N].
    private func indices() -> TokenTensor {
        var stream = RandomStream(seed: 0, "bench/tokens")
        let layout = layout
        let ids = (0..<batch).flatMap { _ in
            (0..<layout.prologueTokens).map { _ in Int32(stream.integer(below: layout.prologueCodes)) }
                + (0..<layout.visualTokens).map { _ in Int32(stream.integer(below: layout.visualCodes)) }
        }
        return TokenTensor(ids, shape: [batch, layout.prologueTokens + layout.visualTokens])
    }

    private func labels() -> TokenTensor {
        TokenTensor((0..<batch).map { Int32($0 % 10) }, shape: [batch])
    }

    /// Tokens and images that one repetition handles.
    var tokens: Int { batch * layout.length }
    var images: Int { batch }

    /// Floating-point operations of the matrix products of one repetition, 2 per multiply–add; backward counts twice
    /// the forward.
    var operations: Double {
        let t = Self.tokenizer
        func network(_ width: Int, _ layers: Int, _ ratio: Double, tokens: Int, seen: Double? = nil) -> Double {
            let d = Double(width)
            let perToken = 4 * d * d + 3 * d * (d * ratio).rounded() + 2 * d * (seen ?? Double(tokens))
            return 2 * Double(tokens * layers) * perToken
        }
        let (length, sizes) = (layout.length, arConfig(.float32).network)
        let ar =
            network(sizes.width, sizes.layers, 11.0 / 4, tokens: length)
            + 2 * Double(length * sizes.width * layout.vocabulary)
        let encoder = network(256, 6, 8.0 / 3, tokens: t.visualTokens + t.prologueTokens)
        let decoder = network(256, 6, 8.0 / 3, tokens: t.visualTokens)
        switch self {
        case .arStep, .baseArStep: return Double(batch) * 3 * ar
        // One pass through the AR model serves both steps.
        case .tokenizerStep: return Double(batch) * (3 * (encoder + decoder) + 3 * ar)
        // Both branches attend to what lies before a token; the head multiplies them mixed, by the token's segment.
        case .sampling:
            let seen = Double(layout.length + 1) / 2
            let layers = network(sizes.width, sizes.layers, 11.0 / 4, tokens: layout.length, seen: seen)
            let logits = (0..<layout.length).map { layout.segment(at: $0).count }.filter { $0 > 1 }.reduce(0, +)
            return Double(batch) * (2 * layers + 2 * Double(sizes.width * logits))
        }
    }

    /// The function that does one repetition; making it allocates models and data.
    func repetition(_ precision: Precision) -> () -> Void {
        switch self {
        case .arStep, .baseArStep: arStep(precision)
        case .tokenizerStep: tokenizerStep(precision)
        case .sampling: sampling(precision)
        }
    }

    /// Targets and labels of a batch.
    var arInput: ARInput { ARInput(targets: layout.targets(indices()), labels: labels()) }

    /// The AR model with its optimiser.
    func arTraining(_ precision: Precision) -> (model: ARModel, optimizer: AdamW) {
        let model = arModel(precision)
        let settings = OptimizerSettings(beta1: 0.9, beta2: 0.96, weightDecay: 0.03, clip: 1)
        return (model, AdamW(model.parameters, settings, averageHalfLife: 2500))
    }

    private func arStep(_ precision: Precision) -> () -> Void {
        let ((model, optimizer), input) = (arTraining(precision), arInput)
        return {
            let tape = Tape(differentiating: model.parameters)
            tape.backward(from: model.meanCrossEntropy(input, on: tape))
            optimizer.step(tape, rate: 1e-4)
        }
    }

    /// Patches of a batch, labels, and which sequences see no visual tokens.
    var tokenizerBatch: (patches: Tensor, labels: TokenTensor, dropped: TokenTensor?) {
        var stream = RandomStream(seed: 0, "bench/images")
        let patches = Tensor([batch, Self.tokenizer.visualTokens, Self.tokenizer.patchWidth]) { 2 * stream.uniform() - 1 }
        let unconditional = TokenTensor(repeating: Int32(Self.tokenizer.labels - 1), shape: [batch])
        return (patches, unconditional, TokenTensor(flags: (0..<batch).map { $0 % 2 == 0 }))
    }

    /// Both steps with their optimisers.
    func tokenizerUpdate(_ precision: Precision) -> TokenizerUpdate {
        var config = Self.tokenizer
        config.precision = precision
        let (tokenizer, model) = (Tokenizer(config, seed: 0), arModel(precision))
        let autoencoder = AdamW(tokenizer.parameters, .init(beta1: 0, beta2: 0.99), averageHalfLife: 1000)
        let prior = AdamW(model.parameters, .init(beta1: 0.9, beta2: 0.99, weightDecay: 0.03), averageHalfLife: 2500)
        var weights = TokenizerLossSettings()
        weights.cePrologue = 3
        weights.ceVisual = 3
        return TokenizerUpdate(tokenizer, weights: weights, autoencoder: autoencoder, joint: (model, prior))
    }

    private func tokenizerStep(_ precision: Precision) -> () -> Void {
        let (update, batch) = (tokenizerUpdate(precision), tokenizerBatch)
        return { _ = update(patches: batch.patches, labels: batch.labels, visualDropped: batch.dropped, rate: 1e-4) }
    }

    /// Greedy, with constant guidance.
    static let sampler: SamplerSettings = {
        var settings = SamplerSettings()
        settings.topK = 1
        settings.guidance.scale = 2
        return settings
    }()

    private func sampling(_ precision: Precision) -> () -> Void {
        var settings = Self.sampler
        settings.precision = precision
        let sampler = Sampler(arModel(precision), settings)
        let labels = labels().ids
        return { _ = sampler.sample(labels: labels, seed: 0) }
    }
}
