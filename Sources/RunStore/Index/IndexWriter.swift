internal import GRDB
import Files
import Foundation

/// Copies what the store's files say into the tables. Each call replaces all rows of one run or stage, so that the
/// index after any number of them is the index a rebuild would make.
///
/// One writer serves one transaction, and remembers the numbers of keys, sections and metrics it has met in it.
final class IndexWriter {
    let db: Database
    let store: Store
    private var keys: [String: Int64] = [:]
    private var roles: Set<String> = []
    private var metricNames: [String: Int64] = [:]
    private var protocols: [String: Int64] = [:]
    private var machines: [Machine: Int64] = [:]
    private var sections: [SectionContent: Int64] = [:]

    /// A top-level member of a configuration.
    private struct SectionContent: Hashable {
        let name: String
        let value: JSONValue
    }

    init(db: Database, store: Store) {
        self.db = db
        self.store = store
    }

    /// Everything, from nothing. Damaged files are passed over and reported.
    func fill(warning: (String) -> Void) throws {
        try makeRoom()
        try clear()
        try forgetFollowed()
        for id in try store.knownStageIDs() { try attempt(warning) { try putStage(id) } }
        for id in try store.knownRunIDs() { try attempt(warning) { try putRun(id) } }
        try db.execute(sql: "INSERT INTO filled VALUES (?)", arguments: [Date().ISO8601Format()])
        // Without knowing how many rows there are of what, SQLite takes all conditions to be as good as any.
        try db.execute(sql: "ANALYZE")
    }

    /// Records that are not read from files: what a benchmark fills an index with.
    func fill(stages: some Sequence<IndexedStage>, runs: some Sequence<IndexedRun>) throws {
        try makeRoom()
        try clear()
        for stage in stages { try insert(stage) }
        for run in runs { try insert(run) }
        try db.execute(sql: "INSERT INTO filled VALUES (?)", arguments: [Date().ISO8601Format()])
        try db.execute(sql: "ANALYZE")
    }

    /// Pages in memory while all rows are written: many go to random places of an index, again and again. In KiB.
    private func makeRoom() throws { try db.execute(sql: "PRAGMA cache_size = -131072") }

    private func clear() throws {
        // Those that refer before those that are referred to, which else have to be looked for row by row.
        for table in [
            "run_values", "metric_names", "run_sections", "config_values", "config_sections", "config_keys", "run_parts",
            "run_roles", "artifacts", "tags", "notes", "runs", "scores", "stage_inputs", "stages", "protocols",
            "machines", "filled",
        ] {
            try db.execute(sql: "DELETE FROM \(table)")
        }
    }

    func attempt(_ warning: (String) -> Void, _ body: () throws -> Void) throws {
        do { try body() } catch let error as InputError { warning("left out of the index: \(error)") }
    }

    /// A run with its stages and all stages those were made from.
    func putRunWithStages(_ id: String) throws {
        var waiting: [String] = []
        if try isPresent(store.directory(ofRun: id)) {
            waiting = Array(try store.run(id).stages.values)
        }
        var seen: Set<String> = []
        while let stage = waiting.popLast() {
            if seen.insert(stage).inserted { waiting += try putStage(stage, takesDamage: true) }
        }
        try putRun(id)
    }

    // MARK: Runs

    /// One run; if its folder is gone, so are its rows.
    func putRun(_ id: String) throws {
        if let number = try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT number FROM runs WHERE id = ?"), arguments: [id])
        {
            try execute("DELETE FROM run_values WHERE run = ? AND metric IN (SELECT number FROM metric_names)", number)
            try execute("DELETE FROM runs WHERE number = ?", number)
        }
        if let entry = try store.entry(ofRun: id) { try insert(entry) }
    }

