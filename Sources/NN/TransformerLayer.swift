import Settings
import TensorCore

/// Sizes of a stack of transformer layers.
public struct TransformerShape: Equatable, Sendable {
    public var width: Int
    public var layers: Int
    public var heads: Int
    /// Feed-forward width over model width: 8/3 in encoder and decoder, 11/4 in AR model and prologue encoder.
    public var feedForwardRatio: Double
    /// Whether attention output, feed-forward and gates have biases (not in the AR model).
    public var biases: Bool
    public var causal: Bool
    /// What the products of the layers multiply.
    public var precision: Precision
    /// Whether training keeps the layers' inputs only, and computes the rest again for the gradient.
    public var recomputes: Bool

    public init(
        width: Int, layers: Int, heads: Int, feedForwardRatio: Double, biases: Bool, causal: Bool,
        precision: Precision = .float32, recomputes: Bool = false
    ) {
        (self.precision, self.recomputes) = (precision, recomputes)
        self.width = width
        self.layers = layers
        self.heads = heads
        self.feedForwardRatio = feedForwardRatio
        self.biases = biases
        self.causal = causal
    }

    public var headWidth: Int { width / heads }
    public var hidden: Int { Int((Double(width) * feedForwardRatio).rounded()) }
}

/// Self-attention with per-head normalised, rotated queries and keys (method §3.4).
public struct SelfAttention {
    let toQueries, toKeysValues, projection: Linear
    let queryNorm, keyNorm: Parameter
    let shape: TransformerShape

    init(_ name: String, _ shape: TransformerShape, in builder: ParameterBuilder) {
        self.shape = shape
        let width = shape.width
        toQueries = Linear("\(name).to_q", from: width, to: width, bias: false, in: builder)
        toKeysValues = Linear("\(name).to_kv", from: width, to: 2 * width, bias: false, in: builder)
        queryNorm = builder.zeros("\(name).q_norm.weight", [shape.headWidth])
        keyNorm = builder.zeros("\(name).k_norm.weight", [shape.headWidth])
        projection = Linear("\(name).proj", from: width, to: width, bias: shape.biases, in: builder)
    }

    func callAsFunction(_ x: Tensor, table: RotaryTable, on tape: Tape?, dropout: inout Dropout) -> Tensor {
        let mixed = selfAttention(
            q: toQueries(x, on: tape), kv: toKeysValues(x, on: tape), queryNorm: queryNorm(on: tape),
            keyNorm: keyNorm(on: tape), table: table, heads: shape.heads, causal: shape.causal,
            dropout: dropout.attentionMask(shape.heads * x.shape[1] * x.shape[1]))
        return dropout(projection(mixed, on: tape))
    }
}

/// Feed-forward layer: fc2(gelu(value)·gate), [gate ; value] = fc1(x).
public struct FeedForward {
    let upProjection, downProjection: Linear

    init(_ name: String, _ shape: TransformerShape, in builder: ParameterBuilder) {
        upProjection = Linear("\(name).fc1", from: shape.width, to: 2 * shape.hidden, bias: shape.biases, in: builder)
        downProjection = Linear("\(name).fc2", from: shape.hidden, to: shape.width, bias: shape.biases, in: builder)
    }

    func callAsFunction(_ x: Tensor, on tape: Tape?, dropout: inout Dropout) -> Tensor {
        dropout(downProjection(geglu(upProjection(x, on: tape)), on: tape))
    }
}

/// Pre-norm layer, both branches gated by the condition:
/// x ← x + gate₁(c)·Attention(norm₁(x,c)); x ← x + gate₂(c)·FFN(norm₂(x,c)).
public struct TransformerLayer {
    let attention: SelfAttention
    let feedForward: FeedForward
    let attentionNorm, feedForwardNorm: ConditionalNorm
    let attentionGate, feedForwardGate: Linear

    init(_ name: String, _ shape: TransformerShape, conditionWidth: Int, in builder: ParameterBuilder) {
        let width = shape.width
        attentionNorm = ConditionalNorm("\(name).adaln_1", width: width, conditionWidth: conditionWidth, in: builder)
        feedForwardNorm = ConditionalNorm(
            "\(name).adaln_mlp", width: width, conditionWidth: conditionWidth, in: builder)
        attention = SelfAttention("\(name).attn1", shape, in: builder)
        feedForward = FeedForward("\(name).ffn", shape, in: builder)
        attentionGate = Linear(
            "\(name).gate1", from: conditionWidth, to: width, bias: shape.biases, scale: 1e-5, in: builder)
        feedForwardGate = Linear(
            "\(name).gate_mlp", from: conditionWidth, to: width, bias: shape.biases, scale: 1e-5, in: builder)
    }

    func callAsFunction(
        _ x: Tensor, condition c: Tensor, table: RotaryTable, on tape: Tape?, dropout: inout Dropout
    ) -> Tensor {
        if attention.shape.precision == .bfloat16 {
            return inBFloat16(x, condition: c, table: table, on: tape, dropout: &dropout)
        }
        let mixed = attention(attentionNorm(x, condition: c, on: tape), table: table, on: tape, dropout: &dropout)
        let x = gatedResidual(x, gate: attentionGate(c, on: tape), branch: mixed)
        let changed = feedForward(feedForwardNorm(x, condition: c, on: tape), on: tape, dropout: &dropout)
        return gatedResidual(x, gate: feedForwardGate(c, on: tape), branch: changed)
    }

    /// The same in two fused ops whose products are of bfloat16.
    private func inBFloat16(
        _ x: Tensor, condition c: Tensor, table: RotaryTable, on tape: Tape?, dropout: inout Dropout
    ) -> Tensor {
        let (shape, length) = (attention.shape, x.shape[1])
        let x = attentionBlock(
            x, scale: attentionNorm.affine(c, on: tape), gate: attentionGate(c, on: tape),
            queries: attention.toQueries.weight(on: tape), keysValues: attention.toKeysValues.weight(on: tape),
            queryNorm: attention.queryNorm(on: tape), keyNorm: attention.keyNorm(on: tape),
            projection: attention.projection.blockWeight(on: tape), table: table, heads: shape.heads,
            causal: shape.causal, dropout: dropout.attentionMask(shape.heads * length * length),
            outputDropout: dropout.mask(length * shape.width))
        return feedForwardBlock(
            x, scale: feedForwardNorm.affine(c, on: tape), gate: feedForwardGate(c, on: tape),
            up: feedForward.upProjection.blockWeight(on: tape), down: feedForward.downProjection.blockWeight(on: tape),
            dropout: dropout.mask(length * shape.width))
    }
}
