import Files
import Foundation
import Models
import RunStore
import Settings
import TensorCore

/// The stages of one run, each after those it reads.
public struct RunPlan {
    /// The run's settings, those of adopted models in their place.
    public let settings: RunSettings
    let stages: [any Stage]
    let tokens: TokenStage
    let prior: PriorStage

    public init(_ asked: RunSettings, _ context: ExperimentContext) throws {
        let given = try asked.withReleasedFolders()
        let adopted = try given.tokenizer.from.map { try AdoptedTokenizer($0, in: context.store) }
        var settings = adopted?.adopted(by: given) ?? given
        let dataset = try Self.dataset(settings, adopted, context)
        try adopted?.require(dataset)
        // An adopted tokenizer is not trained, so it needs no network for a loss.
        let perceptual = try adopted == nil ? PerceptualNetwork(settings, dataset: dataset, context) : nil
        let tokenizer = TokenizerStage(
            settings: settings.tokenizer.named, prior: settings.prior, seed: settings.seeds.tokenizer, dataset: dataset,
            perceptual: perceptual, adopted: adopted)
        let tokens = TokenStage(settings: settings.tokens, tokenizer: tokenizer)
        var prior = PriorStage(settings: settings.prior, seed: settings.seeds.prior, tokens: tokens)
        if let from = settings.prior.from {
            let model = try AdoptedPrior(from, tokenizer: tokenizer, in: context.store)
            try model.require(dataset)
            settings = model.adopted(by: settings)
            prior = PriorStage(settings: settings.prior, seed: settings.seeds.prior, tokens: tokens, adopted: model)
        }
        // Rules between what was given and what the models brought.
        if adopted != nil || settings.prior.from != nil, let conflict = settings.conflicts().first { throw InputError(conflict.message) }
        (self.settings, self.tokens, self.prior) = (settings, tokens, prior)
        stages =
            dataset.isEmpty
            ? try Self.stagesWithoutImages(settings, tokenizer, prior, context)
            : try Self.stages(settings, tokens, prior, perceptual, context)
    }

    private static func stages(
        _ settings: RunSettings, _ tokens: TokenStage, _ prior: PriorStage, _ perceptual: PerceptualNetwork?,
        _ context: ExperimentContext
    ) throws -> [any Stage] {
        let tokenizer = tokens.tokenizer
        func space(_ space: FeatureSpace) throws -> ScoringSpace {
            let features = try FeatureStage(settings: settings.features, dataset: tokenizer.dataset, space: space, context)
            return ScoringSpace(
                features: features,
                reconstructions: ReconstructionStage(scores: settings.scores, features: features, tokenizer: tokenizer),
                reference: try ReferenceStage(settings.scores, features: features, context))
        }
        let spaces = try FeatureSpace.all(settings).map(space)
        let main = spaces[0]
        let features = main.features
        var stages: [any Stage] = [features]
        if case .classifier(let network) = perceptual, network.id != features.id { stages.append(network) }
        stages += (tokenizer.base.map { [$0 as any Stage] } ?? []) + [tokenizer] + main.stages.dropFirst() + [tokens]
        // Without a prologue the probe reads as many visual tokens as a prologue would have: of none it reads nothing.
        let probe = settings.semantics.enabled ? settings.probe.wide : settings.probe
        let probing = ProbeStage(
            settings: probe, tokenCount: settings.tokenizer.prologueTokens, tokens: tokens, prior: prior)
        // A probe of the prior's embeddings comes after the prior.
        if probing.prior != nil { stages.append(prior) }
        if probe.enabled, settings.tokenizer.prologueTokens > 0 { stages.append(probing) }
        // A tokenizer without a prologue is the baseline of those with one: it is read in as many tokens as each of them.
        if probe.enabled, settings.tokenizer.prologueTokens == 0 {
            stages += settings.probe.counts.map { count in
                ProbeStage(
                    settings: settings.probe, tokenCount: count, tokens: tokens, prior: prior, role: "probe.\(count)")
            }
        }
        if probing.prior == nil { stages.append(prior) }
        stages += spaces.dropFirst().flatMap(\.stages)
        for samples in samples(settings, prior) {
            stages.append(samples)
            stages += spaces.map { ScoreStage(samples: samples, settings: settings.scores, space: $0) }
        }
        if !settings.prior.snapshots.isEmpty, !prior.isJoint, prior.adopted == nil {
            stages.append(
                SnapshotStage(
                    count: settings.scores.snapshotCount, seed: settings.seeds.sampler, prior: prior, space: main))
        }
        if settings.tuning.enabled {
            stages.append(
                TuningStage(
                    settings: settings.tuning, seed: settings.seeds.sampler, prior: prior, spaces: spaces))
        }
        if settings.resample.enabled {
            stages.append(
                ResampleStage(
                    settings: settings.prior.drawn(settings.resample), tokenCount: settings.tokenizer.prologueTokens,
                    seed: settings.seeds.sampler, prior: prior))
        }
        // Studies ask what an image is taken for, which takes a network that knows the data's classes.
        let studied = main.features.isOfClasses ? main : try space(.classifier)
        if !main.features.isOfClasses, settings.semantics.enabled || settings.semantics.interventions > 0 {
            stages += studied.stages
        }
        if settings.semantics.enabled, let reconstructions = studied.reconstructions {
            let (semantics, count) = (settings.semantics, settings.tokenizer.prologueTokens)
            stages += [
                ReadoutStage(settings: settings.probe, tokenCount: count, tokens: tokens),
                CompletionStage(
                    settings: semantics, tokenCount: count, prior: prior, features: studied.features, reconstructions: reconstructions),
                InformationStage(settings: semantics, tokenCount: count, prior: prior),
                AttentionStage(settings: semantics, prior: prior),
            ]
        }
        let (asked, count) = (settings.semantics, settings.tokenizer.prologueTokens)
        if asked.rates { stages.append(RateStage(settings: asked, probe: settings.probe, tokenCount: count, tokens: tokens)) }
        if asked.interventions > 0 {
            stages.append(InterventionStage(settings: asked, tokenCount: count, prior: prior, features: studied.features))
        }
        if asked.marginalDraws > 0 { stages.append(MarginalStage(settings: asked, prior: prior)) }
        return stages
    }

