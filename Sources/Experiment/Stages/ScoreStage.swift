import Evaluation
import Files
import Foundation
import Metrics
import Models
import RunStore
import Settings
import TensorCore

/// Scores of one set of samples in a feature space: distances to held-out images (gFID; sFID on features that keep places) and to
/// their reconstructions (the prior gap, method §7) with all that `SampleDistances` says of them, inception score, precision
/// and recall.
struct ScoreStage: Stage {
    let samples: SampleStage
    let settings: ScoreSettings
    let space: ScoringSpace

    /// Parts of the samples that the inception score averages over, in the order drawn: classes in turn.
    static let splits = 10
    /// k of precision and recall (method §6.3).
    static let neighbours = 3

    var role: String { "scores.\(samples.name)\(space.features.roleSuffix)" }

    var identity: StageIdentity {
        StageIdentity(
            kind: "scores", settings: ["precision_recall": .bool(settings.precisionRecall)],
            inputs: space.inputs().merging(["samples": samples.id]) { $1 },
            formatVersion: 4)
    }

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let (features, space, name) = (space.features, space.name, samples.name)
        context.progress.note("\(role): \(samples.count) samples on \(space)")
        let extractor = try features.extractor(context)
        let labels = try samples.labels(context)
        let drawn = try extractor.features(of: labels.count, keptWith: work) { range, add in
            try samples.forEachBatch(range, of: extractor.chunk, context, add)
        }
        let reference = try self.space.load(context)
        let pooled = drawn.pooled
        var values: [String: Double?] = [:]
        func measure(_ score: Measure, _ value: () throws -> Double) throws {
            values[score.name([.features: space, .sampler: name])] = .some(try work.measured(score.title, value))
        }
        try reference.distances(classes: self.space.classes).measure(
            pooled, strata: samples.settings.unconditional ? nil : labels.map(Int.init), seed: samples.seed, measure)
        try measure(.sfid) { try frechetDistance(drawn.spatial(), reference.images.spatial) }
        if features.space != .factors {
            try Self.measureInceptionScore(of: drawn, measure)
        }
        if settings.precisionRecall, let images = reference.images.features {
            let found = Result { try PrecisionRecall(reference: images, samples: pooled, neighbours: Self.neighbours) }
            try measure(.precision) { try found.get().precision }
            try measure(.recall) { try found.get().recall }
        }
        if features.isOfClasses, !samples.settings.unconditional {
            let right = zip(drawn.predictions, labels).filter { $0 == $1 }.count
            try measure(.classAgreement) { Double(right) / Double(labels.count) }
        }
        var read = try self.space.protocolMembers(reference).merging(
            [
                "count": .int(labels.count), "splits": .int(Self.splits), "order": "classes in turn", "neighbours": .int(Self.neighbours),
                "seed": .int(samples.seed), "sampler": samples.settings.identity,
            ]) { $1 }
        if features.space == .inception {
            read["published"] =
                PublishedProtocol(
                    samples: labels.count, of: samples.prior.tokenizer.dataset, sampler: samples.settings, self.space.reference
                ).member
        }
        try work.save(Scores(protocol: .object(read), values: values), named: "\(space).\(name)")
        let warnings = try ScoreWarnings(
            features, reference: self.space.heldOut, count: self.space.reference == nil ? reference.images.features?.rows : nil,
            samples: labels.count, context)
        return try work.summary(["count": .int(labels.count)], warnings: warnings.texts, context)
    }

    /// The inception score with the deviation of its parts.
    static func measureInceptionScore(of drawn: ExtractedFeatures, _ measure: SampleDistances.Measuring) throws {
        let score = Result { try InceptionScore(probabilities: drawn.probabilities, splits: splits) }
        try measure(.inceptionScore) { try score.get().mean }
        try measure(.inceptionScoreDeviation) {
            guard let deviation = try score.get().deviation else { throw InputError("a single part has no deviation") }
            return deviation
        }
    }
}
