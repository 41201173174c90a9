import Evaluation
import Foundation
import Metrics
import Settings

/// A way of sampling that tuning tries.
struct TuningCandidate: Hashable {
    let scale, temperature: Double
    private let guidance: GuidanceChoice?
    private let unconditional: Bool
    private let precision: Precision

    private struct GuidanceChoice: Hashable {
        let schedule: GuidanceSchedule
        let power: Double
    }

    /// Every scale at every temperature; of a prior that is told no class, temperatures alone.
    static func grid(_ settings: TuningSettings, _ prior: PriorSettings) -> [TuningCandidate] {
        settings.temperatures.flatMap { temperature in
            (prior.unconditional ? [1] : settings.scales).map { scale in
                TuningCandidate(
                    scale: scale, temperature: temperature,
                    guidance: scale == 1 || scale == 0 ? nil : GuidanceChoice(schedule: settings.schedule, power: settings.power),
                    unconditional: prior.unconditional, precision: settings.precision)
            }
        }
    }

    /// Scales 0 and 1 are the model itself, for which the other branch need not be worked out.
    var isPlain: Bool { guidance == nil }

    var sampler: SamplerSettings {
        var sampler = SamplerSettings()
        (sampler.temperature, sampler.unconditional, sampler.precision) = (temperature, unconditional, precision)
        if let guidance {
            (sampler.guidance.scale, sampler.guidance.schedule, sampler.guidance.power) = (scale, guidance.schedule, guidance.power)
        }
        return sampler
    }

    /// What its scores are called by.
    var fields: [MetricField: String] {
        let guidance = [MetricField.guidance: scale.formatted(.plain)]
        return temperature == 1 ? guidance : guidance.merging([.temperature: temperature.formatted(.plain)]) { $1 }
    }

    var name: String { "guidance-\(fields[.guidance] ?? "")" + (fields[.temperature].map { ".temperature-\($0)" } ?? "") }
}

/// A candidate with what its samples came to.
struct TuningResult {
    let candidate: TuningCandidate
    let gaussian: Gaussian
    /// Distance to the half that chooses, and to the other.
    let tuning, reported: Double
    /// To the reconstructions of the other half, where there are any.
    let gap: Double?

    init(_ candidate: TuningCandidate, _ drawn: FeatureMatrix, _ chosenOn: SampleDistances, _ reportedOn: SampleDistances) throws {
        self.candidate = candidate
        gaussian = try FeatureStatistics(of: drawn).gaussian()
        tuning = try frechetDistance(gaussian, chosenOn.images.gaussian)
        reported = try frechetDistance(gaussian, reportedOn.images.gaussian)
        gap = try reportedOn.reconstructions.map { [gaussian] in try frechetDistance(gaussian, $0.gaussian) }
    }
}

extension FormatStyle where Self == FloatingPointFormatStyle<Double> {
    /// "1.25", "2": as many digits as there are, the same everywhere.
    fileprivate static var plain: Self { .number.grouping(.never).locale(Locale(identifier: "en_US_POSIX")) }
}