    /// Adopted models can be sampled without images, and the samples compared with those of a file; all other stages read some.
    private static func stagesWithoutImages(
        _ settings: RunSettings, _ tokenizer: TokenizerStage, _ prior: PriorStage, _ context: ExperimentContext
    ) throws -> [any Stage] {
        let drawn = samples(settings, prior)
        guard settings.features.network == .inception, settings.scores.reference != nil else { return [tokenizer, prior] + drawn }
        let features = try FeatureStage(settings: settings.features, dataset: tokenizer.dataset, context)
        let space = ScoringSpace(
            features: features, reconstructions: nil, reference: try ReferenceStage(settings.scores, features: features, context))
        return [tokenizer, prior] + space.stages
            + drawn.flatMap { [$0, ScoreStage(samples: $0, settings: settings.scores, space: space)] as [any Stage] }
    }

    private static func samples(_ settings: RunSettings, _ prior: PriorStage) -> [SampleStage] {
        settings.sampling.settings.sorted(by: { $0.key < $1.key }).map { name, sampler in
            SampleStage(
                name: name, settings: settings.prior.drawn(sampler), count: settings.sampling.count, batch: settings.sampling.batch,
                seed: settings.seeds.sampler, prior: prior)
        }
    }

    /// The images; where there are none, as many classes as the AR model knows and images as the tokenizer makes.
    private static func dataset(
        _ settings: RunSettings, _ adopted: AdoptedTokenizer?, _ context: ExperimentContext
    ) throws -> Dataset {
        guard settings.data.set == .none else { return try context.dataset(settings.data) }
        guard let adopted, let imageSize = adopted.imageSize, let channels = adopted.channels else {
            throw InputError("data.set none needs tokenizer.from an imported tokenizer: a trained one has its data")
        }
        var labels = adopted.settings.variant.joint == .prior ? adopted.jointLabels : nil
        if let from = settings.prior.from {
            let without = Dataset(withoutImagesOf: imageSize, channels: channels, classes: adopted.labels - 1)
            let tokenizer = TokenizerStage(
                settings: settings.tokenizer, prior: settings.prior, seed: 0, dataset: without, perceptual: nil,
                adopted: adopted)
            labels = try AdoptedPrior(from, tokenizer: tokenizer, in: context.store).labels
        }
        guard let labels else { throw InputError("data.set none has no tokens to train a prior on; it needs prior.from") }
        return Dataset(withoutImagesOf: imageSize, channels: channels, classes: labels - 1)
    }

    /// All settings with those of adopted models; nil where nothing was adopted.
    var resolved: JSONValue? {
        settings.tokenizer.from == nil && settings.prior.from == nil ? nil : settings.json
    }

    /// Roles with the ids of their stages.
    var stageIDs: [String: String] { Dictionary(stages.map { ($0.role, $0.id) }, uniquingKeysWith: { $1 }) }
}

extension SequenceLayout {
    /// Visual half [n, N] of codebook indices [n, K + N].
    func visualHalf(of indices: TokenTensor) -> TokenTensor { visualIndices(targets(indices)) }

    /// Prologue half [n, K] of codebook indices [n, K + N].
    func prologueHalf(of indices: TokenTensor) -> TokenTensor {
        let (count, width) = (indices.shape[0], indices.shape[1])
        return TokenTensor(
            (0..<count).flatMap { indices.ids[$0 * width..<$0 * width + prologueTokens] }, shape: [count, prologueTokens])
    }
}

extension RunPlan {
    /// The pictures of those stages that are complete, by paths relative to the store.
    func pictures(in store: Store) throws -> [Artifact] {
        try stages.compactMap { stage in
            guard let (file, description) = stage.picture, try store.stage(stage.identity).isComplete else { return nil }
            return Artifact(kind: "picture", path: "stages/\(stage.id)/\(file)", description: description)
        }
    }
}
