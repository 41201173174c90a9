import Files
import Foundation
import Models
import RunStore
import Sweep
import TensorCore

/// The stages of one run, each after those it reads.
public struct RunPlan {
    public let settings: RunSettings
    let stages: [any Stage]
    let tokens: TokenStage
    let prior: PriorStage

    public init(_ settings: RunSettings, _ context: ExperimentContext) throws {
        self.settings = settings
        var settings = settings
        settings.tokenizer = settings.tokenizer.named
        let dataset = try context.dataset(settings.data)
        let features = FeatureStage(settings: settings.features, dataset: dataset)
        let perceptual = try PerceptualNetwork(settings, dataset: dataset, context.assumptions)
        let tokenizer = TokenizerStage(
            settings: settings.tokenizer, prior: settings.prior, seed: settings.seeds.tokenizer, dataset: dataset,
            perceptual: perceptual)
        let tokens = TokenStage(settings: settings.tokens, tokenizer: tokenizer)
        let prior = PriorStage(settings: settings.prior, seed: settings.seeds.prior, tokens: tokens)
        (self.tokens, self.prior) = (tokens, prior)
        let reconstructions = ReconstructionStage(
            scores: settings.scores, features: features, tokenizer: tokenizer)
        var stages: [any Stage] = [features]
        if case .classifier(let network) = perceptual, network.id != features.id { stages.append(network) }
        stages += (tokenizer.base.map { [$0 as any Stage] } ?? []) + [tokenizer, reconstructions, tokens]
        // Without a prologue the probe reads as many visual tokens as a prologue would have: of none it reads nothing.
        if settings.probe.enabled, settings.tokenizer.prologueTokens > 0 {
            stages.append(
                ProbeStage(
                    settings: settings.probe, tokenCount: settings.tokenizer.prologueTokens, tokens: tokens))
        }
        stages.append(prior)
        for (name, sampler) in settings.sampling.settings.sorted(by: { $0.key < $1.key }) {
            let samples = SampleStage(
                name: name, settings: sampler, count: settings.sampling.count, batch: settings.sampling.batch,
                seed: settings.seeds.sampler, prior: prior)
            stages.append(samples)
            stages.append(ScoreStage(
                samples: samples, settings: settings.scores, reconstructions: reconstructions, features: features))
        }
        if settings.resample.enabled {
            stages.append(
                ResampleStage(
                    settings: settings.resample, tokenCount: settings.tokenizer.prologueTokens,
                    seed: settings.seeds.sampler, prior: prior))
        }
        self.stages = stages
    }

    /// Roles with the ids of their stages.
    var stageIDs: [String: String] { Dictionary(stages.map { ($0.role, $0.id) }, uniquingKeysWith: { $1 }) }
}

extension SequenceLayout {
    /// Visual half [n, N] of codebook indices [n, K + N].
    func visualHalf(of indices: TokenTensor) -> TokenTensor { visualIndices(targets(indices)) }
}
