import NN
import TensorCore

/// Code vectors → patches. Visual codes of a grid are decoded where they stand; latent tokens are followed by
/// learned queries, one a patch, which are kept (method §3.6). The prologue never enters.
public struct Decoder {
    public let config: TokenizerConfig
    public let parameters: [Parameter]
    private let inputLayer, head: Linear
    private let queries: Parameter?
    private let transformer: Transformer
    private let table: RotaryTable

    public init(_ config: TokenizerConfig, stream: RandomStream) { self.init(config, parameters: .random(stream)) }

    public init(_ config: TokenizerConfig, parameters source: ParameterSource) {
        self.config = config
        let builder = ParameterBuilder(source)
        let width = config.decoder.width
        inputLayer = Linear("dec.input_layer", from: config.visualCodeWidth, to: width, in: builder)
        let n = config.visualTokens
        queries = config.visual == .latent ? builder.normal("dec.learnable_query", [1, n, width]) : nil
        transformer = Transformer(
            "dec",
            TransformerShape(
                width: width, layers: config.decoder.layers, heads: config.decoder.heads, feedForwardRatio: 8.0 / 3,
                biases: true, causal: false, precision: config.precision, recomputes: config.recompute),
            labels: config.labels, conditionWidth: config.condDim, outputNorm: true, in: builder)
        head = Linear("dec.out", from: width, to: config.patchWidth, scale: 1e-5, in: builder)
        parameters = builder.parameters
        let positions = (queries == nil ? [] : (0..<n).map { RotaryTable.Position.query($0) }) + config.gridPositions
        table = RotaryTable(positions, axisWidths: config.decoder.axes)
    }

    /// codes [B, N, z] → patches [B, N, p·p·C].
    public func callAsFunction(_ codes: Tensor) -> Tensor {
        let tape = codes.tape
        var x = inputLayer(codes, on: tape)
        if let queries { x = concatTokens([x, queries(on: tape)]) }
        x = transformer(x, table: table, on: tape)
        if queries != nil { x = sliceTokens(x, config.visualTokens..<x.shape[1]) }
        return head(x, on: tape)
    }
}
