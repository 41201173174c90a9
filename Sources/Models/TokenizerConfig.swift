import Settings
import TensorCore

/// A tokenizer's networks: its settings, for images of one size.
@dynamicMemberLookup
public struct TokenizerConfig: Equatable, Sendable {
    /// How visual tokens relate to the image.
    public enum Visual: Equatable, Sendable {
        /// One token a patch, in raster order.
        case grid
        /// Learned queries, as many as there are patches.
        case latent
    }

    /// Where prologue tokens come from.
    public enum Prologue: Equatable, Sendable {
        case none
        /// Queries beside the patches in the visual encoder.
        case shared
        /// Queries in an encoder of their own that reads the visual encoder's last hidden states.
        case separate(layers: Int)
    }

    /// Width, depth and heads of one network; `axes` are the head's shares of the three rope axes.
    public struct Network: Equatable, Sendable {
        public var width, layers, heads: Int
        public var axes: [Int]

        public init(width: Int, layers: Int, heads: Int, axes: [Int]) {
            self.width = width
            self.layers = layers
            self.heads = heads
            self.axes = axes
        }
    }

    public var settings: TokenizerSettings
    public var imageSize, channels: Int
    /// Labels of the condition embedding, the unconditional one included.
    public var labels: Int

    public init(_ settings: TokenizerSettings, imageSize: Int, channels: Int, labels: Int) {
        (self.settings, self.imageSize, self.channels, self.labels) = (settings, imageSize, channels, labels)
    }

    /// Networks of these sizes, for those who have no settings.
    public init(
        visual: Visual, prologue: Prologue, imageSize: Int, channels: Int, patch: Int, encoder: Network,
        decoder: Network, codeWidth: Int, codebook: Int, prologueTokens: Int, prologueCodebook: Int, labels: Int
    ) {
        var settings = TokenizerSettings()
        settings.variant = prologue != .none ? .prologue : visual == .latent ? .baseline1D : .baseline2D
        if case .separate(let layers) = prologue {
            (settings.prologueEncoder, settings.prologueEncoderLayers) = (.separate, layers)
        }
        (settings.patch, settings.zDim, settings.codebook) = (patch, codeWidth, codebook)
        (settings.prologueTokens, settings.prologueCodebook) = (prologueTokens, prologueCodebook)
        (settings.dim, settings.layers, settings.heads) = (encoder.width, encoder.layers, encoder.heads)
        (settings.decoderDim, settings.decoderLayers, settings.decoderHeads) = (decoder.width, decoder.layers, decoder.heads)
        settings.ropeAxes = encoder.axes
        self.init(settings, imageSize: imageSize, channels: channels, labels: labels)
    }

    /// Every setting under its own name, such as `config.commitment`.
    public subscript<Value>(dynamicMember path: WritableKeyPath<TokenizerSettings, Value>) -> Value {
        get { settings[keyPath: path] }
        set { settings[keyPath: path] = newValue }
    }

