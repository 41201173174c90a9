import Files
import Settings

/// A score that a sweep is decided by, named before it is run: all endpoints together are one family of tests.
public struct Endpoint: Codable, Sendable, Equatable {
    /// As in `compare.metrics`.
    public let metric: String
    /// Another score of the same runs that it is set against; nil: the same score of the baseline.
    public let against: String?
    /// A condition on the arms that are asked about; nil: all but the baselines.
    public let only: String?
    /// Where it is claimed that there is no difference: how large one may be and still not matter. Nil: a difference is claimed.
    public let margin: Double?

    public init(metric: String, against: String? = nil, only: String? = nil, margin: Double? = nil) {
        (self.metric, self.against, self.only, self.margin) = (metric, against, only, margin)
    }

    private static let keys = ["metric", "against", "only", "margin"]

    /// Reads an entry of `compare.endpoints`: a name, or a map.
    init(_ value: SourceValue, axes: [Axis], cells: [Cell], _ compared: ComparedMetrics) throws {
        let entries = value.entries ?? []
        func entry(_ key: String) -> SourceValue? { entries.first { $0.key == key }?.value }
        for entry in entries where !Self.keys.contains(entry.key) {
            throw entry.place.error(
                "unknown key compare.endpoints.\(entry.key); an endpoint has \(Self.keys.joined(separator: ", "))"
                    + Schema.hint(for: entry.key, among: Self.keys))
        }
        let named = value.entries == nil ? value : entry("metric")
        guard let named, named.text?.isEmpty == false else {
            throw value.place.error("compare.endpoints: an endpoint is the name of a score, or a map with metric, not \(value.shown)")
        }
        metric = try compared.names([named])[0]
        against = try entry("against").flatMap { try compared.names([$0]).first }
        if let written = entry("margin") {
            guard let number = written.json.doubleValue, number > 0, number.isFinite else {
                throw written.place.error("compare.endpoints.margin is \(written.shown), but must be a number above 0")
            }
            margin = number
        } else {
            margin = nil
        }
        only = entry("only")?.text
        if let written = entry("only") {
            guard let text = written.text else {
                throw written.place.error("compare.endpoints.only must be a condition, not \(written.shown)")
            }
            let condition = try Condition(text, called: "compare.endpoints.only", at: written.place, axes: axes)
            guard cells.contains(where: condition.matches) else {
                throw written.place.error(
                    "compare.endpoints.only: no cell meets the condition; cells: "
                        + cells.map(\.label).uniqued().prefix(12).joined(separator: "; "))
            }
        }
    }
}
