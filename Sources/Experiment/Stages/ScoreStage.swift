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
    let reconstructions: ReconstructionStage
    let features: FeatureStage

    /// Parts of the samples that the inception score averages over, in the order drawn: classes in turn.
    static let splits = 10
    /// k of precision and recall (method §6.3).
    static let neighbours = 3

    var role: String { "scores.\(samples.name)\(features.network.roleSuffix)" }

    var identity: StageIdentity {
        StageIdentity(
            kind: "scores", settings: ["precision_recall": .bool(settings.precisionRecall)],
            inputs: ["samples": samples.id, "reconstructions": reconstructions.id, "features": features.id],
            formatVersion: 4)
    }

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        context.progress.note("\(role): \(samples.count) samples on \(features.spaceName)")
        var gathered = try features.extractor(context).gathering()
        let labels = try samples.forEachBatch(of: FeatureExtractor.batch, context) { gathered.add($0) }
        let drawn = gathered.features
        let reference = try reconstructions.reference(context)
        let statistics = try ScoreReference.Statistics(drawn)
        let (space, name) = (features.spaceName, samples.name)
        var values: [String: Double?] = [:]
        func measure(_ score: Measure, _ value: () throws -> Double) throws {
            values[score.name([.features: space, .sampler: name])] = .some(try work.measured(score.title, value))
        }
        try reference.distances(classes: reconstructions.references.labels).measure(
            drawn.pooled, strata: samples.settings.unconditional ? nil : labels.map(Int.init), seed: samples.seed, measure)
        try measure(.sfid) { try frechetDistance(statistics.spatial, reference.images.spatial) }
        let isClassifier = features.network != .factors
        if isClassifier {
            try measure(.inceptionScore) { try InceptionScore(probabilities: drawn.probabilities, splits: Self.splits).mean }
        }
        if settings.precisionRecall {
            let found = Result {
                try PrecisionRecall(reference: reference.features, samples: drawn.pooled, neighbours: Self.neighbours)
            }
            try measure(.precision) { try found.get().precision }
            try measure(.recall) { try found.get().recall }
        }
        if isClassifier, !samples.settings.unconditional {
            let right = zip(drawn.predictions, labels).filter { $0 == $1 }.count
            try measure(.classAgreement) { Double(right) / Double(labels.count) }
        }
        try work.save(
            Scores(
                protocol: [
                    "features": .string(features.id), "reference": .string(try reconstructions.references.fingerprint),
                    "reference_count": .int(reference.count), "count": .int(labels.count),
                    "splits": .int(Self.splits), "order": "classes in turn", "neighbours": .int(Self.neighbours),
                    "seed": .int(samples.seed), "sampler": samples.settings.identity,
                ], values: values), named: "\(space).\(name)")
        let warnings = try ScoreWarnings(features, reference: try reconstructions.references, samples: labels.count, context)
        return try work.summary(["count": .int(labels.count)], warnings: warnings.texts, context)
    }
}
