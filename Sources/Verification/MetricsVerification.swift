import Evaluation
import Files
import Foundation
import NN
import Settings

extension PackVerifier {
    /// The measures of a metrics pack, and its learning-rate schedule.
    static func metrics(_ comparison: inout PackComparison) throws {
        let file = comparison.file
        let checks = try MetricsPack.verify { (try file.shape($0), try file.doubles($0)) }
        for check in checks {
            comparison.add(
                check.key, check.passed,
                String(format: "error %.2g, allowed %.2g", check.error, check.tolerance))
        }
        for key in file.names where key.hasPrefix("lr_") {
            let schedule = try LearningRateSchedule(packKey: key, file: file.url.path)
            let expected = try file.doubles(key)
            let error =
                expected.indices.map { t in
                    abs(schedule.rate(at: t) - expected[t]) / max(abs(expected[t]), .leastNormalMagnitude)
                }.max() ?? 0
            comparison.add(key, error <= 1e-6, String(format: "error %.2g, allowed 1e-06", error))
        }
    }
}

extension LearningRateSchedule {
    /// The schedule spelt in a key such as `lr_warmup10_peak20_total100_base4e-4_end1e-5`: warm-up steps, steps at
    /// the base rate after it, the step at which the end rate is reached, base and end rate.
    init(packKey key: String, file: String) throws {
        func number(after word: String) throws -> Double {
            guard let part = key.split(separator: "_").first(where: { $0.hasPrefix(word) }),
                let value = Double(part.dropFirst(word.count))
            else { throw InputError(file: file, "'\(key)' does not spell a schedule: no number after '\(word)'") }
            return value
        }
        var settings = OptimizerSettings()
        (settings.lr, settings.endLr) = (try number(after: "base"), try number(after: "end"))
        settings.warmup = Int(try number(after: "warmup"))
        settings.decayStart = settings.warmup + Int(try number(after: "peak"))
        self.init(settings, steps: Int(try number(after: "total")))
    }
}
