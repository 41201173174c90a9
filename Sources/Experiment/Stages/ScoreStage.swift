import Evaluation
import Files
import Foundation
import Models
import RunStore
import TensorCore

/// Scores of one set of samples: gFID against held-out images, and against their reconstructions (the prior gap,
/// METHOD §7), with the noise that drawing other samples would make.
struct ScoreStage: Stage {
    let samples: SampleStage
    let reconstructions: ReconstructionStage
    let features: FeatureStage

    var role: String { "scores.\(samples.name)" }

    var identity: StageIdentity {
        StageIdentity(
            kind: "scores", settings: [:],
            inputs: ["samples": samples.id, "reconstructions": reconstructions.id, "features": features.id],
            formatVersion: 2)
    }

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        context.progress.note("\(role): \(samples.count) samples on \(features.spaceName)")
        let (pixels, labels) = try samples.load(context)
        let extracted = try features.extractor(context).features(pixels, count: labels.count)
        let references = try reconstructions.statistics(context)
        let statistics = try FeatureStatistics(of: extracted.matrix).gaussian()
        let (space, name) = (features.spaceName, samples.name)
        // A measure that fails is missing, and the log says why.
        func measured(_ what: String, _ measure: () throws -> Double) throws -> Double? {
            do { return try measure() } catch let error as InputError {
                try work.log("\(what) is missing: \(error)")
                return nil
            }
        }
        var values: [String: Double?] = [
            "gfid@\(space).\(name)": try measured("gFID") { try frechetDistance(statistics, references.real) },
            "prior_gap@\(space).\(name)": try measured("prior gap") {
                try frechetDistance(statistics, references.rebuilt)
            },
            "gfid_noise@\(space).\(name)": try measured("gFID noise") {
                try resamplingNoise(extracted.matrix, references.real)
            },
        ]
        if !samples.settings.unconditional {
            let right = zip(extracted.predictions, labels).filter { $0 == $1 }.count
            values["class_agreement@\(space).\(name)"] = Double(right) / Double(labels.count)
        }
        try work.save(
            Scores(
                protocol: [
                    "features": .string(features.id), "reference": .string(try reconstructions.references.fingerprint),
                    "reference_count": .int(references.count), "count": .int(labels.count),
                    "seed": .int(samples.seed), "sampler": samples.settings.identity,
                ], values: values), named: "\(space).\(name)")
        return ["count": .int(labels.count)]
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
