import Files
import Settings

/// A value that others have published, with half a unit of its last digit: what it was rounded by.
public struct PublishedValue: Codable, Sendable, Equatable {
    public let value, rounding: Double

    init?(_ text: String) {
        guard let value = Double(text), value.isFinite else { return nil }
        let decimals = text.split(separator: ".", omittingEmptySubsequences: false).dropFirst().first?.prefix { $0.isNumber }.count ?? 0
        var unit = 1.0
        for _ in 0..<decimals { unit /= 10 }
        (self.value, rounding) = (value, unit / 2)
    }

    /// `published: {ARM: {SCORE: VALUE}}`, with arms as the sweep calls its cells.
    static func all(
        _ written: SourceValue?, cells: [Cell], _ compared: ComparedMetrics
    ) throws -> [String: [String: PublishedValue]] {
        guard let written else { return [:] }
        guard let arms = written.entries else {
            throw written.place.error("compare.published must be a map from arms to scores, not \(written.shown)")
        }
        let labels = cells.map(\.label).uniqued()
        var all: [String: [String: PublishedValue]] = [:]
        for arm in arms where !arm.value.isNull {
            guard labels.contains(arm.key) else {
                throw arm.place.error(
                    "compare.published: '\(arm.key)' is no cell of this sweep; cells: \(labels.prefix(12).joined(separator: "; "))"
                        + Schema.hint(for: arm.key, among: labels))
            }
            guard let scores = arm.value.entries else {
                throw arm.value.place.error("compare.published.\(arm.key) must be a map from scores to values, not \(arm.value.shown)")
            }
            for score in scores {
                _ = try compared.names([.plain(.string(score.key), at: score.place)])
                guard let value = score.value.name.flatMap(PublishedValue.init) else {
                    throw score.value.place.error("compare.published.\(arm.key).\(score.key) must be a number, not \(score.value.shown)")
                }
                all[arm.key, default: [:]][score.key] = value
            }
        }
        return all
    }
}
