import Files
import Foundation
import Models
import NN
import Settings
import TensorCore

/// Sizes and sampling settings in the JSON beside a pack.
struct PackDescription: Decodable {
    struct Sampling: Decodable {
        var cfg: Double
        var cfg_schedule: String
        var cfg_power: Double?
        var semantic_cfg_schedule, visual_cfg_schedule: String?
        var semantic_cfg_scale, visual_cfg_scale: Double?
        var semantic_cfg_power, visual_cfg_power: Double?
    }

    var tokenizer: String
    var dim, heads, layers: Int
    var axes: [Int]
    var img, ch, patch, vis, sem, zlen, zdim, classes: Int
    var ar_dim, ar_heads, ar_layers: Int
    var ar_axes: [Int]
    var sampling: [String: Sampling]

    init(beside pack: URL) throws {
        let url = pack.deletingPathExtension().appendingPathExtension("json")
        guard let data = try? Data(contentsOf: url) else {
            throw InputError(file: url.path, "cannot be read; a pack's sizes stand in the JSON file beside it")
        }
        do {
            self = try JSONDecoder().decode(Self.self, from: data)
        } catch let error as DecodingError {
            throw InputError(file: url.path, "is not the description of a pack: \(Self.reason(error))")
        }
        guard Self.variants.contains(tokenizer) else {
            let hint = nearest(to: tokenizer, among: Self.variants).map { "; did you mean '\($0)'?" } ?? ""
            throw InputError(
                file: url.path, "tokenizer '\(tokenizer)' is none of \(Self.variants.joined(separator: ", "))\(hint)")
        }
    }

    static let variants = ["1d", "2d", "prologue", "prologue_post", "prologue_tied"]

    private static func reason(_ error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, _): "key '\(key.stringValue)' is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            "\(context.codingPath.map(\.stringValue).joined(separator: ".")): \(context.debugDescription)"
        @unknown default: "\(error)"
        }
    }
}

extension PackDescription.Sampling {
    /// Greedy sampling with this guidance; with split keys, the overall ones play no part, and a scale of 0 means off.
    func settings(_ file: String) throws -> SamplerSettings {
        func schedule(_ name: String?) throws -> GuidanceSchedule {
            let name = name ?? "constant"
            guard let schedule = GuidanceSchedule(rawValue: name) else {
                throw InputError(file: file, "guidance schedule '\(name)' is none of constant, linear, cosine")
            }
            return schedule
        }
        func segment(_ name: String?, _ scale: Double?, _ power: Double?) throws -> SplitGuidanceSettings {
            var segment = SplitGuidanceSettings()
            (segment.schedule, segment.scale, segment.power) = (try schedule(name), scale ?? cfg, power ?? 1)
            return segment
        }
        var settings = SamplerSettings()
        settings.topK = 1
        if semantic_cfg_schedule != nil || visual_cfg_schedule != nil {
            settings.prologueGuidance = try segment(semantic_cfg_schedule, semantic_cfg_scale, semantic_cfg_power)
            settings.visualGuidance = try segment(visual_cfg_schedule, visual_cfg_scale, visual_cfg_power)
        } else {
            settings.guidance.schedule = try schedule(cfg_schedule)
            (settings.guidance.scale, settings.guidance.power) = (cfg, cfg_power ?? 1)
        }
        return settings
    }
}

/// Tokenizer and AR model of a pack, built to its sizes and filled with its parameters.
struct PackModel {
    let tokenizer: Tokenizer
    let ar: ARModel

    /// - Parameter program: whose inputs the parameters are, instead of having the values of the file.
    init(_ description: PackDescription, _ file: SafetensorsFile, in program: Program? = nil) throws {
        func layers(_ prefix: String) -> Int {
            Set(file.names.filter { $0.hasPrefix(prefix) }.map { $0.dropFirst(prefix.count).prefix { $0 != "." } }).count
        }
        let network = TokenizerConfig.Network(
            width: description.dim, layers: layers("encoder.enc.layers."), heads: description.heads,
            axes: description.axes)
        var decoder = network
        decoder.layers = layers("decoder.dec.layers.")
        let prologue: TokenizerConfig.Prologue =
            switch description.tokenizer {
            case "prologue", "prologue_tied": .shared
            case "prologue_post": .separate(layers: layers("encoder.semantic_enc.layers."))
            default: .none
            }
        var config = TokenizerConfig(
            visual: description.tokenizer == "1d" ? .latent : .grid, prologue: prologue,
            imageSize: description.img, channels: description.ch, patch: description.patch, encoder: network,
            decoder: decoder, codeWidth: description.zdim, codebook: description.vis,
            prologueTokens: description.zlen, prologueCodebook: description.sem, labels: description.classes)
        config.condDim = try file.shape("encoder.enc.cond_proj.1.weight")[0]
        func source(_ name: String) -> ParameterSource { program.map { .program($0, prefix: "\(name)/value/") } ?? .unfilled }
        tokenizer = Tokenizer(config, parameters: source("autoencoder"))
        var arConfig = ARConfig(
            layout: config.layout,
            network: .init(
                width: description.ar_dim, layers: layers("ar.ar_model.layers."), heads: description.ar_heads,
                axes: description.ar_axes),
            labels: description.classes)
        arConfig.tied = !file.contains("ar.ar_model.out.weight")
        arConfig.conditionWidth = try file.shape("ar.ar_model.cond_proj.1.weight")[0]
        ar = ARModel(arConfig, parameters: source("prior"))
        if program == nil { try load(file) }
    }

    /// All parameters with the prefixes of the pack's keys.
    var groups: [(prefix: String, parameters: [Parameter])] {
        [
            ("encoder.", tokenizer.encoder.parameters), ("decoder.", tokenizer.decoder.parameters),
            ("ar.", ar.parameters),
        ]
    }

    /// What each optimiser trains, by its name.
    var optimized: [(name: String, parameters: [Parameter])] {
        [("autoencoder", tokenizer.parameters), ("prior", ar.parameters)]
    }

    func load(_ file: SafetensorsFile) throws {
        for group in groups { try ParameterFiles.load(group.parameters, from: file, prefix: group.prefix) }
    }
}
