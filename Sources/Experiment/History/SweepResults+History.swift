import Files
import Foundation
import RunStore
import Settings
import Sweep

extension SweepResults {
    /// Runs of any sweeps that a query finds, from the index. Arms are told apart by their settings, whatever sweep they
    /// come from; a run that two sweeps share counts once.
    ///
    /// - Parameters:
    ///   - baseline: a condition on settings and on `sweep`, `cell`, `label`; arms that meet it are baselines.
    ///   - over: what is averaged over.
    public init(
        _ query: HistoryQuery, of index: RunIndex, named name: String, baseline: Sweep.Expression? = nil, over: [String] = ["seed"]
    ) throws {
        let found = try query.rows(of: index, columns: ["run", "sweep", "cell", "seed", "status"])
        let ids: JSONValue = .array(found.map { $0[0] })
        let settings = try Self.settings(ids, index)
        let metrics = try Self.metrics(ids, index)
        let stages = try Self.stages(ids, index)

        var groups: [(settings: FlatSettings, runs: [Run])] = []
        var places: [Set<Int>: [Int]] = [:]
        for row in found {
            let id = row[0].stringValue ?? ""
            let (own, sections) = settings[id] ?? (FlatSettings(sections: [:]), [:])
            let (arm, replicate) = own.split(over: over)
            // Runs of an arm share most sections, so that few candidates are compared setting by setting.
            let varying = Set((over.contains("seed") ? over + ["seeds"] : over).map { String($0.prefix { $0 != "." }) })
            let shared = Set(sections.filter { !varying.contains($0.key) }.values)
            let run = Run(
                id: id, seed: row[3].intValue ?? 0, replicate: replicate, state: row[4].stringValue.flatMap(Status.State.init),
                metrics: metrics[id] ?? [:], stages: stages[id] ?? [:], settings: own,
                names: ["sweep": row[1], "cell": row[2]])
            if let place = places[shared]?.first(where: { groups[$0].settings == arm }) {
                if let twin = groups[place].runs.firstIndex(where: { $0.replicate == replicate }) {
                    if groups[place].runs[twin].metrics.count < run.metrics.count { groups[place].runs[twin] = run }
                } else {
                    groups[place].runs.append(run)
                }
            } else {
                places[shared, default: []].append(groups.count)
                groups.append((arm, [run]))
            }
        }
        let labels = Self.labels(groups)
        let arms = zip(groups, labels).map { group, label in
            Arm(
                label: label, isBaseline: baseline.map { condition in
                    group.runs.contains { run in condition.matches { $0 == "label" ? .string(label) : run.value(of: $0) } }
                } ?? false, runs: group.runs.sorted { ($0.seed, $0.replicate) < ($1.seed, $1.replicate) })
        }
        self.init(name: name, arms: arms.sorted { $0.label < $1.label }, chosenBy: query.metrics)
        if let baseline, !arms.isEmpty, !arms.contains(where: \.isBaseline) {
            let known = Set(arms.flatMap { $0.runs.flatMap(\.settings.keys) } + ["sweep", "cell", "label"])
            if let wrong = baseline.keys.first(where: { !known.contains($0.path) && !$0.path.hasPrefix("config.") }) {
                let hint = nearest(to: wrong.path, among: known).map { "; did you mean \($0)?" } ?? ""
                throw InputError("--baseline: unknown key \(wrong.path)\(hint)")
            }
            throw InputError("--baseline: no arm meets the condition; arms: \(labels.sorted().prefix(12).joined(separator: "; "))")
        }
    }

