import Files
import RunStore

extension HistoryQuery {
    /// The runs found, a row each, with their settings and scores: `columns` names what stands in the rows.
    ///
    /// - Parameter allSettings: whether settings that are the same in all the runs are columns too.
    public func wideTable(of index: RunIndex, allSettings: Bool) throws -> (columns: [String], rows: [[JSONValue]]) {
        let fixed = ["run", "name", "sweep", "cell", "seed", "status", "created", "seconds", "code.commit", "code.changed", "host"]
        let rows = try rows(of: index, columns: fixed)
        let ids: JSONValue = .array(rows.map { $0[0] })
        let settings = try index.query(
            """
            SELECT run_id, 'config.' || key, coalesce(value_num, value_text) FROM run_config
            WHERE run_id IN (SELECT value FROM json_each(?))
            """, [ids]
        ).rows
        let scores = try index.query(
            """
            SELECT run_id, 'metrics.' || name, value FROM metrics
            WHERE run_id IN (SELECT value FROM json_each(?)) ORDER BY protocol_name DESC, role DESC
            """, [ids]
        ).rows

        func table(_ facts: [[JSONValue]]) -> [String: [String: JSONValue]] {
            var found: [String: [String: JSONValue]] = [:]
            for fact in facts { found[fact[1].stringValue ?? "", default: [:]][fact[0].stringValue ?? ""] = fact[2] }
            return found
        }
        let runs = rows.map { $0[0].stringValue ?? "" }
        let (settingsByKey, scoresByName) = (table(settings), table(scores))
        let shown = settingsByKey.keys.sorted().filter { key in
            allSettings || Set(runs.map { settingsByKey[key]?[$0] }).count > 1
        }
        let names = scoresByName.keys.sorted()
        return (
            fixed + shown + names,
            zip(runs, rows).map { run, row in
                row + shown.map { settingsByKey[$0]?[run] ?? .null } + names.map { scoresByName[$0]?[run] ?? .null }
            }
        )
    }
}
