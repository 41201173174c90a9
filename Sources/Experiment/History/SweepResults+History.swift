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
        let stages = try Self.stages(ids, index)

        var groups: [(settings: FlatSettings, runs: [Run])] = []
        var places: [Set<Int>: [Int]] = [:]
        for row in found {
            let id = row[0].stringValue ?? ""
            let (own, sections) = settings[id] ?? (FlatSettings(sections: [:]), [:])
            let (arm, replicate) = own.split(over: over)
            // Runs of an arm share most sections, so that few candidates are compared setting by setting.
            let varying = Set(
                (over.contains("seed") ? over + ["seeds"] : over).map { String($0.prefix { $0 != "." }) } + [FlatSettings.besides])
            let shared = Set(sections.filter { !varying.contains($0.key) }.values)
            let run = Run(
                id: id, seed: row[3].intValue ?? 0, replicate: replicate, state: row[4].stringValue.flatMap(Status.State.init),
                stages: stages[id] ?? [:], settings: own,
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
                label: label,
                isBaseline: baseline.map { condition in
                    group.runs.contains { run in condition.matches { $0 == "label" ? .string(label) : run.value(of: $0) } }
                } ?? false, runs: group.runs.sorted { ($0.seed, $0.replicate) < ($1.seed, $1.replicate) })
        }
        let archived = try index.store.archiveNote(for: found.compactMap { $0[0].stringValue })
        self.init(
            name: name, arms: arms.sorted { $0.label < $1.label }, chosenBy: query.metrics, notes: archived.map { [$0] } ?? [])
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
        let isNamed = sweeps.count == 1 && single.count == groups.count && Set(single).count == groups.count
        // Cells of named arms are called by their names.
        if isNamed, !single.contains(where: { $0.isEmpty || $0.contains("=") }) { return single }
        let keys = FlatSettings.differing(groups.map(\.settings))
        guard !keys.isEmpty else { return groups.map { _ in single.first.flatMap { $0.isEmpty ? nil : $0 } ?? sweeps.first ?? "" } }
        let named = keys.map { (key: $0, name: Schema.shortName(of: $0)) }
        return ArmLabels.short(
            groups.map { group in
                named.map { key, name in
                    let value = group.settings[key] ?? .null
                    return .init(
                        key: key, label: "\(name)=\(value == .null ? "–" : value.stringValue ?? value.canonical)",
                        value: value)
                }
            })
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

    /// The finished stages of each run, by role; runs that share a stage share what is read of it.
    private static func stages(_ ids: JSONValue, _ index: RunIndex) throws -> [String: [String: StageSummary]] {
        let parts = try index.query(
            """
            SELECT runs.id, run_parts.role, run_parts.stage_id FROM json_each(?) AS found
            CROSS JOIN runs ON runs.id = found.value CROSS JOIN run_parts ON run = runs.number
            """, [ids]
        ).rows
        let unique: JSONValue = .array(Set(parts.compactMap { $0[2].stringValue }).sorted().map { .string($0) })
        var scores: [String: [String: Scores]] = [:]
        var protocols: [String: JSONValue] = [:]
        for row in try index.query(
            """
            SELECT scores.stage_id, protocol_name, scores.name, scores.value, protocols.json FROM json_each(?) AS found
            CROSS JOIN scores ON scores.stage_id = found.value JOIN protocols ON protocols.number = scores.protocol
            """, [unique]
        ).rows {
            let (stage, protocolName, text) = (row[0].stringValue ?? "", row[1].stringValue ?? "", row[4].stringValue ?? "null")
            if protocols[text] == nil { protocols[text] = try JSONValue(parsing: Data(text.utf8)) }
            scores[stage, default: [:]][protocolName, default: Scores(protocol: protocols[text] ?? .null, values: [:])]
                .values[row[2].stringValue ?? ""] = .some(row[3].doubleValue)
        }
        var stages: [String: StageSummary] = [:]
        for row in try index.query(
            """
            SELECT stages.id, summary_json, wall_seconds FROM json_each(?) AS found CROSS JOIN stages ON stages.id = found.value
            WHERE summary_json IS NOT NULL
            """, [unique]
        ).rows {
            guard let id = row[0].stringValue, let text = row[1].stringValue else { continue }
            stages[id] = StageSummary(
                id: id, summary: try JSONValue(parsing: Data(text.utf8)), wallSeconds: row[2].doubleValue ?? 0,
                measurements: scores[id] ?? [:])
        }
        var found: [String: [String: StageSummary]] = [:]
        for part in parts {
            found[part[0].stringValue ?? "", default: [:]][part[1].stringValue ?? ""] = stages[part[2].stringValue ?? ""]
        }
        return found
    }
}
