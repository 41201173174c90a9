import Files
import Models
import Settings

/// What the tensors of a checkpoint do not say, as far as it is known.
public struct ImportHints: Sendable {
    public var variant: TokenizerSettings.Variant?
    public var imageSize: Int?
    /// Shares of the three position axes in a head: of encoder and decoder, and of the AR model.
    public var ropeAxes, arRopeAxes: [Int]?
    public var prologueTemperature: Double?

    public init() {}

    /// Requires what a sweep file would be required of.
    /// - Throws: `InputError` naming the setting and what is allowed.
    public func requireAllowed() throws {
        if let imageSize { try SettingsBounds.check(["image_size": .int(imageSize)], at: "data") }
        if let prologueTemperature {
            try SettingsBounds.check(["prologue_temperature": .number(prologueTemperature)], at: "tokenizer")
        }
        for (path, axes) in [("tokenizer", ropeAxes), ("prior", arRopeAxes)] {
            if let axes { try SettingsBounds.check(["rope_axes": .array(axes.map { .int($0) })], at: path) }
        }
    }
}

/// Sizes of a tokenizer as its tensors tell them (method §3), the rest from hints and defaults.
struct TokenizerSizes {
    var settings: TokenizerSettings
    let imageSize, channels: Int
    /// Labels of the condition embedding, the unconditional one included.
    let labels: Int
    /// Labels of the joint AR model, where there is one.
    let jointLabels: Int?

    init(_ models: ReleasedModels, _ hints: ImportHints) throws {
        try hints.requireAllowed()
        let (encoder, decoder) = (try models.chosen("encoder."), try models.chosen("decoder."))
        let joint = models.network("ar.")
        let noted = try models.noted()
        var settings = noted?["tokenizer"].flatMap { try? TokenizerSettings($0, from: "metadata") } ?? TokenizerSettings()

        let input = try encoder.shape("enc.input_layer.weight", rank: 2)
        (settings.dim, settings.layers, settings.heads) = try Self.network(encoder, "enc", width: input[0])
        let output = try decoder.shape("dec.input_layer.weight", rank: 2)
        let decoderSize = try Self.network(decoder, "dec", width: output[0])
        (settings.decoderDim, settings.decoderLayers, settings.decoderHeads) = decoderSize
        let head = settings.dim / settings.heads
        guard decoderSize.width / decoderSize.heads == head else {
            throw InputError(
                file: models.url.path,
                "heads are \(head) wide in the encoder and \(decoderSize.width / decoderSize.heads) in "
                    + "the decoder, which share tokenizer.rope_axes")
        }
        let condition = try encoder.shape("enc.cond_proj.0.weight", rank: 2)
        (settings.condDim, labels) = (condition[0], condition[1])
        let visual = try CodeSizes(
            encoder, "quantizer", noted: noted == nil ? nil : settings.visualQuantizer, levels: settings.visualLevels)
        (settings.codebook, settings.visualQuantizer) = (visual.codes, visual.quantizer)
        if visual.quantizer.isLearned { settings.zDim = visual.width }

        (channels, settings.patch) = try Self.patch(of: input[1], models)
        let latentTokens =
            decoder.contains("dec.learnable_query")
            ? try decoder.shape("dec.learnable_query", rank: 3)[1] : nil
        let found = Self.variant(encoder, latent: latentTokens != nil, hasJoint: joint != nil)
        settings.variant = try Self.choose(
            hints.variant ?? (noted == nil ? models.released?.variant : settings.variant), among: found, models)
        if settings.variant.hasPrologue {
            let isSeparate = encoder.contains("semantic_enc.input_layer.weight")
            let queries = isSeparate ? "semantic_enc.learnable_query" : "enc.learnable_query"
            settings.prologueTokens = try encoder.shape(queries, rank: 3)[1]
            settings.prologueEncoder = isSeparate && !settings.variant.isFrozen ? .separate : nil
            if isSeparate {
                let input = try encoder.shape("semantic_enc.input_layer.weight", rank: 2)
                let size = try Self.network(encoder, "semantic_enc", width: input[0])
                settings.prologueEncoderLayers = size.layers
                // What is as in the encoder is left unsaid, as in the names of stages from before it could be otherwise.
                settings.prologueEncoderDim = size.width == settings.dim ? nil : size.width
                settings.prologueEncoderHeads = size.heads == settings.heads ? nil : size.heads
                guard size.width / size.heads == head else {
                    throw InputError(
                        file: models.url.path,
                        "heads are \(head) wide in the encoder and \(size.width / size.heads) in the prologue's encoder, which share "
                            + "tokenizer.rope_axes")
                }
            }
            let prologue = try CodeSizes(
                encoder, "semantic_quantizer", noted: noted == nil ? nil : settings.prologueQuantizer,
                levels: settings.prologueLevels, foreign: .probq)
            (settings.prologueCodebook, settings.prologueQuantizer) = (prologue.codes, prologue.quantizer)
            if prologue.quantizer.isLearned { settings.zDim = prologue.width }
        }
        imageSize = try Self.imageSize(
            hints.imageSize ?? noted?["image_size"]?.intValue, patch: settings.patch, latentTokens: latentTokens, models)
        settings.ropeAxes = try Self.axes(
            hints.ropeAxes ?? (noted == nil ? nil : settings.ropeAxes), headWidth: head, isAR: false, models)
        if let temperature = hints.prologueTemperature { settings.prologueTemperature = temperature }

        if let joint {
            let sizes = try PriorSizes(
                joint, noted: noted?["prior"] ?? noted?["tokenizer"]?["joint_ar"], axes: hints.arRopeAxes, models)
            var own = JointARSettings()
            let read = sizes.settings
            (own.dim, own.layers, own.heads, own.ropeAxes, own.tied) = (read.dim, read.layers, read.heads, read.ropeAxes, read.tied)
            own.positions = read.positions
            settings.jointAr = own
            jointLabels = sizes.labels
        } else {
            jointLabels = nil
        }
        self.settings = settings
    }

