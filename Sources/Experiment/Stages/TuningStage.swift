import Evaluation
import Files
import Foundation
import Metrics
import Models
import RunStore
import Settings
import TensorCore

/// Guidance and temperature tuned fairly (method §7): every arm tries the same grid, and chooses by its distance to one half of the
/// held-out images, those at even places. What is chosen draws afresh, and those samples are reported by their distance to the
/// other half: neither they nor their reference had a say. Twice: the best of all (`tuned`), and the best temperature without
/// guidance (`best-temperature`).
struct TuningStage: Stage {
    let settings: TuningSettings
    let seed: Int
    let prior: PriorStage
    /// What is compared with, in each feature space; the first one chooses.
    let spaces: [ScoringSpace]

    var role: String { "tuning" }

    var identity: StageIdentity {
        let read: [String: JSONValue] = ["tuning": settings.identity, "seed": .int(seed)]
        var inputs = ["prior": prior.id]
        for space in spaces { inputs.merge(space.inputs(suffix: space.features.roleSuffix)) { $1 } }
        return StageIdentity(
            kind: "tuning", settings: .object(read.merging(prior.decodingIdentity) { $1 }), inputs: inputs, formatVersion: 2)
    }

    static let file = "tuning.h5"
    /// Names of what is reported, in the place of a sampler's.
    static let (tuned, plain) = ("tuned", "best-temperature")

    private var reportCount: Int { settings.reportCount ?? settings.count }

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let places = try spaces.map { try Place($0, context) }
        let main = places[0]
        let candidates = TuningCandidate.grid(settings, prior.settings)
        let drawing = try SampleDrawing(prior.load(context), of: prior.tokenizer, seed: seed, context)
        let results = try candidates.enumerated().map { number, candidate in
            context.progress.note(
                "tuning: \(settings.count) samples with \(candidate.name) (\(number + 1) of \(candidates.count))")
            return try TuningResult(
                candidate, drawing.features(settings.count, candidate.sampler, main.extractor).pooled, main.chosenOn, main.reportedOn)
        }
        guard let best = results.min(by: { $0.tuning < $1.tuning }) else {
            throw InputError("tuning.scales and tuning.temperatures leave nothing to try")
        }
        let plain = results.filter(\.candidate.isPlain).min { $0.tuning < $1.tuning }
        try saveTried(results, best, plain, main, work)

