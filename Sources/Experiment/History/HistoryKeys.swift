import Files
import Metrics
import RunStore
import Settings
import Sweep

/// What a key of a query to the run history is in the index.
struct HistoryColumn {
    enum Kind: Sendable {
        case text, number
        /// The texts `true` and `false`.
        case flag
        /// A setting: number, text, or one of the texts `true` and `false`.
        case any
    }

    let kind: Kind
    /// An expression over `runs` and what `joins` add.
    let sql: String
    /// Values for the marks in `sql`.
    var arguments: [JSONValue] = []
    /// Left joins that `sql` needs, each with the values for its marks.
    var joins: [(sql: String, arguments: [JSONValue])] = []
    /// All values there may be, where they are known.
    var choices: [String] = []
    /// Whether its texts are dates.
    var isDate = false
}

/// The keys that queries may use: settings as sweep files have them or as `config.KEY`, `metrics.NAME`, `seeds.NAME`, `stages.ROLE`, `tags.TAG`, `machine.KEY` and
/// what a run has but once, such as `status`.
public struct HistoryKeys {
    private let configKeys: [String: JSONValue]
    private let metrics: [String: JSONValue]
    private let roles: [String]

    public init(_ index: RunIndex) throws {
        func numbers(_ sql: String) throws -> [String: JSONValue] {
            Dictionary(
                try index.query(sql).rows.map { ($0[0].stringValue ?? "", $0[1]) }, uniquingKeysWith: { first, _ in first })
        }
        configKeys = try numbers("SELECT key, number FROM config_keys")
        metrics = try numbers("SELECT name, number FROM metric_names")
        roles = try index.query("SELECT role FROM run_roles ORDER BY role").rows.compactMap { $0[0].stringValue }
    }

    /// Scores that some run has, sorted.
    public var metricNames: [String] { metrics.keys.sorted() }

    /// Settings that some run has, sorted.
    public var settings: [String] { configKeys.keys.sorted() }

    /// The type of a setting's values; those of other keys are told by their columns. Choices there once were may have been
    /// renamed, so any text is one.
    static func type(_ key: String) -> ValueType? {
        guard columns[key] == nil, let setting = Schema.setting(at: plain(key)) else { return nil }
        if case .choice = setting.kind { return .text(choices: []) }
        return ValueType(setting.kind)
    }

    /// A setting's key as sweep files have it.
    private static func plain(_ key: String) -> String { key.hasPrefix("config.") ? String(key.dropFirst(7)) : key }

    private static let columns: [String: HistoryColumn] = [
        "run": HistoryColumn(kind: .text, sql: "runs.id"), "id": HistoryColumn(kind: .text, sql: "runs.id"),
        "name": HistoryColumn(kind: .text, sql: "runs.name"), "sweep": HistoryColumn(kind: .text, sql: "runs.sweep"),
        "cell": HistoryColumn(kind: .text, sql: "runs.cell"), "seed": HistoryColumn(kind: .number, sql: "runs.seed"),
        "status": HistoryColumn(kind: .text, sql: "runs.status", choices: Status.State.allCases.map(\.rawValue)),
        "step": HistoryColumn(kind: .number, sql: "runs.step"), "steps": HistoryColumn(kind: .number, sql: "runs.steps"),
        "message": HistoryColumn(kind: .text, sql: "runs.message"),
        "seconds": HistoryColumn(kind: .number, sql: "runs.wall_seconds"),
        "created": HistoryColumn(kind: .text, sql: "runs.created", isDate: true),
        "updated": HistoryColumn(kind: .text, sql: "runs.updated", isDate: true),
        "host": HistoryColumn(kind: .text, sql: "runs.host"), "code.commit": HistoryColumn(kind: .text, sql: "runs.code_commit"),
        "code.changed": HistoryColumn(kind: .flag, sql: "(CASE runs.code_changed WHEN 1 THEN 'true' ELSE 'false' END)"),
        "notes": HistoryColumn(
            kind: .text, sql: "(SELECT group_concat(notes.text, char(10)) FROM notes WHERE notes.run_id = runs.id)"),
        "machine.processor": machine("processor", .text), "machine.cores": machine("cores", .number),
        "machine.memory_bytes": machine("memory_bytes", .number),
        "machine.blas_core": machine("blas_core", .text),
        "machine.blas_threads": machine("blas_threads", .text),
    ].merging(
        ["run", "tokenizer", "prior", "sampler"].map { ("seeds.\($0)", seed($0)) }, uniquingKeysWith: { $1 })

    private static func seed(_ name: String) -> HistoryColumn {
        HistoryColumn(kind: .number, sql: "json_extract(runs.seeds_json, '$.\(name)')")
    }

