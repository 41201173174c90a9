import NN

/// What the parts of a tokenizer cost for one image.
public struct TokenizerCost: Equatable, Sendable {
    /// The visual encoder with its quantizer; the queries of a prologue that shares it are its own.
    public var encoder: ModelCost
    /// The prologue's quantizer, and its encoder where it has one.
    public var prologue: ModelCost
    public var decoder: ModelCost

    /// Numbers in all parameters.
    public var parameters: Int { encoder.parameters + prologue.parameters + decoder.parameters }
    /// FLOPs of encoding an image.
    public var encoding: Double { encoder.forward + prologue.forward }
}

extension TokenizerConfig {
    /// Worked out from the sizes.
    ///
    /// - Parameter isFrozen: the prologue alone is trained (`prologue-post`), so no gradient leaves its encoder.
    public func cost(isFrozen: Bool = false) -> TokenizerCost {
        let n = visualTokens
        let queries = visual == .latent ? n : prologue == .shared ? prologueTokens : 0
        let trunk =
            ModelCost.linear(rows: n, from: patchWidth, to: encoder.width, bias: true, isFirst: true)
            + .values(queries * encoder.width)
            + shape(encoder, ratio: 8.0 / 3).cost(
                length: n + queries, labels: labels, conditionWidth: settings.condDim, outputNorm: false)
        let visualQuantizer = visualQuantizer.cost(
            tokens: n, from: encoder.width, codes: settings.codebook, codeWidth: settings.zDim, use: .visual,
            hasPath: couplingTemperature != nil, hasEntropy: visualEntropyTemperature != nil)
        return TokenizerCost(
            encoder: trunk + visualQuantizer, prologue: prologueCost(isFrozen: isFrozen), decoder: decoderCost)
    }

    /// Numbers held at most for one image in a forward pass of encoder or decoder without a tape.
    public var inference: Double {
        func layer(_ network: Network, _ tokens: Int) -> Double {
            Double(tokens) * 3 * Double(network.width + shape(network, ratio: 11.0 / 4).hidden)
        }
        let (n, latents) = (visualTokens, visual == .latent ? visualTokens : 0)
        let comparison = Double(n) * Double(settings.codebook) + Double(prologueTokens) * Double(prologueCodebook)
        return max(
            layer(encoder, n + max(latents, prologueTokens)), comparison + Double(n) * Double(encoder.width),
            layer(decoder, n + latents))
    }

    private func prologueCost(isFrozen: Bool) -> ModelCost {
        guard prologue != .none else { return ModelCost() }
        var cost = prologueQuantizer.cost(
            tokens: prologueTokens, from: prologueWidth, codes: prologueCodebook, codeWidth: settings.zDim, use: .prologue,
            hasPath: true, hasEntropy: prologueEntropyTemperature != nil)
        if let network = prologueEncoder {
            cost +=
                ModelCost.linear(rows: visualTokens, from: encoder.width, to: network.width, bias: true, isFirst: isFrozen)
                + .values(prologueTokens * network.width)
                + shape(network, ratio: 11.0 / 4).cost(
                    length: visualTokens + prologueTokens, labels: labels, conditionWidth: settings.condDim,
                    outputNorm: false)
        }
        return cost
    }

    private var decoderCost: ModelCost {
        let n = visualTokens
        let queries = visual == .latent ? n : 0
        return ModelCost.linear(rows: n, from: visualCodeWidth, to: decoder.width, bias: true)
            + .values(queries * decoder.width)
            + shape(decoder, ratio: 8.0 / 3).cost(
                length: n + queries, labels: labels, conditionWidth: settings.condDim, outputNorm: true)
            + .linear(rows: n, from: decoder.width, to: patchWidth, bias: true)
            // Rebuilt and original patches.
            + .keeping(2 * n * patchWidth)
    }

    private func shape(_ network: Network, ratio: Double) -> TransformerShape {
        TransformerShape(
            width: network.width, layers: network.layers, heads: network.heads, feedForwardRatio: ratio, biases: true,
            causal: false)
    }
}