        // Where guidance does not help, both are the same, drawn once.
        var reported: [(name: String, chosen: TuningResult)] = prior.settings.unconditional ? [] : [(Self.tuned, best)]
        if let plain { reported.append((Self.plain, plain)) }
        var statistics: [String: Gaussian] = [:]
        for candidate in Set(reported.map(\.chosen.candidate)).sorted(by: { $0.name < $1.name }) {
            context.progress.note("tuning: \(reportCount) fresh samples with \(candidate.name)")
            let names = reported.filter { $0.chosen.candidate == candidate }.map(\.name)
            let drawn = try report(candidate, as: names, places, work, context)
            for name in names { statistics[name] = drawn }
        }
        try save(results, statistics, to: work.url(Self.file))
        let warnings = try ScoreWarnings(
            spaces[0].features, reference: try spaces[0].heldOut, count: main.reportedOn.images.features?.rows, samples: reportCount,
            context)
        return try work.summary(
            ["chosen": .string(best.candidate.name), "tried": .int(candidates.count)], warnings: warnings.texts, context)
    }

    /// A feature space with the half that chooses and the half that is reported on.
    private struct Place {
        let space: ScoringSpace
        let extractor: FeatureExtractor
        let chosenOn, reportedOn: SampleDistances

        init(_ space: ScoringSpace, _ context: ExperimentContext) throws {
            let (reference, classes) = (try space.load(context), try space.classes)
            (self.space, extractor) = (space, try space.features.extractor(context))
            chosenOn = try reference.distances(classes: classes, half: 0)
            reportedOn = try reference.distances(classes: classes, half: 1)
        }
    }

    /// Draws afresh, and measures in every space; returns the samples' statistics in the first.
    private func report(
        _ candidate: TuningCandidate, as names: [String], _ places: [Place], _ work: StageWork, _ context: ExperimentContext
    ) throws -> Gaussian {
        var stream = RandomStream(seed: seed, "tuning/report")
        let drawing = try SampleDrawing(
            prior.load(context), of: prior.tokenizer, seed: Int(truncatingIfNeeded: stream.nextKey() >> 1), context)
        var gathered = places.map { $0.extractor.gathering() }
        try drawing.forEachBatch(reportCount, candidate.sampler) { _, _, pixels in
            for place in gathered.indices { try gathered[place].add(pixels) }
        }
        let strata = candidate.sampler.unconditional ? nil : drawing.labels(reportCount).map(Int.init)
        let drawnInPlaces = try gathered.indices.map { try gathered[$0].finished() }
        for (place, extracted) in zip(places, drawnInPlaces) {
            let drawn = extracted.pooled
            let (space, reference) = (place.space.name, place.reportedOn)
            var measured: [(Measure, Double?)] = []
            func measure(_ score: Measure, _ value: () throws -> Double) throws {
                measured.append((score, try work.measured(score.title, value)))
            }
            try reference.measure(drawn, strata: strata, seed: seed, measure)
            if place.space.features.space != .factors { try ScoreStage.measureInceptionScore(of: extracted, measure) }
            if let images = reference.images.features {
                let found = Result { try PrecisionRecall(reference: images, samples: drawn, neighbours: ScoreStage.neighbours) }
                try measure(.precision) { try found.get().precision }
                try measure(.recall) { try found.get().recall }
            }
            for name in names {
                let values = measured.map { ($0.0.name([.features: space, .sampler: name]), $0.1) }
                try work.save(
                    Scores(
                        protocol: try reportProtocol(place, count: reportCount, candidate.sampler),
                        values: Dictionary(values, uniquingKeysWith: { $1 })), named: "\(space).\(name)")
            }
        }
        return try FeatureStatistics(of: drawnInPlaces[0].pooled).gaussian()
    }

    private func reportProtocol(_ place: Place, count: Int, _ sampler: SamplerSettings) throws -> JSONValue {
        var read: [String: JSONValue] = [
            "features": .string(place.space.features.id), "reference": .string(try place.space.referenceDigest),
            "reference_half": "odd places", "tuned_on": "even places",
            "reference_count": .int(place.reportedOn.images.features?.rows ?? 0),
            "count": .int(count), "samples": "drawn afresh", "seed": .int(seed), "neighbours": .int(ScoreStage.neighbours),
            "grid": settings.identity,
        ]
        if place.space.features.space == .inception {
            read["splits"] = .int(ScoreStage.splits)
            read["published"] =
                PublishedProtocol(tunedOnHalves: count, of: prior.tokenizer.dataset, sampler: sampler, place.space.reference).member
        }
        return .object(read)
    }

    /// What was chosen, and the distances of every candidate's own samples, which had a say in the choice.
    private func saveTried(
        _ results: [TuningResult], _ best: TuningResult, _ plain: TuningResult?, _ main: Place, _ work: StageWork
    ) throws {
        let space = main.space.name
        var values: [String: Double?] = [
            Measure.gfidTuning.name([.features: space, .sampler: Self.tuned]): best.tuning,
            Measure.tunedScale.name(): best.candidate.scale, Measure.tunedTemperature.name(): best.candidate.temperature,
        ]
        if let plain { values[Measure.plainTemperature.name()] = plain.candidate.temperature }
        for result in results {
            let fields = result.candidate.fields.merging([.features: space]) { $1 }
            values[Measure.gfid.name(fields)] = result.reported
            if let gap = result.gap { values[Measure.priorGap.name(fields)] = gap }
        }
        guard case .object(var read) = try reportProtocol(main, count: settings.count, best.candidate.sampler) else { return }
        (read["samples"], read["tried"]) = ("those that chose", .int(results.count))
        try work.save(Scores(protocol: .object(read), values: values), named: "\(space).tried")
    }

    /// - Parameter reported: of the fresh samples, by the name that they are reported under.
    private func save(_ results: [TuningResult], _ reported: [String: Gaussian], to url: URL) throws {
        try HDF5File.write(atomicallyTo: url) { file in
            let columns: [(String, (TuningResult) -> Double)] = [
                ("scale", \.candidate.scale), ("temperature", \.candidate.temperature), ("gfid_tuning", \.tuning),
                ("gfid_reported", \.reported), ("prior_gap_reported", { $0.gap ?? .nan }),
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
            for (name, gaussian) in reported {
                try file.write(gaussian.mean, to: "report/\(name)/mean", shape: [dimensions], attributes: ["axes": ["feature"]])
                try file.write(
                    gaussian.covariance, to: "report/\(name)/covariance", shape: [dimensions, dimensions],
                    attributes: ["axes": ["feature", "feature"]])
            }
            try file.setAttribute("tuned_on", "held-out images at even places")
            try file.setAttribute("reported_on", "held-out images at odd places")
        }
    }
}

extension TuningStage {
    var cost: StageCost? {
        let candidates = TuningCandidate.grid(settings, prior.settings)
        // As if the best were a guided one.
        var guided = SamplerSettings()
        if !prior.settings.unconditional { guided.guidance.scale = 2 }
        let fresh = (prior.settings.unconditional ? 1 : 2) * reportCount
        return prior.drawingImages(settings.count * candidates.count + fresh, guided, atOnce: SampleDrawing.standardBatch)
    }
}