    /// Width, depth and heads of the network under `prefix`.
    fileprivate static func network(
        _ network: ReleasedNetwork, _ prefix: String, width: Int
    ) throws -> (width: Int, layers: Int, heads: Int) {
        let head = try network.shape("\(prefix).layers.0.attn1.q_norm.weight", rank: 1)[0]
        guard width.isMultiple(of: head) else {
            throw InputError(
                file: network.file.url.path,
                "'\(prefix).layers.0.attn1.q_norm.weight' makes heads \(head) wide, which do not divide "
                    + "the width of \(width)")
        }
        return (width, network.layers(prefix), width / head)
    }

    /// Channels and side of a patch of `width` numbers: no number is both a square and three times one.
    private static func patch(of width: Int, _ models: ReleasedModels) throws -> (channels: Int, side: Int) {
        for channels in [3, 1] where width.isMultiple(of: channels) {
            let side = Int(Double(width / channels).squareRoot().rounded())
            if side * side * channels == width { return (channels, side) }
        }
        throw InputError(
            file: models.url.path, "'enc.input_layer.weight' reads patches of \(width) numbers: neither p·p·3 (colour) nor p·p (grey)")
    }

    /// The variants that have these networks, the likeliest first.
    private static func variant(
        _ encoder: ReleasedNetwork, latent: Bool, hasJoint: Bool
    ) -> [TokenizerSettings.Variant] {
        let shared: [TokenizerSettings.Variant] = hasJoint ? [.prologue, .prologueOneStage] : [.prologue]
        if encoder.contains("semantic_enc.input_layer.weight") { return [.prologuePost] + shared }
        if encoder.contains("semantic_quantizer.proj_in.weight") { return shared }
        return latent ? (hasJoint ? [.coupled1D] : [.baseline1D]) : (hasJoint ? [.coupled2D] : [.baseline2D])
    }

