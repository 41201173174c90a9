import NN
import Settings
import TensorCore

/// Sizes of an AR model.
public struct ARConfig: Equatable, Sendable {
    public var layout: SequenceLayout
    public var network: TokenizerConfig.Network
    public var conditionWidth: Int = 32
    /// Classes and the unconditional label, which is the last.
    public var labels: Int
    /// Whether the head is the embedding table.
    public var tied: Bool = false
    public var positions = ARPositions.sequence
    /// What the products of layers and head multiply.
    public var precision = Precision.float32
    /// Whether training keeps the layers' inputs only.
    public var recomputes = false

    public init(layout: SequenceLayout, network: TokenizerConfig.Network, labels: Int) {
        self.layout = layout
        self.network = network
        self.labels = labels
    }

    /// The prior that `settings` describe.
    public init(_ settings: PriorSettings, layout: SequenceLayout, classes: Int) {
        self.init(network: settings, layout: layout, classes: classes)
        (conditionWidth, precision, recomputes) = (settings.condDim, settings.precision, settings.recompute)
    }

    /// The AR model that is trained beside the tokenizer of `settings`, and left behind.
    public init(besides settings: TokenizerSettings, layout: SequenceLayout, classes: Int) {
        self.init(network: settings.jointAr, layout: layout, classes: classes)
        (conditionWidth, precision, recomputes) = (settings.condDim, settings.precision, settings.recompute)
    }

    private init(network: some ARNetworkSettings, layout: SequenceLayout, classes: Int) {
        self.init(
            layout: layout,
            network: .init(width: network.dim, layers: network.layers, heads: network.heads, axes: network.ropeAxes),
            labels: classes + 1)
        (tied, positions) = (network.tied, network.positions)
    }

    /// The AR model that is trained with a tokenizer: a small one, or the prior itself; nil where there is none.
    public init?(with settings: TokenizerSettings, prior: PriorSettings, layout: SequenceLayout, classes: Int) {
        switch settings.variant.joint {
        case .none: return nil
        case .beside: self.init(besides: settings, layout: layout, classes: classes)
        case .prior:
            self.init(prior, layout: layout, classes: classes)
            (precision, recomputes) = (settings.precision, settings.recompute)
        }
    }
}

/// What the AR model reads: ids, and where the prologue's gradient goes.
public struct ARInput {
    /// Target ids in the AR vocabulary, [B, T].
    public let targets: TokenTensor
    /// BOS labels, [B].
    public let labels: TokenTensor
    /// For each sequence, [B], whether all its visual inputs become EOS (visual dropout), 0 or 1; nil: none.
    public var visualDropped: TokenTensor?
    /// P of the prologue quantizer, [B, K, codes]: prologue inputs become straight-through lookups (step A).
    public var prologueProbabilities: Tensor?
    /// P of a coupled visual quantizer, [B, N, codes]: visual inputs become straight-through lookups (method §3.10,
    /// `coupled-*`). Without a prologue only.
    public var visualProbabilities: Tensor?

    public init(
        targets: TokenTensor, labels: TokenTensor, visualDropped: TokenTensor? = nil, prologueProbabilities: Tensor? = nil,
        visualProbabilities: Tensor? = nil
    ) {
        self.targets = targets
        self.labels = labels
        self.visualDropped = visualDropped
        self.prologueProbabilities = prologueProbabilities
        self.visualProbabilities = visualProbabilities
    }
}

extension SequenceLayout {
    /// Codebook indices [B, K + N] (prologue, then visual) → ids in the AR vocabulary with EOS between, [B, T].
    public func targets(_ indices: TokenTensor) -> TokenTensor {
        require(
            indices.shape.last == prologueTokens + visualTokens,
            "indices \(indices.shape) are not [batch, \(prologueTokens) + \(visualTokens)]")
        guard hasPrologue else { return indices }
        let (k, width) = (prologueTokens, prologueTokens + visualTokens)
        let between = hasEOS ? [TokenTensor(repeating: Int32(eos), shape: [indices.shape[0], 1])] : []
        return concatTokens([sliceTokens(indices, 0..<k) + visualCodes] + between + [sliceTokens(indices, k..<width)])
    }

