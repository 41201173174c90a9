import Files
import Foundation
import ImageData
import Models
import RunStore
import Sweep
import TensorCore

/// Stage 1: a trained tokenizer.
struct TokenizerStage: Stage {
    let settings: TokenizerSettings
    /// Read by `prologue-onestage` only, whose joint AR model has the prior's sizes.
    let prior: PriorSettings
    let seed: Int
    let dataset: Dataset
    var role = "tokenizer"
    /// What is taken instead of training one.
    var adopted: AdoptedTokenizer?

    /// The frozen 2D tokenizer under a `prologue-post`, a stage of its own that a baseline arm shares.
    var base: TokenizerStage? {
        guard adopted == nil else { return nil }
        return settings.base.map {
            TokenizerStage(settings: $0, prior: prior, seed: seed, dataset: dataset, role: "base-tokenizer")
        }
    }

    var config: TokenizerConfig {
        var config = settings.config(for: dataset)
        if let adopted { config.labels = adopted.labels }
        return config
    }

    var layout: SequenceLayout { config.layout }

    var weightFile: String { adopted?.weightFile ?? WeightFile.averaged }

    /// What importing cannot read off the tensors of its checkpoint.
    var notes: JSONValue {
        var notes: [String: JSONValue] = [
            "tokenizer": .object((settings.stageIdentity.objectValue ?? [:]).filter { $0.key != "from" }),
            "image_size": .int(dataset.imageSize),
        ]
        if settings.variant == .prologueOneStage { notes["prior"] = prior.networkIdentity }
        return .object(notes)
    }

    var identity: StageIdentity {
        if let adopted { return adopted.identity }
        var read: [String: JSONValue] = [
            "data": dataset.identity, "tokenizer": settings.stageIdentity, "seed": .int(seed),
        ]
        if settings.variant == .prologueOneStage { read["prior"] = prior.networkIdentity }
        return StageIdentity(
            kind: "tokenizer", settings: .object(read), inputs: base.map { ["base": $0.id] } ?? [:], formatVersion: 2)
    }

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        if let adopted { return try adopted.perform(work, context) }
        let frozen = try base.map {
            try SafetensorsFile(reading: context.store.stage($0.identity).url(WeightFile.averaged))
        }
        return try TokenizerTraining(settings: settings, seed: seed, dataset: dataset, prior: prior, base: frozen)
            .run(work, context)
    }

    /// The tokenizer with its averaged weights, or those that were asked for when it was imported.
    func load(_ context: ExperimentContext) throws -> Tokenizer {
        let tokenizer = Tokenizer(config, parameters: .unfilled)
        let file = try SafetensorsFile(reading: context.store.stage(identity).url(weightFile))
        try ParameterFiles.load(tokenizer.encoder.parameters, from: file, prefix: "encoder.")
        try ParameterFiles.load(tokenizer.decoder.parameters, from: file, prefix: "decoder.")
        return tokenizer
    }
}

extension Tokenizer {
    /// Images per batch when encoding or decoding; results do not depend on it beyond rounding.
    static let batch = 250

    /// Indices [n, K + N] of all images of a set.
    func encode(_ set: ImageSet, of dataset: Dataset) -> TokenTensor {
        var ids: [Int32] = []
        for lower in stride(from: 0, to: set.count, by: Self.batch) {
            let range = Array(lower..<min(set.count, lower + Self.batch))
            ids += encoder(dataset.patches(set, range, patch: config.patch)).indices.ids
        }
        return TokenTensor(ids, shape: [set.count, ids.count / max(1, set.count)])
    }

    /// Pixels (n, row, column, channel) of visual indices [n, N].
    func decode(_ visual: TokenTensor) -> [UInt8] {
        let (count, n) = (visual.shape[0], visual.shape[1])
        let layout = PatchLayout(
            height: config.imageSize, width: config.imageSize, channels: config.channels, patch: config.patch)
        var pixels: [UInt8] = []
        for lower in stride(from: 0, to: count, by: Self.batch) {
            let upper = min(count, lower + Self.batch)
            let ids = TokenTensor(Array(visual.ids[lower * n..<upper * n]), shape: [upper - lower, n])
            pixels += layout.images(fromPatches: decoder(encoder.visualCodes(ids)).values)
        }
        return pixels
    }
}
