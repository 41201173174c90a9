import Evaluation
import Files
import Foundation
import Metrics
import Models
import RunStore
import Settings
import TensorCore

/// Scores of one set of samples, in the feature space of the data set's classifier: distance to held-out images (gFID, and
/// sFID on features that keep places) and to their reconstructions (the prior gap, method §7), kernel distances to both, the noise
/// that drawing other samples would make, inception score, precision and recall.
struct ScoreStage: Stage {
    let samples: SampleStage
    let settings: ScoreSettings
    let reconstructions: ReconstructionStage
    let features: FeatureStage

    /// Parts of the samples that the inception score averages over, in the order drawn: classes in turn.
    static let splits = 10
    /// k of precision and recall (method §6.3).
    static let neighbours = 3

    var role: String { "scores.\(samples.name)" }

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
        try measure(.gfid) { try frechetDistance(statistics.pooled, reference.images.pooled) }
        try measure(.sfid) { try frechetDistance(statistics.spatial, reference.images.spatial) }
        try measure(.priorGap) { try frechetDistance(statistics.pooled, reference.reconstructions.pooled) }
        try measure(.gfidNoise) { try resamplingNoise(drawn.pooled, reference.images.pooled) }
        try measureKernelDistances(drawn, reference, strata: samples.settings.unconditional ? nil : labels.map(Int.init), measure)
        try measure(.inceptionScore) { try InceptionScore(probabilities: drawn.probabilities, splits: Self.splits).mean }
        if settings.precisionRecall {
            let found = Result {
                try PrecisionRecall(reference: reference.features, samples: drawn.pooled, neighbours: Self.neighbours)
            }
            try measure(.precision) { try found.get().precision }
            try measure(.recall) { try found.get().recall }
        }
        if !samples.settings.unconditional {
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

    /// Beside the Fréchet distances, which are too large for few samples: kernel distances, which are not.
    private func measureKernelDistances(
        _ drawn: ExtractedFeatures, _ reference: ScoreReference, strata: [Int]?, _ measure: (Measure, () throws -> Double) throws -> Void
    ) throws {
        let set = Result { try KernelSet(drawn.pooled) }
        let toImages = Result { try KernelDistance(set.get(), to: KernelSet(reference.features), strata: strata) }
        try measure(.kid) { try toImages.get().value }
        try measure(.kidNoise) {
            guard let error = try toImages.get().standardError else { throw InputError("a class has a single sample") }
            return error
        }
        try measure(.kidGap) { try KernelDistance(set.get(), to: KernelSet(reference.reconstructed), strata: strata).value }
    }

    /// Standard deviation of gFID over bootstrap resamples of the samples: the noise of drawing this many, the models
    /// being what they are. It says nothing about other seeds of training.
    private func resamplingNoise(_ matrix: FeatureMatrix, _ reference: Gaussian) throws -> Double {
        var stream = RandomStream(seed: samples.seed, "scores/bootstrap")
        let values = try (0..<10).map { _ in
            let rows = (0..<matrix.rows).map { _ in stream.integer(below: matrix.rows) }
            return try frechetDistance(FeatureStatistics(of: matrix.selecting(rows)).gaussian(), reference)
        }
        guard let estimate = Estimate(of: values), let deviation = estimate.standardDeviation else {
            throw InputError("too few samples to resample")
        }
        return deviation
    }
}