    /// Visual indices [B, N] of id sequences [B, T].
    public func visualIndices(_ ids: TokenTensor) -> TokenTensor { sliceTokens(ids, visualStart..<length) }

    /// Prologue indices [B, K] of id sequences [B, T].
    public func prologueIndices(_ ids: TokenTensor) -> TokenTensor {
        sliceTokens(ids, 0..<prologueTokens) + -visualCodes
    }
}

/// The autoregressive model: causal transformer over [BOS(class)] prologue… EOS visual…; logits at position i
/// predict token i (method §3.10). Its norms see the unconditional label; the class enters as BOS only.
public struct ARModel {
    public let config: ARConfig
    public let parameters: [Parameter]
    let table, bos: Parameter
    let transformer: Transformer
    /// Nil when tied to the table.
    let head: Linear?
    let positions: RotaryTable

    public init(_ config: ARConfig, stream: RandomStream) { self.init(config, parameters: .random(stream)) }

    public init(_ config: ARConfig, parameters source: ParameterSource) {
        self.config = config
        let builder = ParameterBuilder(source)
        let (network, layout) = (config.network, config.layout)
        table = builder.normal("semantic_emb.weight", [layout.vocabulary, network.width])
        bos = builder.normal("bos_emb.weight", [config.labels, network.width])
        transformer = Transformer(
            "ar_model",
            TransformerShape(
                width: network.width, layers: network.layers, heads: network.heads, feedForwardRatio: 11.0 / 4,
                biases: false, causal: true, precision: config.precision, recomputes: config.recomputes),
            labels: config.labels, conditionWidth: config.conditionWidth, outputNorm: true, in: builder)
        head =
            config.tied
            ? nil
            : Linear("ar_model.out", from: network.width, to: layout.vocabulary, bias: false, in: builder)
        parameters = builder.parameters
        positions = RotaryTable(Self.positions(config), axisWidths: network.axes)
    }

    /// Positions of the T inputs: BOS, then all tokens but the last.
    private static func positions(_ config: ARConfig) -> [RotaryTable.Position] {
        let layout = config.layout
        guard config.positions == .hybrid else { return (0..<layout.length).map { .sequence($0) } }
        let side = Int(Double(layout.visualTokens).squareRoot().rounded())
        require(side * side == layout.visualTokens, "\(layout.visualTokens) visual tokens are no square grid")
        let line = (0...layout.visualStart).map { RotaryTable.Position.query($0) }
        return line + (0..<layout.visualTokens - 1).map { .grid(row: $0 / side, column: $0 % side) }
    }

    /// Embeddings of all ids, [vocabulary, D].
    public var tokenEmbeddings: Tensor { table.value }

    /// The label that stands for "any class".
    public var unconditionalLabel: Int32 { Int32(config.labels - 1) }

    /// Logits [B, T, V]. `tape` records; it must be the tape of `prologueProbabilities` where those are given.
    public func callAsFunction(_ input: ARInput, on tape: Tape?, dropout: Dropout = .none) -> Tensor {
        var dropout = dropout
        let x = dropout(embed(input, on: tape))
        return logits(transformer(x, table: positions, on: tape, dropout: &dropout), on: tape)
    }

    /// Where the model looks, averaged over the batch: [layers, heads, T, T]. Row i belongs to the prediction of token i;
    /// column 0 is BOS, column j token j − 1.
    public func attentionMaps(_ input: ARInput) -> Tensor {
        transformer.attentionMaps(embed(input, on: nil), table: positions)
    }