    /// What sets the arms apart; the name of the cell where that is all of it.
    private static func labels(_ groups: [(settings: FlatSettings, runs: [Run])]) -> [String] {
        let cells = groups.map { Set($0.runs.compactMap { $0.names["cell"]?.stringValue }) }
        let sweeps = Set(groups.flatMap { $0.runs.compactMap { $0.names["sweep"]?.stringValue } })
        let single = cells.compactMap { $0.count == 1 ? $0.first : nil }
        if sweeps.count == 1, single.count == groups.count, Set(single).count == groups.count, !single.contains("") {
            return single
        }
        let keys = FlatSettings.differing(groups.map(\.settings))
        return groups.map { group in
            guard !keys.isEmpty else { return single.first.flatMap { $0.isEmpty ? nil : $0 } ?? sweeps.first ?? "" }
            return keys.map { key in
                "\(Schema.shortName(of: key))=\(group.settings[key].map { $0.stringValue ?? $0.canonical } ?? "–")"
            }.joined(separator: ",")
        }
    }

    /// Of each run its settings, and the numbers of their sections.
    private static func settings(
        _ ids: JSONValue, _ index: RunIndex
    ) throws -> [String: (settings: FlatSettings, sections: [String: Int])] {
        var sections: [String: [String: Int]] = [:]
        for row in try index.query(
            """
            SELECT runs.id, config_keys.key, section FROM json_each(?) AS found CROSS JOIN runs ON runs.id = found.value
            JOIN run_sections ON run_sections.run = runs.number JOIN config_keys ON config_keys.number = run_sections.name
            """, [ids]
        ).rows {
            sections[row[0].stringValue ?? "", default: [:]][row[1].stringValue ?? ""] = row[2].intValue ?? 0
        }
        let numbers = Set(sections.values.flatMap(\.values))
        var values: [Int: [String: JSONValue]] = [:]
        for row in try index.query(
            """
            SELECT section, config_keys.key, config_values.value FROM json_each(?) AS found
            CROSS JOIN config_values ON section = found.value JOIN config_keys ON config_keys.number = config_values.key
            """, [.array(numbers.map { .int($0) })]
        ).rows {
            // The index has truth values as words.
            let value: JSONValue = row[2] == "true" ? true : row[2] == "false" ? false : row[2]
            values[row[0].intValue ?? 0, default: [:]][row[1].stringValue ?? ""] = value
        }
        return sections.mapValues { own in (FlatSettings(sections: own.mapValues { values[$0] ?? [:] }), own) }
    }

    private static func metrics(_ ids: JSONValue, _ index: RunIndex) throws -> [String: [String: Metric]] {
        var found: [String: [String: Metric]] = [:]
        var protocols: [String: JSONValue] = [:]
        for row in try index.query(
            """
            SELECT runs.id, scores.name, scores.value, scores.stage_id, protocols.json
            FROM json_each(?) AS found CROSS JOIN runs ON runs.id = found.value
            CROSS JOIN run_parts ON run_parts.run = runs.number CROSS JOIN scores ON scores.stage_id = run_parts.stage_id
            JOIN protocols ON protocols.number = scores.protocol
            """, [ids]
        ).rows {
            let text = row[4].stringValue ?? "null"
            if protocols[text] == nil { protocols[text] = try JSONValue(parsing: Data(text.utf8)) }
            found[row[0].stringValue ?? "", default: [:]][row[1].stringValue ?? ""] = Metric(
                value: row[2].doubleValue, protocol: protocols[text] ?? .null, stage: row[3].stringValue ?? "")
        }
        return found
    }

    /// The stages whose budgets are compared.
    private static func stages(_ ids: JSONValue, _ index: RunIndex) throws -> [String: [String: StageSummary]] {
        var found: [String: [String: StageSummary]] = [:]
        for row in try index.query(
            """
            SELECT runs.id, role, summary_json, stages.wall_seconds FROM json_each(?) AS found
            CROSS JOIN runs ON runs.id = found.value CROSS JOIN run_parts ON run = runs.number AND role IN ('tokenizer', 'prior')
            CROSS JOIN stages ON stages.id = stage_id WHERE summary_json IS NOT NULL
            """, [ids]
        ).rows {
            guard let text = row[2].stringValue, let seconds = row[3].doubleValue else { continue }
            found[row[0].stringValue ?? "", default: [:]][row[1].stringValue ?? ""] = StageSummary(
                summary: try JSONValue(parsing: Data(text.utf8)), wallSeconds: seconds)
        }
        return found
    }
}
