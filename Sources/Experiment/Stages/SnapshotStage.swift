import Evaluation
import Files
import Metrics
import RunStore
import Settings

/// How well the prior generated while it was being trained: distances of samples drawn from its snapshots, and from its
/// last weights, under the plain sampler (T = 1, no guidance), with the class, where the prior is told one, and
/// without.
struct SnapshotStage: Stage {
    let count: Int
    let seed: Int
    let prior: PriorStage
    let reconstructions: ReconstructionStage
    let features: FeatureStage

    var role: String { "snapshots" }

    var identity: StageIdentity {
        let read: [String: JSONValue] = ["count": .int(count), "seed": .int(seed)]
        return StageIdentity(
            kind: "snapshots", settings: .object(read.merging(prior.decodingIdentity) { $1 }),
            inputs: ["prior": prior.id, "reconstructions": reconstructions.id, "features": features.id], formatVersion: 1)
    }

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let (steps, space) = (prior.stepsKept, features.spaceName)
        let extractor = try features.extractor(context)
        let reference = try reconstructions.reference(context)
        var unconditional = SamplerSettings()
        unconditional.unconditional = true
        let samplers = [("nocfg", SamplerSettings()), ("uncond", unconditional)]
        for (name, sampler) in samplers where sampler.unconditional || !prior.settings.unconditional {
            var values: [String: Double?] = [:]
            for step in steps {
                context.progress.note("snapshots: \(count) samples after \(step) of \(prior.settings.training.steps) steps, \(name)")
                let drawing = try SampleDrawing(
                    prior.load(afterStep: step, context), of: prior.tokenizer, seed: seed, context)
                let drawn = try FeatureStatistics(of: drawing.features(count, sampler, extractor).pooled).gaussian()
                for (score, images) in [(Measure.gfid, reference.images), (.priorGap, reference.reconstructions)] {
                    values[score.name([.features: space, .sampler: name, .step: "\(step)"])] = .some(
                        try work.measured(score.title) { try frechetDistance(drawn, images.pooled) })
                }
            }
            try work.save(
                Scores(
                    protocol: [
                        "features": .string(features.id), "reference": .string(try reconstructions.references.fingerprint),
                        "reference_count": .int(reference.count), "count": .int(count), "seed": .int(seed),
                        "sampler": sampler.identity,
                    ], values: values), named: "snapshots.\(name)")
        }
        let warnings = try ScoreWarnings(features, reference: try reconstructions.references, samples: count, context)
        return try work.summary(["steps": .array(steps.map { .int($0) })], warnings: warnings.texts, context)
    }
}

extension SnapshotStage {
    var cost: StageCost? {
        let sampler = SamplerSettings()
        return prior.drawingImages(2 * count * prior.stepsKept.count, sampler, atOnce: FeatureExtractor.batch)
    }
}