    public var visual: Visual { settings.variant.isLatent ? .latent : .grid }
    public var prologue: Prologue {
        switch (settings.hasPrologue, settings.resolvedPrologueEncoder) {
        case (false, _): .none
        case (true, .shared): .shared
        case (true, .separate): .separate(layers: settings.prologueEncoderLayers)
        }
    }
    public var encoder: Network {
        Network(width: settings.dim, layers: settings.layers, heads: settings.heads, axes: settings.ropeAxes)
    }
    /// The prologue's encoder where it has one of its own; it rotates the same axes as the visual one.
    public var prologueEncoder: Network? {
        guard case .separate = prologue else { return nil }
        let size = settings.prologueEncoderSize
        return Network(width: size.dim, layers: size.layers, heads: size.heads, axes: settings.ropeAxes)
    }
    /// Width of the hidden states that prologue tokens are made of.
    var prologueWidth: Int { prologueEncoder?.width ?? encoder.width }
    public var decoder: Network {
        let size = settings.decoderSize
        return Network(width: size.dim, layers: size.layers, heads: size.heads, axes: settings.ropeAxes)
    }
    /// K, none without a prologue.
    public var prologueTokens: Int { settings.hasPrologue ? settings.prologueTokens : 0 }
    public var prologueCodebook: Int { settings.hasPrologue ? settings.prologueCodebook : 0 }
    public var visualQuantizer: QuantizerKind {
        .init(settings.visualQuantizer, levels: settings.visualLevels, gumbelTemperature: settings.gumbelTemperature)
    }
    public var prologueQuantizer: QuantizerKind {
        .init(settings.prologueQuantizer, levels: settings.prologueLevels, gumbelTemperature: settings.gumbelTemperature)
    }
    /// Temperatures of the entropy losses; nil: there are none.
    public var visualEntropyTemperature: Double? { settings.loss.visualEntropy == 0 ? nil : settings.entropyTemperature }
    public var prologueEntropyTemperature: Double? { settings.loss.prologueEntropy == 0 ? nil : settings.entropyTemperature }
    /// τ of the probabilities through which an AR model's cross-entropy reaches the visual tokens themselves (the
    /// `coupled-*` controls); nil: it does not.
    public var couplingTemperature: Double? { settings.variant.isCoupled ? settings.couplingTemperature : nil }

    public var grid: Int { imageSize / settings.patch }
    /// N, the number of visual tokens.
    public var visualTokens: Int { grid * grid }
    /// Numbers in a patch: patch·patch·channels.
    public var patchWidth: Int { settings.patch * settings.patch * channels }
    /// Channels of a visual code, which the decoder reads.
    public var visualCodeWidth: Int {
        switch visualQuantizer {
        case .vq, .probq, .gumbel: settings.zDim
        case .lfq: BinaryCodebook.bits(settings.codebook)
        case .fsq(let levels): levels.count
        }
    }
    public var layout: SequenceLayout {
        SequenceLayout(
            prologueTokens: prologueTokens, visualTokens: visualTokens, visualCodes: settings.codebook,
            prologueCodes: prologueCodebook, hasEOS: settings.eos)
    }
}

/// The AR model's sequence and vocabulary: visual ids 0…Kv−1, prologue ids Kv…Kv+Ks−1, EOS = Kv+Ks;
/// [BOS] prologue… EOS visual… with a prologue, [BOS] visual… without (method §3.10). Without EOS, its id and place are gone.
public struct SequenceLayout: Equatable, Sendable {
    public let prologueTokens, visualTokens, visualCodes, prologueCodes: Int
    /// Whether there is an EOS token; there is none without a prologue.
    public let hasEOS: Bool

    public init(prologueTokens: Int, visualTokens: Int, visualCodes: Int, prologueCodes: Int, hasEOS: Bool = true) {
        self.hasEOS = hasEOS && prologueTokens > 0
        self.prologueTokens = prologueTokens
        self.visualTokens = visualTokens
        self.visualCodes = visualCodes
        self.prologueCodes = prologueCodes
    }

    public var hasPrologue: Bool { prologueTokens > 0 }
    /// Id of the token between prologue and image.
    public var eos: Int { visualCodes + prologueCodes }
    public var vocabulary: Int { hasPrologue ? eos + (hasEOS ? 1 : 0) : visualCodes }
    /// T, tokens predicted (BOS not counted).
    public var length: Int { prologueTokens + (hasEOS ? 1 : 0) + visualTokens }
    /// Position of the first visual token.
    public var visualStart: Int { length - visualTokens }

    /// Ids that may stand at a position.
    public func segment(at position: Int) -> Range<Int> {
        guard hasPrologue, position < visualStart else { return 0..<visualCodes }
        return position < prologueTokens ? visualCodes..<visualCodes + prologueCodes : eos..<eos + 1
    }
}