    private func insert(_ entry: IndexedRun) throws {
        let (run, status) = (entry.run, entry.status)
        try execute(
            "INSERT INTO runs VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            run.id, run.name, run.sweep, run.cell, run.seed, status.state.rawValue, status.step, status.steps,
            status.message, status.wallSeconds, run.created.ISO8601Format(), status.updated.ISO8601Format(),
            run.codeVersion.commit, run.codeVersion.hasLocalChanges, run.machine.host,
            JSONValue.object(run.seeds.mapValues { .int($0) }).canonical, machine(run.machine))
        let number = db.lastInsertedRowID
        for (name, value) in run.config.objectValue ?? [:] {
            try execute(
                "INSERT INTO run_sections VALUES (?, ?, ?)", key(name), number, section(SectionContent(name: name, value: value)))
        }
        for (role, stage) in run.stages {
            try execute("INSERT INTO run_parts VALUES (?, ?, ?)", number, role, stage)
            if roles.insert(role).inserted { try execute("INSERT OR IGNORE INTO run_roles VALUES (?)", role) }
        }
        try putValues(ofRun: number)
        for (position, item) in entry.artifacts.enumerated() {
            try execute(
                "INSERT INTO artifacts VALUES (?, ?, ?, ?, ?)", run.id, position, item.kind, item.path, item.description)
        }
        for tag in entry.annotations.tags { try execute("INSERT INTO tags VALUES (?, ?)", run.id, tag) }
        for (position, note) in entry.annotations.notes.enumerated() {
            try execute(
                "INSERT INTO notes VALUES (?, ?, ?, ?)", run.id, position, note.written.ISO8601Format(), note.text)
        }
    }

    private func putValues(ofRun number: Int64) throws {
        try execute(
            """
            INSERT OR IGNORE INTO run_values
            SELECT metric_names.number, run_parts.run, scores.value
            FROM run_parts CROSS JOIN scores ON scores.stage_id = run_parts.stage_id
                CROSS JOIN metric_names ON metric_names.name = scores.name
            WHERE run_parts.run = ? AND scores.value IS NOT NULL ORDER BY protocol_name, role
            """, number)
    }

    private func section(_ content: SectionContent) throws -> Int64 {
        if let known = sections[content] { return known }
        let digest = sha256(Data("\(content.name) \(content.value.canonical)".utf8))
        let (number, isNew) = try number(in: "config_sections", "digest", digest)
        sections[content] = number
        guard isNew else { return number }
        for (path, value) in content.value.flattened(under: content.name) {
            try execute("INSERT INTO config_values VALUES (?, ?, ?)", key(path), number, value.databaseValue)
        }
        return number
    }

    private func key(_ name: String) throws -> Int64 {
        if let known = keys[name] { return known }
        let number = try number(in: "config_keys", "key", name).number
        keys[name] = number
        return number
    }

    /// The number of a row by its one unique text, which is put in if it is not there.
    private func number(in table: String, _ column: String, _ text: String) throws -> (number: Int64, isNew: Bool) {
        let statement = try db.cachedStatement(sql: "SELECT number FROM \(table) WHERE \(column) = ?")
        if let known = try Int64.fetchOne(statement, arguments: [text]) { return (known, false) }
        try execute("INSERT INTO \(table)(\(column)) VALUES (?)", text)
        return (db.lastInsertedRowID, true)
    }

    // MARK: Stages

    /// One stage with its scores; returns the ids of its inputs.
    ///
    /// - Parameter takesDamage: a damaged stage counts as one that is not complete, and has no scores until it is made again.
    @discardableResult
    func putStage(_ id: String, takesDamage: Bool = false) throws -> [String] {
        let before = try scores(ofStage: id)
        try execute("DELETE FROM stages WHERE id = ?", id)
        var inputs: [String] = []
        do {
            if let entry = try store.entry(ofStage: id) {
                inputs = Array((entry.record?.identity.inputs ?? [:]).values)
                try insert(entry)
            }
        } catch let error as InputError where error.isDamage && takesDamage {
            try insert(IndexedStage(id: id, record: nil, status: store.stage(id: id).status))
        }
        // Runs that are there already say what their stages say now. A stage that a whole sweep shares is put again with each of its
        // runs, and nearly always says what it said.
        guard try scores(ofStage: id) != before else { return inputs }
        let users = try Int64.fetchAll(
            db.cachedStatement(sql: "SELECT DISTINCT run FROM run_parts WHERE stage_id = ?"), arguments: [id])
        for run in users {
            try execute("DELETE FROM run_values WHERE run = ? AND metric IN (SELECT number FROM metric_names)", run)
            try putValues(ofRun: run)
        }
        return inputs
    }

