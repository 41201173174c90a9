import Files
import Foundation
import Models
import RunStore
import Settings
import TensorCore

/// An AR model that is taken as it is instead of being trained on the run's tokens.
public struct AdoptedPrior {
    public let identity: StageIdentity
    public let settings: PriorSettings
    let labels: Int
    let weights: ReleasedModels.Weights
    let models: ReleasedModels?

    var weightFile: String { weights == .raw ? WeightFile.trained : WeightFile.averaged }

    /// - Parameters:
    ///   - source: id of a prior stage, or the beginning of one, or a folder of a released checkpoint.
    ///   - tokenizer: whose tokens it makes.
    init(_ source: String, hints: ImportHints = ImportHints(), tokenizer: TokenizerStage, in store: Store) throws {
        if let id = try Adoption.stage(source, kind: "prior", in: store) {
            self = try Self(stage: id, tokenizer: tokenizer, in: store)
        } else {
            self = try Self(
                released: Adoption.folder(source, key: "prior.from"), raw: false, hints: hints, tokenizer: tokenizer.id,
                layout: tokenizer.layout)
        }
    }

    /// A released checkpoint; every tensor is accounted for, and the vocabulary is the tokenizer's.
    init(released url: URL, raw: Bool, hints: ImportHints, tokenizer: String, layout: SequenceLayout) throws {
        let models = try ReleasedModels(reading: url, weights: raw ? .raw : .ema)
        guard models.kind == .prior else { throw InputError(file: url.path, "holds a tokenizer, not an AR model") }
        let network = try models.chosen("ar.")
        let sizes = try PriorSizes(network, noted: models.noted()?["prior"], axes: hints.arRopeAxes, models)
        guard sizes.vocabulary == layout.vocabulary else {
            throw InputError(
                file: network.file.url.path,
                "'semantic_emb.weight' has \(sizes.vocabulary) ids; with \(tokenizer) it must have "
                    + "\(layout.vocabulary): \(layout.visualCodes) visual, \(layout.prologueCodes) prologue"
                    + (layout.hasEOS ? ", EOS" : ""))
        }
        let config = ARConfig(sizes.settings, layout: layout, classes: sizes.labels - 1)
        let meta = ARModel(config, parameters: .meta)
        for file in models.all { try file.require(meta.parameters) }
        let prior = (sizes.settings.networkIdentity.objectValue ?? [:]).filter { $0.key != "label_drop" }
        let identity = StageIdentity(
            kind: "prior",
            settings: [
                "imported": [
                    "files": try models.digests(), "weights": .string(models.weights.rawValue), "labels": .int(sizes.labels),
                ],
                "prior": .object(prior),
            ], inputs: ["tokenizer": tokenizer], formatVersion: 1)
        self.init(identity, sizes.settings, labels: sizes.labels, weights: models.weights, models: models)
    }

    private init(stage id: String, tokenizer: TokenizerStage, in store: Store) throws {
        let identity = try Adoption.identity(of: id, in: store)
        let direct = identity.inputs["tokenizer"]
        let made = try direct ?? identity.inputs["tokens"].flatMap { try Adoption.identity(of: $0, in: store).inputs["tokenizer"] }
        guard made == tokenizer.id else {
            throw InputError("prior.from: \(id) makes tokens of \(made ?? "no tokenizer"), the run's tokenizer is \(tokenizer.id)")
        }
        let imported = identity.settings["imported"]
        let weights = imported?["weights"]?.stringValue.flatMap(ReleasedModels.Weights.init) ?? .ema
        let file = try SafetensorsFile(
            reading: store.stage(id: id).verified(weights == .raw ? WeightFile.trained : WeightFile.averaged))
        self.init(
            identity, try identity.settings["prior"].map { try PriorSettings($0, from: id) } ?? PriorSettings(),
            labels: try file.shape("ar.bos_emb.weight")[0], weights: weights, models: nil)
    }

    private init(
        _ identity: StageIdentity, _ settings: PriorSettings, labels: Int, weights: ReleasedModels.Weights, models: ReleasedModels?
    ) {
        var settings = settings
        settings.from = identity.id
        (self.identity, self.settings, self.labels) = (identity, settings, labels)
        (self.weights, self.models) = (weights, models)
    }

    /// Requires that its classes are those of the data.
    func require(_ dataset: Dataset) throws {
        guard labels == dataset.classes + 1 else {
            throw InputError("prior.from: \(identity.id) knows \(labels - 1) classes, the data has \(dataset.classes)")
        }
    }

    /// The run's settings with this model's sizes in their place; how it was trained is not known.
    func adopted(by settings: RunSettings) -> RunSettings {
        var result = settings
        let own = self.settings
        (result.prior.dim, result.prior.layers, result.prior.heads) = (own.dim, own.layers, own.heads)
        (result.prior.ropeAxes, result.prior.tied, result.prior.condDim) = (own.ropeAxes, own.tied, own.condDim)
        (result.prior.positions, result.prior.prologueOrder) = (own.positions, own.prologueOrder)
        result.prior.unconditional = own.unconditional
        result.prior.from = own.from
        return result
    }

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        try Adoption.perform(models, identity, work, context)
    }
}