    private static func choose(
        _ wanted: TokenizerSettings.Variant?, among found: [TokenizerSettings.Variant], _ models: ReleasedModels
    ) throws -> TokenizerSettings.Variant {
        guard let wanted else { return found[0] }
        // A coupled tokenizer that came without its AR model decodes and encodes as the baseline does.
        let asCoupled = wanted == .coupled1D && found == [.baseline1D] || wanted == .coupled2D && found == [.baseline2D]
        guard found.contains(wanted) || asCoupled else {
            throw InputError(
                file: models.url.path,
                "the tensors are those of \(found.map(\.rawValue).joined(separator: " or ")), not of \(wanted.rawValue)"
                    + (wanted.joint == .prior ? ", whose joint AR model must be there" : ""))
        }
        return wanted
    }

    /// Where tokens are learned queries there are as many as patches; else nothing tells how many patches there are.
    private static func imageSize(_ hint: Int?, patch: Int, latentTokens: Int?, _ models: ReleasedModels) throws -> Int {
        if let latentTokens {
            let side = Int(Double(latentTokens).squareRoot().rounded())
            guard side * side == latentTokens else {
                throw InputError(file: models.url.path, "\(latentTokens) latent tokens are not those of a square of patches")
            }
            guard hint == nil || hint == side * patch else {
                throw InputError(
                    file: models.url.path,
                    "\(latentTokens) latent tokens and patches of \(patch) make images of \(side * patch), not \(hint ?? 0)")
            }
            return side * patch
        }
        // The published models have 256 visual tokens.
        let size = hint ?? 16 * patch
        guard size > 0, size.isMultiple(of: patch) else {
            throw InputError(file: models.url.path, "an image size of \(size) is no multiple of the patch side \(patch)")
        }
        return size
    }

    /// Shares of the position axes: known ones if they fit, else the shares that this project's own models have.
    fileprivate static func axes(_ known: [Int]?, headWidth: Int, isAR: Bool, _ models: ReleasedModels) throws -> [Int] {
        if let known {
            let areShares = known.count == 3 && known.allSatisfy { (0...headWidth).contains($0) && $0.isMultiple(of: 2) }
            guard areShares, known.reduce(0, +) == headWidth else {
                throw InputError(
                    file: models.url.path, "rope axes \(known) must be three even numbers whose sum is the head width \(headWidth)")
            }
            return known
        }
        if models.released != nil, headWidth == ReleasedName.headWidth {
            return isAR ? ReleasedName.ropeAxes.prior : ReleasedName.ropeAxes.tokenizer
        }
        guard headWidth.isMultiple(of: 2) else {
            throw InputError(file: models.url.path, "heads of odd width \(headWidth) cannot be rotated")
        }
        let large = 2 * Int((Double(headWidth) * 3 / 16).rounded())
        let small = headWidth - 2 * large
        return isAR ? [large, large, small] : [small, large, large]
    }
}

extension ReleasedName {
    /// What no tensor tells of two tokenizers that have the same networks.
    fileprivate var variant: TokenizerSettings.Variant? { size == nil && tokenizer == .onestage ? .prologueOneStage : nil }
}

/// Sizes of an AR model as its tensors tell them.
struct PriorSizes {
    var settings: PriorSettings
    let labels, vocabulary: Int

    /// - Parameters:
    ///   - noted: what the export noted of this model.
    ///   - hint: position axes, where the user says them.
    init(_ network: ReleasedNetwork, noted: JSONValue?, axes hint: [Int]?, _ models: ReleasedModels) throws {
        var settings = PriorSettings()
        let axes = hint ?? (try? noted?["rope_axes"]?.decode(as: [Int].self))
        settings.positions = noted?["positions"]?.stringValue.flatMap(ARPositions.init) ?? .sequence
        let table = try network.shape("semantic_emb.weight", rank: 2)
        (settings.dim, settings.layers, settings.heads) = try TokenizerSizes.network(network, "ar_model", width: table[1])
        settings.condDim = try network.shape("ar_model.cond_proj.0.weight", rank: 2)[0]
        settings.tied = !network.contains("ar_model.out.weight")
        settings.ropeAxes = try TokenizerSizes.axes(axes, headWidth: settings.dim / settings.heads, isAR: true, models)
        vocabulary = table[0]
        labels = try network.shape("bos_emb.weight", rank: 2)[0]
        self.settings = settings
    }
}