    private func scores(ofStage id: String) throws -> [Row] {
        try Row.fetchAll(
            db.cachedStatement(sql: "SELECT protocol_name, name, value FROM scores WHERE stage_id = ? ORDER BY protocol_name, name"),
            arguments: [id])
    }

    private func insert(_ stage: IndexedStage) throws {
        let (id, record) = (stage.id, stage.record)
        let status = record != nil ? Status.State.done : stage.status?.state ?? .planned
        try execute(
            "INSERT INTO stages VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            id, record?.identity.kind ?? String(id.prefix { $0 != "-" }),
            // Done without a record is a stage that was invalidated or cut off in its last moment.
            record == nil && status == .done ? Status.State.interrupted.rawValue : status.rawValue,
            "stages/\(id)", record?.identity.settings.canonical, record?.summary.canonical,
            record?.wallSeconds ?? stage.status?.wallSeconds, record?.peakMemoryBytes,
            record?.started.ISO8601Format(), record?.finished.ISO8601Format(), record?.codeVersion.commit,
            record?.codeVersion.hasLocalChanges, record?.machine.host, record.map { try machine($0.machine) })
        guard let record else { return }
        for (role, input) in record.identity.inputs {
            try execute("INSERT INTO stage_inputs VALUES (?, ?, ?)", id, role, input)
        }
        for (name, scores) in stage.measurements {
            let number = try protocolNumber(scores.protocol.canonical)
            for (metric, value) in scores.values {
                if metricNames[metric] == nil { metricNames[metric] = try self.number(in: "metric_names", "name", metric).number }
                try execute("INSERT INTO scores VALUES (?, ?, ?, ?, ?)", id, name, metric, value, number)
            }
        }
    }

    private func machine(_ machine: Machine) throws -> Int64 {
        if let known = machines[machine] { return known }
        let number = try number(in: "machines", "json", machine.json.canonical).number
        machines[machine] = number
        return number
    }

    private func protocolNumber(_ text: String) throws -> Int64 {
        if let known = protocols[text] { return known }
        let number = try number(in: "protocols", "json", text).number
        protocols[text] = number
        return number
    }

    private func execute(_ sql: String, _ arguments: (any DatabaseValueConvertible)?...) throws {
        let statement = try db.cachedStatement(sql: sql)
        try statement.execute(arguments: StatementArguments(arguments))
    }
}

extension Machine {
    /// As its `run.json` has it.
    fileprivate var json: JSONValue {
        [
            CodingKeys.host.stringValue: .string(host), CodingKeys.processor.stringValue: .string(processor),
            CodingKeys.cores.stringValue: .int(cores), CodingKeys.memoryBytes.stringValue: .int(memoryBytes),
            CodingKeys.blasCore.stringValue: .string(blasCore), CodingKeys.blasThreads.stringValue: .string(blasThreads),
            CodingKeys.kernels.stringValue: kernels.map { .string($0) } ?? .null,
        ]
    }
}

extension JSONValue {
    /// As SQLite holds it: numbers as numbers, text as text, truth values as the words `true` and `false`.
    var databaseValue: DatabaseValue {
        switch self {
        case .null: .null
        case .int(let value): value.databaseValue
        case .number(let value): value.isFinite ? value.databaseValue : .null
        case .string(let text): text.databaseValue
        case .bool, .array, .object: canonical.databaseValue
        }
    }
}
