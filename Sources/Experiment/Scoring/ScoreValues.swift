import Evaluation
import Metrics

/// Scores by name, as a stage saves them; nil: could not be measured.
extension [String: Double?] {
    mutating func note(_ measure: Measure, _ value: Double?) { note(measure, [:], value) }

    mutating func note(_ measure: Measure, _ fields: [MetricField: String], _ value: Double?) {
        updateValue(value, forKey: measure.name(fields))
    }

    /// A score with the ends of its interval; these are missing where there is none.
    mutating func note(_ measure: Measure, _ fields: [MetricField: String], _ value: Double?, in interval: Interval?) {
        note(measure, fields, value)
        note(measure, fields.merging([.bound: "_low"]) { $1 }, interval?.low)
        note(measure, fields.merging([.bound: "_high"]) { $1 }, interval?.high)
    }
}
