import NN
import TensorCore

/// What the tokenizer's encoder makes of images.
public struct Encoding {
    public let visual: Quantized
    /// Nil in tokenizers without a prologue.
    public let prologue: Quantized?

    /// Prologue then visual indices, each in its own codebook, [B, K + N].
    public var indices: TokenTensor {
        guard let prologue else { return visual.indices }
        return concatTokens([prologue.indices, visual.indices])
    }
}

/// Patches → visual and prologue codes. A ViT over [patches ; learned queries] at 2D positions for patches and a
/// separate axis for queries (method §3.6); no output norm.
public struct Encoder {
    public let config: TokenizerConfig
    public let parameters: [Parameter]
    let inputLayer: Linear
    let queries: Parameter?
    let transformer: Transformer
    let quantizer: Quantizer
    let prologueEncoder: PrologueEncoder?
    let prologueQuantizer: Quantizer?
    private let table: RotaryTable

    public init(_ config: TokenizerConfig, stream: RandomStream) { self.init(config, parameters: .random(stream)) }

    public init(_ config: TokenizerConfig, parameters source: ParameterSource) {
        self.config = config
        let builder = ParameterBuilder(source)
        let width = config.encoder.width
        inputLayer = Linear("enc.input_layer", from: config.patchWidth, to: width, in: builder)
        let queryCount: Int
        switch (config.visual, config.prologue) {
        case (.latent, .none): queryCount = config.visualTokens
        case (.grid, .shared): queryCount = config.prologueTokens
        case (.grid, _): queryCount = 0
        case (.latent, _): fatalError("a prologue needs a grid of visual tokens")
        }
        queries = queryCount == 0 ? nil : builder.normal("enc.learnable_query", [1, queryCount, width])
        transformer = Transformer(
            "enc",
            TransformerShape(
                width: width, layers: config.encoder.layers, heads: config.encoder.heads,
                feedForwardRatio: 8.0 / 3, biases: true, causal: false, precision: config.precision, recomputes: config.recompute),
            labels: config.labels, conditionWidth: config.condDim, outputNorm: false, in: builder)
        quantizer = Quantizer(
            "quantizer", config.visualQuantizer, for: .visual, from: width, codes: config.codebook,
            codeWidth: config.zDim, commitment: config.commitment, temperature: config.visualTemperature,
            pathTemperature: config.couplingTemperature, entropyTemperature: config.visualEntropyTemperature, in: builder)
        prologueEncoder = config.prologueEncoder.map { PrologueEncoder(config, $0, in: builder) }
        prologueQuantizer =
            config.prologue == .none
            ? nil
            : Quantizer(
                "semantic_quantizer", config.prologueQuantizer, for: .prologue, from: config.prologueWidth,
                codes: config.prologueCodebook, codeWidth: config.zDim, commitment: config.commitment,
                temperature: config.prologueTemperature, pathTemperature: config.prologueTemperature,
                entropyTemperature: config.prologueEntropyTemperature, in: builder)
        parameters = builder.parameters
        table = RotaryTable(
            config.gridPositions + (0..<queryCount).map { .query($0) }, axisWidths: config.encoder.axes)
    }

    /// What makes prologue tokens only: their quantizer, and their encoder where they have one of their own.
    public var prologueParameters: [Parameter] { parameters.filter { $0.name.hasPrefix("semantic_") } }

    /// The learned codes of each kind of token; nil where they are not learned.
    public var codebooks: (visual: Parameter?, prologue: Parameter?) {
        (quantizer.embedding, prologueQuantizer?.embedding)
    }

    /// patches [B, N, p·p·C] in [−1, 1] → codes; with `noise`, those of Gumbel quantizers are drawn.
    public func callAsFunction(_ patches: Tensor, noise: GumbelNoise? = nil) -> Encoding {
        let (tape, n) = (patches.tape, config.visualTokens)
        var x = inputLayer(patches, on: tape)
        if let queries { x = concatTokens([x, queries(on: tape)]) }
        let hidden = transformer(x, table: table, on: tape)
        let fromPatches = queries == nil ? hidden : sliceTokens(hidden, 0..<n)
        let fromQueries = queries == nil ? nil : sliceTokens(hidden, n..<hidden.shape[1])
        let visual = quantize(
            config.visual == .latent ? fromQueries ?? hidden : fromPatches, quantizer, noise, \.visual, on: tape)
        let prologueHidden = prologueEncoder?(fromPatches) ?? (config.prologue == .shared ? fromQueries : nil)
        let prologue = prologueHidden.flatMap { hidden in
            prologueQuantizer.map { quantize(hidden, $0, noise, \.prologue, on: tape) }
        }
        return Encoding(visual: visual, prologue: prologue)
    }

    private func quantize(
        _ h: Tensor, _ quantizer: Quantizer, _ noise: GumbelNoise?, _ kind: KeyPath<GumbelNoise, (any RandomSource)?>, on tape: Tape?
    ) -> Quantized {
        guard case .gumbel = quantizer.kind, let noise, let stream = noise[keyPath: kind] else { return quantizer(h, on: tape) }
        return quantizer(h, on: tape, noise: noise.drawn(from: stream, h.rows * quantizer.codebook.codes))
    }

    /// Code vectors of visual indices [B, N] → [B, N, z], what the decoder reads.
    public func visualCodes(_ indices: TokenTensor) -> Tensor { quantizer.codebook.vectors(indices) }

    /// Code vectors of prologue indices [B, K] → [B, K, z]; nil in tokenizers without a prologue.
    public func prologueCodes(_ indices: TokenTensor) -> Tensor? { prologueQuantizer?.codebook.vectors(indices) }
}

/// The prologue encoder of its own (`prologue-post`): reads the visual encoder's hidden states at their 2D
/// positions, followed by K learned queries, and keeps the queries.
struct PrologueEncoder {
    private let inputLayer: Linear
    private let queries: Parameter
    private let transformer: Transformer
    private let table: RotaryTable
    private let visualTokens: Int

    init(_ config: TokenizerConfig, _ network: TokenizerConfig.Network, in builder: ParameterBuilder) {
        let width = network.width
        visualTokens = config.visualTokens
        inputLayer = Linear("semantic_enc.input_layer", from: config.encoder.width, to: width, in: builder)
        queries = builder.normal("semantic_enc.learnable_query", [1, config.prologueTokens, width])
        transformer = Transformer(
            "semantic_enc",
            TransformerShape(
                width: width, layers: network.layers, heads: network.heads, feedForwardRatio: 11.0 / 4, biases: true,
                causal: false, precision: config.precision, recomputes: config.recompute),
            labels: config.labels, conditionWidth: config.condDim, outputNorm: false, in: builder)
        table = RotaryTable(
            config.gridPositions + (0..<config.prologueTokens).map { .query($0) }, axisWidths: network.axes)
    }

    func callAsFunction(_ hidden: Tensor) -> Tensor {
        let tape = hidden.tape
        let x = concatTokens([inputLayer(hidden, on: tape), queries(on: tape)])
        let y = transformer(x, table: table, on: tape)
        return sliceTokens(y, visualTokens..<y.shape[1])
    }
}

extension TokenizerConfig {
    /// Raster positions of the patches.
    var gridPositions: [RotaryTable.Position] {
        (0..<grid).flatMap { row in (0..<grid).map { .grid(row: row, column: $0) } }
    }
}