extension QuantizerKind {
    /// Projection, comparison with all codes where there is one, and the gradients that pass through them.
    fileprivate func cost(
        tokens: Int, from width: Int, codes: Int, codeWidth: Int, use: Quantizer.Use, hasPath: Bool, hasEntropy: Bool
    ) -> ModelCost {
        var (channels, isLearned, isRelaxed) = (codeWidth, true, false)
        switch self {
        case .vq: break
        case .probq: isRelaxed = use == .visual
        case .gumbel: isRelaxed = use == .visual
        case .lfq: (channels, isLearned) = (BinaryCodebook.bits(codes), false)
        case .fsq(let levels): (channels, isLearned) = (levels.count, false)
        }
        let isTrained = isRelaxed || hasPath || hasEntropy
        var cost = ModelCost.linear(rows: tokens, from: width, to: channels, bias: true)
        cost.parameters += isLearned ? codes * channels : 0
        // Projections, points, and the codes chosen for them.
        cost.kept += Double(4 * tokens * channels)
        let comparison = 2 * Double(tokens) * Double(codes) * Double(channels)
        let table = Double(tokens) * Double(codes)
        if isLearned || isTrained {
            cost.forward += comparison
            cost.kept += table
        }
        if isTrained {
            cost.inputGradients += comparison
            if isLearned { cost.parameterGradients += comparison }
        }
        // Straight-through codes of P: its gradient is dy·Eᵀ.
        if isRelaxed {
            cost.inputGradients += comparison
            cost.kept += table
        }
        if hasPath { cost.kept += table }
        if hasEntropy { cost.kept += 2 * table }
        if case .gumbel = self { cost.kept += 2 * table }
        return cost
    }
}

extension ARConfig {
    private var shape: TransformerShape {
        TransformerShape(
            width: network.width, layers: network.layers, heads: network.heads, feedForwardRatio: 11.0 / 4, biases: false,
            causal: true)
    }

    /// Worked out from the sizes, for one sequence.
    public var cost: ModelCost {
        let (length, width) = (layout.length, network.width)
        var head = ModelCost.linear(rows: length, from: width, to: layout.vocabulary, bias: false)
        if tied { head.parameters = 0 }
        return ModelCost.values((layout.vocabulary + labels) * width)
            + shape.cost(length: length, labels: labels, conditionWidth: conditionWidth, outputNorm: true)
            + head + .keeping(length * layout.vocabulary)
    }

    /// Logits of a sequence, the widest thing that there is once more while its gradient is made.
    var logits: Double { Double(layout.length) * Double(layout.vocabulary) }

    /// FLOPs of the gradient of straight-through inputs, dP = dx·Wᵀ.
    func pathGradient(codes: Int, tokens: Int) -> Double {
        2 * Double(tokens) * Double(codes) * Double(network.width)
    }

    /// FLOPs of drawing one sequence with a key–value cache: attention sees the tokens before, logits those of the segment.
    ///
    /// - Parameter isGuided: with a second branch that the class is not given.
    public func sampling(isGuided: Bool) -> Double {
        let (length, width) = (layout.length, network.width)
        let body = shape.cost(length: length, labels: labels, conditionWidth: conditionWidth, outputNorm: true)
        let codes = (0..<length).map { layout.segment(at: $0).count }.filter { $0 > 1 }.reduce(0, +)
        let head = 2 * Double(width) * Double(codes)
        return (isGuided ? 2 : 1) * (body.forward - shape.attention(length: length) / 2 + head)
    }

    /// Numbers held while `rows` sequences are drawn: keys and values of all layers.
    public func cache(rows: Int) -> Double {
        2 * Double(rows) * Double(network.layers) * Double(layout.length) * Double(network.width)
    }

    /// Numbers held at most in a forward pass without a tape, for one sequence.
    public var inference: Double {
        let (length, width) = (Double(layout.length), Double(network.width))
        return length * max(Double(layout.vocabulary) + 2 * width, 3 * width + 3 * Double(shape.hidden))
    }
}
