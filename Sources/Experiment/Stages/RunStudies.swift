import Files
import Foundation
import ImageData
import RunStore
import Settings
import TensorCore

/// What can be asked of one finished run besides its sweep: other samples, probes, resampling rows. Each is a stage of
/// its own, kept and reused like those of the sweep.
extension RunPlan {
    /// Requires the stage, its inputs being complete, and returns where it is with its record.
    private func require(_ stage: any Stage, _ context: ExperimentContext) throws -> Store.StageResult {
        guard !prior.tokenizer.dataset.isEmpty || stage is SampleStage else {
            throw InputError(
                "the run has no images (data.set none), so it can only be sampled; a sweep with images takes its models as "
                    + "tokenizer.from: \(prior.tokenizer.id) and prior.from: \(prior.id)")
        }
        for input in stages where stage.identity.inputs.values.contains(input.id) || input.id == tokens.id {
            guard try context.store.stage(input.identity).isComplete else {
                throw InputError("the run's \(input.role) is not finished; run its sweep first")
            }
        }
        return try context.perform(stage)
    }

    /// Draws `count` samples under `sampler`; returns the files of samples and picture.
    public func sample(
        _ sampler: SamplerSettings, count: Int, seed: Int, _ context: ExperimentContext
    ) throws -> (samples: URL, picture: URL) {
        let stage = SampleStage(
            name: "asked", settings: settings.prior.drawn(sampler), count: count, batch: settings.sampling.batch, seed: seed, prior: prior)
        let result = try require(stage, context)
        return (result.stage.url(SampleStage.samplesFile), result.stage.url(SampleStage.pictureFile))
    }

    /// Draws rows that share their first tokens; returns the picture.
    public func resample(_ resample: ResampleSettings, seed: Int, _ context: ExperimentContext) throws -> URL {
        let stage = ResampleStage(
            settings: settings.prior.drawn(resample), tokenCount: settings.tokenizer.prologueTokens, seed: seed, prior: prior)
        return try require(stage, context).stage.url(ResampleStage.pictureFile)
    }

    /// Probes the tokens of the run; returns accuracies by metric name.
    public func probe(_ probe: ProbeSettings, _ context: ExperimentContext) throws -> [String: Double?] {
        guard settings.tokenizer.prologueTokens > 0 else {
            throw InputError("the run has tokenizer.prologue_tokens 0, and a probe of no tokens tells nothing")
        }
        let stage = ProbeStage(
            settings: probe, tokenCount: settings.tokenizer.prologueTokens, tokens: tokens, prior: prior)
        return try require(stage, context).stage.scores()["probe"]?.values ?? [:]
    }
}
