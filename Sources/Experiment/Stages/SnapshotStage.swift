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
    let space: ScoringSpace

    var role: String { "snapshots" }

    var identity: StageIdentity {
        let read: [String: JSONValue] = ["count": .int(count), "seed": .int(seed)]
        return StageIdentity(
            kind: "snapshots", settings: .object(read.merging(prior.decodingIdentity) { $1 }),
            inputs: space.inputs().merging(["prior": prior.id]) { $1 }, formatVersion: 1)
    }

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let (steps, name) = (prior.stepsKept, space.name)
        let extractor = try space.features.extractor(context)
        let reference = try space.load(context)
        var unconditional = SamplerSettings()
        unconditional.unconditional = true
        let samplers = [("nocfg", SamplerSettings()), ("uncond", unconditional)]
        for (way, sampler) in samplers where sampler.unconditional || !prior.settings.unconditional {
            var values: [String: Double?] = [:]
            for step in steps {
                context.progress.note("snapshots: \(count) samples after \(step) of \(prior.settings.training.steps) steps, \(way)")
                let drawing = try SampleDrawing(
                    prior.load(afterStep: step, context), of: prior.tokenizer, seed: seed, context)
                let drawn = try FeatureStatistics(of: drawing.features(count, sampler, extractor).pooled).gaussian()
                for (score, images) in [(Measure.gfid, reference.images), (.priorGap, reference.reconstructions)] {
                    guard let images else { continue }
                    values[score.name([.features: name, .sampler: way, .step: "\(step)"])] = .some(
                        try work.measured(score.title) { try frechetDistance(drawn, images.pooled) })
                }
            }
            var read = try space.protocolMembers(reference).merging(
                ["count": .int(count), "seed": .int(seed), "sampler": sampler.identity]) { $1 }
            if space.features.space == .inception {
                read["published"] =
                    PublishedProtocol(
                        samples: count, of: prior.tokenizer.dataset, sampler: sampler, space.reference
                    ).member
            }
            try work.save(Scores(protocol: .object(read), values: values), named: "snapshots.\(way)")
        }
        let warnings = try ScoreWarnings(
            space.features, reference: space.heldOut, count: space.reference == nil ? reference.images.features?.rows : nil, samples: count,
            context)
        return try work.summary(["steps": .array(steps.map { .int($0) })], warnings: warnings.texts, context)
    }
}

extension SnapshotStage {
    var cost: StageCost? {
        let sampler = SamplerSettings()
        return prior.drawingImages(2 * count * prior.stepsKept.count, sampler, atOnce: SampleDrawing.standardBatch)
    }
}
