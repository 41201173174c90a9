import TensorCore

/// Sizes of a tokenizer: image, encoder, quantizers, decoder.
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

    public var visual: Visual
    public var prologue: Prologue
    public var imageSize, channels, patch: Int
    public var encoder, decoder: Network
    /// Channels of a learned code, and visual codes.
    public var codeWidth, codebook: Int
    public var prologueTokens, prologueCodebook: Int
    /// Whether an EOS token stands between prologue and image.
    public var hasEOS = true
    public var visualQuantizer = QuantizerKind.vq
    public var prologueQuantizer = QuantizerKind.probq
    /// τ of a visual quantizer whose codes learn through P (`probq`, `gumbel`).
    public var visualTemperature: Double = 0.1
    /// τ of the prologue's P.
    public var prologueTemperature: Double = 0.1
    public var commitment: Double = 0.25
    /// Temperatures of the entropy losses; nil: there are none.
    public var visualEntropyTemperature, prologueEntropyTemperature: Double?
    /// τ of the probabilities through which an AR model's cross-entropy reaches the visual tokens themselves (the
    /// `coupled-*` controls); nil: it does not.
    public var couplingTemperature: Double?
    public var conditionWidth: Int = 32
    /// What the products of the transformer layers multiply.
    public var precision = Precision.float32
    /// Labels of the condition embedding, the unconditional one included.
    public var labels: Int

    public init(
        visual: Visual, prologue: Prologue, imageSize: Int, channels: Int, patch: Int, encoder: Network,
        decoder: Network, codeWidth: Int, codebook: Int, prologueTokens: Int, prologueCodebook: Int, labels: Int
    ) {
        self.visual = visual
        self.prologue = prologue
        self.imageSize = imageSize
        self.channels = channels
        self.patch = patch
        self.encoder = encoder
        self.decoder = decoder
        self.codeWidth = codeWidth
        self.codebook = codebook
        self.prologueTokens = prologue == .none ? 0 : prologueTokens
        self.prologueCodebook = prologue == .none ? 0 : prologueCodebook
        self.labels = labels
    }

    public var grid: Int { imageSize / patch }
    /// N, the number of visual tokens.
    public var visualTokens: Int { grid * grid }
    /// Numbers in a patch: patch·patch·channels.
    public var patchWidth: Int { patch * patch * channels }
    /// Channels of a visual code, which the decoder reads.
    public var visualCodeWidth: Int {
        switch visualQuantizer {
        case .vq, .probq, .gumbel: codeWidth
        case .lfq: BinaryCodebook.bits(codebook)
        case .fsq(let levels): levels.count
        }
    }
    public var layout: SequenceLayout {
        SequenceLayout(
            prologueTokens: prologueTokens, visualTokens: visualTokens, visualCodes: codebook,
            prologueCodes: prologueCodebook, hasEOS: hasEOS)
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