    /// Cross-entropy of every target, [B, T], in nats.
    public func crossEntropy(_ input: ARInput, on tape: Tape?, dropout: Dropout = .none) -> Tensor {
        if config.precision == .bfloat16 {
            var dropout = dropout
            let (x, scale) = transformer.beforeOutputNorm(
                dropout(embed(input, on: tape)), table: positions, on: tape, dropout: &dropout)
            guard let scale else { fatalError("an AR model has an output norm") }
            return headCrossEntropy(
                x, scale: scale, weight: (head?.weight ?? table)(on: tape), targets: input.targets)
        }
        return TensorCore.crossEntropy(self(input, on: tape, dropout: dropout), targets: input.targets)
    }

    func logits(_ hidden: Tensor, on tape: Tape?) -> Tensor {
        head?(hidden, on: tape) ?? linear(hidden, weight: table(on: tape))
    }

    /// Input embeddings [B, T, D]: BOS, then all tokens but the last.
    private func embed(_ input: ARInput, on tape: Tape?) -> Tensor {
        let layout = config.layout
        let (batch, length) = (input.targets.shape[0], layout.length)
        require(
            input.targets.shape == [batch, length] && input.labels.shape == [batch],
            "targets \(input.targets.shape) and labels \(input.labels.shape) do not fit a sequence of \(length)")
        require(
            input.visualDropped.map { layout.hasEOS && $0.count == batch } ?? true,
            "visual dropout of \(input.visualDropped?.count ?? 0) sequences needs an EOS token and a batch of as many")
        let table = table(on: tape)
        let start = embedding(input.labels.reshaped([batch, 1]), table: bos(on: tape))
        if let probabilities = input.visualProbabilities {
            require(!layout.hasPrologue, "visual tokens are coupled only where there is no prologue")
            return concatTokens([
                start,
                straightThroughEmbedding(
                    sliceTokens(probabilities, 0..<length - 1), ids: sliceTokens(input.targets, 0..<length - 1), table: table),
            ])
        }
        // With P, the prologue's inputs are looked up apart so that their gradient goes to P.
        let plainStart = input.prologueProbabilities == nil ? 0 : layout.prologueTokens
        var ids = sliceTokens(input.targets, plainStart..<length - 1)
        if let dropped = input.visualDropped {
            ids = ids.replacing(where: dropped, from: layout.visualStart - plainStart, by: layout.eos)
        }
        let plain = embedding(ids, table: table)
        guard let probabilities = input.prologueProbabilities else { return concatTokens([start, plain]) }
        let prologue = straightThroughEmbedding(
            probabilities, ids: layout.prologueIndices(input.targets),
            table: sliceRows(table, layout.visualCodes..<layout.eos))
        return concatTokens([start, prologue, plain])
    }
}

/// Cross-entropy by segment: each sum over a segment's tokens, averaged over the batch and divided by T, so that
/// the parts add up to the mean (method §4.2).
public struct SegmentedCrossEntropy {
    public let prologue, eos, visual: Tensor

    public init(_ perToken: Tensor, layout: SequenceLayout) {
        let (batch, length) = (perToken.shape[0], perToken.shape[1])
        func part(_ range: Range<Int>) -> Tensor {
            let weight = 1 / Float(batch * length)
            return weightedSum(
                perToken, weights: (0..<batch * length).map { range.contains($0 % length) ? weight : 0 })
        }
        prologue = part(0..<layout.prologueTokens)
        eos = part(layout.prologueTokens..<layout.visualStart)
        visual = part(layout.visualStart..<length)
    }

    init(prologue: Tensor, eos: Tensor, visual: Tensor) {
        (self.prologue, self.eos, self.visual) = (prologue, eos, visual)
    }

    /// Mean cross-entropy over all tokens.
    public var total: Tensor { prologue + eos + visual }

    /// The same off the tape.
    func detached() -> SegmentedCrossEntropy {
        SegmentedCrossEntropy(prologue: prologue.detached(), eos: eos.detached(), visual: visual.detached())
    }
}
