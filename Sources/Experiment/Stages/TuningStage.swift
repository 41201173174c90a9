import Evaluation
import Files
import Foundation
import Metrics
import RunStore
import Settings

/// Guidance tuned fairly (method §7): every arm tries the same grid; the best is chosen by its distance to one half of the
/// held-out images, those at even places, and reported by its distance to the other, which had no say.
struct TuningStage: Stage {
    let settings: TuningSettings
    let seed: Int
    let prior: PriorStage
    let reconstructions: ReconstructionStage
    let features: FeatureStage

    var role: String { "tuning" }

    var identity: StageIdentity {
        let read: [String: JSONValue] = ["tuning": settings.identity, "seed": .int(seed)]
        return StageIdentity(
            kind: "tuning", settings: .object(read.merging(prior.decodingIdentity) { $1 }),
            inputs: ["prior": prior.id, "reconstructions": reconstructions.id, "features": features.id], formatVersion: 1)
    }

    static let file = "tuning.h5"

    /// A way of sampling that is tried.
    private struct Candidate {
        let scale, temperature: Double

        /// 1 is the conditional model itself, for which the other branch need not be worked out.
        func sampler(_ settings: TuningSettings) -> SamplerSettings {
            var sampler = SamplerSettings()
            sampler.temperature = temperature
            guard !isPlain else { return sampler }
            (sampler.guidance.scale, sampler.guidance.schedule, sampler.guidance.power) =
                (scale, settings.schedule, settings.power)
            return sampler
        }

        var isPlain: Bool { scale == 1 || scale == 0 }
        /// What its scores are called by.
        var fields: [MetricField: String] {
            let guidance = [MetricField.guidance: scale.formatted(.plain)]
            return temperature == 1 ? guidance : guidance.merging([.temperature: temperature.formatted(.plain)]) { $1 }
        }

        var name: String { "guidance-\(fields[.guidance] ?? "")" + (fields[.temperature].map { ".temperature-\($0)" } ?? "") }
    }

    private struct Result {
        let candidate: Candidate
        let features: FeatureMatrix
        let gaussian: Gaussian
        let tuning, reported, gap: Double
    }

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let space = features.spaceName
        let extractor = try features.extractor(context)
        let reference = try reconstructions.reference(context)
        let halves = try [0, 1].map { try reference.half($0) }
        let drawing = try SampleDrawing(prior.load(context), of: prior.tokenizer, seed: seed, context)
        let candidates = settings.temperatures.flatMap { t in settings.scales.map { Candidate(scale: $0, temperature: t) } }
        let results = try candidates.enumerated().map { place, candidate in
            context.progress.note(
                "tuning: \(settings.count) samples with \(candidate.name) (\(place + 1) of \(candidates.count))")
            let drawn = try drawing.features(settings.count, candidate.sampler(settings), extractor).pooled
            let gaussian = try FeatureStatistics(of: drawn).gaussian()
            return Result(
                candidate: candidate, features: drawn, gaussian: gaussian, tuning: try frechetDistance(gaussian, halves[0].images),
                reported: try frechetDistance(gaussian, halves[1].images),
                gap: try frechetDistance(gaussian, halves[1].reconstructions))
        }
        guard let best = results.min(by: { $0.tuning < $1.tuning }) else {
            throw InputError("tuning.scales and tuning.temperatures leave nothing to try")
        }
        let tuned = [MetricField.features: space, .sampler: "tuned"]
        var values: [String: Double?] = [
            Measure.gfid.name(tuned): best.reported, Measure.priorGap.name(tuned): best.gap,
            Measure.gfidTuning.name(tuned): best.tuning, Measure.tunedScale.name(): best.candidate.scale,
            Measure.tunedTemperature.name(): best.candidate.temperature,
        ]
        let found = Swift.Result {
            try PrecisionRecall(reference: halves[1].features, samples: best.features, neighbours: ScoreStage.neighbours)
        }
        values[Measure.precision.name(tuned)] = .some(try work.measured("precision") { try found.get().precision })
        values[Measure.recall.name(tuned)] = .some(try work.measured("recall") { try found.get().recall })
        for result in results {
            let fields = result.candidate.fields.merging([.features: space]) { $1 }
            values[Measure.gfid.name(fields)] = result.reported
            values[Measure.priorGap.name(fields)] = result.gap
        }
        try save(results, to: work.url(Self.file))
        try work.save(
            Scores(
                protocol: [
                    "features": .string(features.id), "reference": .string(try reconstructions.references.fingerprint),
                    "reference_half": "odd places", "tuned_on": "even places", "reference_count": .int(halves[1].features.rows),
                    "count": .int(settings.count), "seed": .int(seed), "neighbours": .int(ScoreStage.neighbours),
                    "tried": .int(candidates.count), "grid": settings.identity,
                ], values: values), named: "\(space).tuned")
        let warnings = try ScoreWarnings(
            features, reference: try reconstructions.references, count: halves[1].features.rows, samples: settings.count, context)
        return try work.summary(
            ["chosen": .string(best.candidate.name), "tried": .int(candidates.count)], warnings: warnings.texts, context)
    }

    private func save(_ results: [Result], to url: URL) throws {
        try HDF5File.write(atomicallyTo: url) { file in
            let columns: [(String, (Result) -> Double)] = [
                ("scale", \.candidate.scale), ("temperature", \.candidate.temperature), ("gfid_tuning", \.tuning),
                ("gfid_reported", \.reported), ("prior_gap_reported", \.gap),
            ]
            for (name, value) in columns {
                try file.write(results.map(value), to: name, shape: [results.count], attributes: ["axes": ["candidate"]])
            }
            let dimensions = results[0].gaussian.dimensions
            try file.write(
                results.flatMap(\.gaussian.mean), to: "mean", shape: [results.count, dimensions],
                attributes: ["axes": ["candidate", "feature"], "content": "of the samples' features"])
            try file.write(
                results.flatMap(\.gaussian.covariance), to: "covariance", shape: [results.count, dimensions, dimensions],
                compressed: true, attributes: ["axes": ["candidate", "feature", "feature"]])
            try file.setAttribute("tuned_on", "held-out images at even places")
            try file.setAttribute("reported_on", "held-out images at odd places")
        }
    }
}

extension FormatStyle where Self == FloatingPointFormatStyle<Double> {
    /// "1.25", "2": as many digits as there are, the same everywhere.
    fileprivate static var plain: Self { .number.grouping(.never).locale(Locale(identifier: "en_US_POSIX")) }
}

extension TuningStage {
    var cost: StageCost? {
        var guided = SamplerSettings()
        guided.guidance.scale = 2
        return prior.drawingImages(
            settings.count * settings.scales.count * settings.temperatures.count, guided, atOnce: FeatureExtractor.batch)
    }
}
