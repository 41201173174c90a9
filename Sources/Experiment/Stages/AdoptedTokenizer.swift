import Files
import Foundation
import Models
import RunStore
import Settings
import TensorCore

/// A tokenizer that is taken as it is instead of being trained: a stage of the store, or a released checkpoint, which
/// becomes one.
public struct AdoptedTokenizer {
    public let identity: StageIdentity
    /// As its tensors and the record say; `from` is the stage's id.
    public let settings: TokenizerSettings
    /// Sizes of the joint AR model that is the prior (`prologue-onestage`).
    let prior: PriorSettings?
    /// Labels of its condition embedding, the unconditional one included.
    let labels: Int
    /// Labels of its joint AR model.
    let jointLabels: Int?
    /// What it reads; nil for a tokenizer trained here, which fits the data it was trained on.
    let imageSize, channels: Int?
    let weights: ReleasedModels.Weights
    /// What to make the stage from, where it is not there yet.
    let models: ReleasedModels?

    var weightFile: String { weights == .raw ? WeightFile.trained : WeightFile.averaged }

    /// - Parameter source: id of a tokenizer stage, or the beginning of one, or a folder of a released checkpoint.
    public init(_ source: String, hints: ImportHints = ImportHints(), in store: Store) throws {
        if let id = try Adoption.stage(source, kind: "tokenizer", in: store) {
            self = try Self(stage: id, in: store)
        } else {
            self = try Self(released: Adoption.folder(source, key: "tokenizer.from"), raw: false, hints: hints)
        }
    }

    /// A released checkpoint: sizes are read off its tensors, and every tensor is accounted for.
    public init(released url: URL, raw: Bool, hints: ImportHints) throws {
        let models = try ReleasedModels(reading: url, weights: raw ? .raw : .ema)
        guard models.kind == .tokenizer else {
            throw InputError(file: url.path, "holds an AR model, not a tokenizer")
        }
        let sizes = try TokenizerSizes(models, hints)
        let (settings, tokenizer) = (sizes.settings, sizes)
        let config = TokenizerConfig(
            settings, imageSize: tokenizer.imageSize, channels: tokenizer.channels, labels: tokenizer.labels)
        let meta = Tokenizer(config, parameters: .meta)
        for network in models.networks {
            for file in [network.raw, network.averaged].compactMap({ $0 }) {
                switch network.prefix {
                case "encoder.": try file.require(meta.encoder.parameters)
                case "decoder.": try file.require(meta.decoder.parameters)
                default:
                    var joint = ARConfig(
                        besides: settings, layout: config.layout, classes: (sizes.jointLabels ?? 1) - 1)
                    joint.conditionWidth = try file.shape("ar_model.cond_proj.0.weight", rank: 2)[0]
                    try file.require(ARModel(joint, parameters: .meta).parameters)
                }
            }
        }
        var identity = (settings.stageIdentity.objectValue ?? [:]).filter { !Adoption.trainingKeys.contains($0.key) }
        var prior: PriorSettings?
        var read: [String: JSONValue] = [
            "imported": [
                "files": try models.digests(), "weights": .string(models.weights.rawValue),
                "image_size": .int(sizes.imageSize), "channels": .int(sizes.channels), "labels": .int(sizes.labels),
                "joint_labels": sizes.jointLabels.map { .int($0) } ?? .null,
            ]
        ]
        if settings.variant.joint == .prior, let joint = models.network("ar.") {
            let noted = try models.noted()?["prior"]
            let own = try PriorSizes(joint, noted: noted, axes: settings.jointAr.ropeAxes, models).settings
            read["prior"] = .object((own.networkIdentity.objectValue ?? [:]).filter { $0.key != "label_drop" })
            prior = own
        }
        identity["from"] = nil
        read["tokenizer"] = .object(identity)
        self.init(
            StageIdentity(kind: "tokenizer", settings: .object(read), formatVersion: 1), settings, prior: prior,
            labels: sizes.labels, jointLabels: sizes.jointLabels, imageSize: sizes.imageSize, channels: sizes.channels,
            weights: models.weights, models: models)
    }

    private init(stage id: String, in store: Store) throws {
        let identity = try Adoption.identity(of: id, in: store)
        let imported = identity.settings["imported"]
        let weights = imported?["weights"]?.stringValue.flatMap(ReleasedModels.Weights.init) ?? .ema
        let settings = try identity.settings["tokenizer"].map { try TokenizerSettings($0, from: id) } ?? TokenizerSettings()
        let file = try SafetensorsFile(
            reading: store.stage(id: id).verified(weights == .raw ? WeightFile.trained : WeightFile.averaged))
        let bos = "ar.bos_emb.weight"
        self.init(
            identity, settings, prior: try identity.settings["prior"].map { try PriorSettings($0, from: id) },
            labels: try file.shape("encoder.enc.cond_proj.0.weight")[1],
            jointLabels: file.contains(bos) ? try file.shape(bos)[0] : nil,
            imageSize: imported?["image_size"]?.intValue, channels: imported?["channels"]?.intValue, weights: weights, models: nil)
    }

    private init(
        _ identity: StageIdentity, _ settings: TokenizerSettings, prior: PriorSettings?, labels: Int, jointLabels: Int?,
        imageSize: Int?, channels: Int?, weights: ReleasedModels.Weights, models: ReleasedModels?
    ) {
        var settings = settings
        settings.from = identity.id
        (self.identity, self.settings, self.prior, self.labels) = (identity, settings, prior, labels)
        (self.jointLabels, self.imageSize, self.channels) = (jointLabels, imageSize, channels)
        (self.weights, self.models) = (weights, models)
    }

    /// The run's settings with this tokenizer's own in their place. What a tokenizer without a prologue does not have,
    /// the number of tokens that its probe is to read, stays as it was.
    func adopted(by settings: RunSettings) -> RunSettings {
        var result = settings
        result.tokenizer = self.settings
        result.tokenizer.ema = settings.tokenizer.ema
        if !self.settings.variant.hasPrologue { result.tokenizer.prologueTokens = settings.tokenizer.prologueTokens }
        if let prior {
            (result.prior.dim, result.prior.layers, result.prior.heads) = (prior.dim, prior.layers, prior.heads)
            (result.prior.ropeAxes, result.prior.tied, result.prior.condDim) = (prior.ropeAxes, prior.tied, prior.condDim)
            result.prior.positions = prior.positions
        }
        return result
    }

    /// Requires that the data's images are what it reads.
    func require(_ dataset: Dataset) throws {
        if let imageSize, imageSize != dataset.imageSize {
            throw InputError(
                "tokenizer.from: \(identity.id) reads images of \(imageSize) pixels, data.image_size is \(dataset.imageSize)")
        }
        if !dataset.imageSize.isMultiple(of: settings.patch) {
            throw InputError(
                "tokenizer.from: \(identity.id) has patches of \(settings.patch) pixels, which do not divide data.image_size "
                    + "\(dataset.imageSize)")
        }
        if let channels, channels != dataset.channels {
            throw InputError("tokenizer.from: \(identity.id) reads \(channels) channels, the images have \(dataset.channels)")
        }
    }

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        try Adoption.perform(models, identity, work, context)
    }
}
