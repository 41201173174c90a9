import Files
import Settings

/// What a sweep's results are compared by.
public struct Comparison: Codable, Sendable, Equatable {
    /// Settings, or names of arms, that mark the baseline's cells; empty: no baseline.
    public let baseline: [String: JSONValue]
    /// Names of scores, such as `gfid.nocfg`; empty: the report's own choice.
    public let metrics: [String]
    /// What the sweep is decided by: one family of tests.
    public let endpoints: [Endpoint]
    /// What is averaged over, `seed` unless said otherwise.
    public let over: [String]
    /// What others have published of an arm, by arm and score.
    public let published: [String: [String: PublishedValue]]

    public static let none = Comparison(baseline: [:], metrics: [], endpoints: [], over: ["seed"], published: [:])

    public func isBaseline(_ cell: Cell) -> Bool {
        !baseline.isEmpty && baseline.allSatisfy { cell.lookup($0.key) == $0.value }
    }
}

extension Comparison {
    private static let keys = ["baseline", "metric", "metrics", "endpoints", "over", "published"]

    init(_ document: SweepDocument, axes: [Axis], cells: [Cell]) throws {
        let entries = try document.entries("compare")
        for entry in entries where !Self.keys.contains(entry.key) {
            throw entry.place.error(
                "unknown key compare.\(entry.key); compare has \(Self.keys.joined(separator: ", "))"
                    + Schema.hint(for: entry.key, among: Self.keys))
        }
        func texts(_ key: String) throws -> [SourceValue] {
            guard let value = entries.first(where: { $0.key == key })?.value else { return [] }
            let items = value.items ?? [value]
            guard !items.isEmpty, items.allSatisfy({ $0.text?.isEmpty == false }) else {
                throw value.place.error("compare.\(key) must be a name or a list of names, not \(value.shown)")
            }
            return items
        }
        let compared = ComparedMetrics(cells)
        metrics = try compared.names(texts("metric") + texts("metrics"))
        if let decided = entries.first(where: { $0.key == "endpoints" })?.value {
            guard let items = decided.items, !items.isEmpty else {
                throw decided.place.error("compare.endpoints must be a list of scores, not \(decided.shown)")
            }
            endpoints = try items.map { try Endpoint($0, axes: axes, cells: cells, compared) }
        } else {
            endpoints = []
        }
        published = try PublishedValue.all(entries.first { $0.key == "published" }?.value, cells: cells, compared)
        let written = try texts("over")
        for item in written where Schema.node(at: item.text ?? "") == nil {
            let hint = Schema.hint(Schema.suggestion(for: item.text ?? "", others: ["seed"]))
            throw item.place.error("compare.over: unknown key \(item.shown)\(hint)")
        }
        over = written.isEmpty ? ["seed"] : written.compactMap(\.text)

        guard let base = entries.first(where: { $0.key == "baseline" })?.value else {
            baseline = [:]
            return
        }
        baseline = try Self.readBaseline(base, axes: axes)
        guard cells.contains(where: isBaseline) else {
            throw base.place.error(
                "compare.baseline \(base.shown) is no cell of this sweep; cells: "
                    + cells.map(\.label).uniqued().prefix(12).joined(separator: "; "))
        }
    }

    private static func readBaseline(_ value: SourceValue, axes: [Axis]) throws -> [String: JSONValue] {
        guard let entries = value.entries, !entries.isEmpty else {
            throw value.place.error("compare.baseline must be a map from settings to values, not \(value.shown)")
        }
        let named = Set(axes.map(\.name).filter { Schema.node(at: $0) == nil })
        var result: [String: JSONValue] = [:]
        // Names as they were written: an arm called 4 is no number.
        for entry in entries where named.contains(entry.key) {
            result[entry.key] = entry.value.name.map { .string($0) } ?? entry.value.json
        }
        let settings = SourceValue.map(entries.filter { !named.contains($0.key) }, at: value.place)
        let checked = try Checker.check(settings, against: SweepDocument.sections)
        for leaf in Checker.leafPaths(of: checked) { result[leaf.path] = leaf.value.json }
        return result
    }
}

extension Sequence where Element: Hashable {
    /// Each element once, in order of first appearance.
    package func uniqued() -> [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}