    private static func machine(_ member: String, _ kind: HistoryColumn.Kind) -> HistoryColumn {
        HistoryColumn(
            kind: kind, sql: "(SELECT json_extract(json, '$.\(member)') FROM machines WHERE machines.number = runs.machine)")
    }

    /// What `key` is, or an error's text that says what it may have been meant to be.
    func column(_ key: String) throws(InputError) -> HistoryColumn {
        if let column = Self.columns[key] { return column }
        let parts = key.split(separator: ".", maxSplits: 1).map(String.init)
        if parts.count == 2 {
            switch parts[0] {
            case "config": if let column = config(parts[1]) { return column }
            case _ where configKeys[key] != nil: if let column = config(key) { return column }
            case "metrics": return try metric(parts[1])
            case "tags":
                return HistoryColumn(
                    kind: .flag,
                    sql: "(CASE WHEN EXISTS (SELECT 1 FROM tags WHERE run_id = runs.id AND tag = ?) THEN 'true' ELSE 'false' END)",
                    arguments: [.string(parts[1])])
            case "stages" where roles.contains(parts[1]):
                return HistoryColumn(
                    kind: .text, sql: "(SELECT stage_id FROM run_parts WHERE run = runs.number AND role = ?)",
                    arguments: [.string(parts[1])])
            default: break
            }
        }
        throw unknown(key)
    }

    private func config(_ key: String) -> HistoryColumn? {
        let section = String(key.prefix { $0 != "." })
        guard let number = configKeys[key], let name = configKeys[section] else { return nil }
        let (runs, values) = ("section_\(name.canonical)", "setting_\(number.canonical)")
        return HistoryColumn(
            kind: .any, sql: "\(values).value",
            joins: [
                ("LEFT JOIN run_sections \(runs) ON \(runs).name = ? AND \(runs).run = runs.number", [name]),
                ("LEFT JOIN config_values \(values) ON \(values).key = ? AND \(values).section = \(runs).section", [number]),
            ])
    }

    private func metric(_ name: String) throws(InputError) -> HistoryColumn {
        let numbers = matches(name).compactMap { metrics[$0] }
        guard !numbers.isEmpty else { throw unknown("metrics.\(name)") }
        let aliases = numbers.map { "metric_\($0.canonical)" }
        // Of several feature spaces a run has one, as a rule; `HistoryQuery` looks whether all that are found have the same.
        let value = aliases.map { "\($0).value" }.joined(separator: ", ")
        return HistoryColumn(
            kind: .number, sql: aliases.count == 1 ? value : "coalesce(\(value))",
            joins: zip(aliases, numbers).map { alias, number in
                ("LEFT JOIN run_values \(alias) ON \(alias).metric = ? AND \(alias).run = runs.number", [number])
            })
    }

    /// The scores that `name` may mean: in full, or without the feature space.
    private func matches(_ name: String) -> [String] {
        metrics[name] != nil ? [name] : metricNames.filter { MetricName($0).short == name }
    }

    /// What a key of scores may mean, where that is more than one.
    func ambiguous(_ key: String) -> (given: String, names: [String])? {
        guard key.hasPrefix("metrics.") else { return nil }
        let given = String(key.dropFirst("metrics.".count))
        let names = matches(given)
        return names.count > 1 ? (given, names) : nil
    }

    private func unknown(_ key: String) -> InputError {
        let names = metricNames
        let all =
            Self.columns.keys.sorted() + settings + settings.map { "config.\($0)" } + names.map { "metrics.\($0)" }
            + names.map { "metrics.\(MetricName($0).short)" } + roles.map { "stages.\($0)" }
        // The end of a setting's key may be that of several.
        let ends = settings.filter { $0.hasSuffix(".\(Self.plain(key))") }
        if ends.count > 1 {
            let some = ends.prefix(8).joined(separator: ", ") + (ends.count > 8 ? ", …" : "")
            return InputError("unknown key \(key); settings that end so are \(some): write one of them in full")
        }
        if let only = ends.first { return InputError("unknown key \(key); did you mean \(only)?") }
        // A key whose first word was left out comes before one that is spelt alike.
        let meant = ["config.", "metrics.", "stages."].map { $0 + key }.first(where: all.contains) ?? nearest(to: key, among: all)
        let hint =
            meant.map { "; did you mean \($0)?" }
            ?? "; keys are \(Self.columns.keys.sorted().joined(separator: ", ")), settings such as prior.dim, metrics.…, stages.…, tags.…"
        return InputError("unknown key \(key)\(hint)")
    }
}
