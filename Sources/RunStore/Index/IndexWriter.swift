internal import GRDB
import Files
import Foundation

/// Copies what the store's files say into the tables. Each call replaces all rows of one run or stage, so that the
/// index after any number of them is the index a rebuild would make.
struct IndexWriter {
    let db: Database
    let store: Store

    /// Everything, from nothing. Damaged files are passed over and reported.
    func fill(warning: (String) -> Void) throws {
        for table in ["runs", "stages", "config_values", "config_keys", "scores", "protocols", "filled"] {
            try db.execute(sql: "DELETE FROM \(table)")
        }
        for id in store.stageIDs() { try attempt(warning) { try putStage(id) } }
        for id in store.runIDs() { try attempt(warning) { try putRun(id) } }
        try db.execute(sql: "INSERT INTO filled VALUES (?)", arguments: [Date().ISO8601Format()])
    }

    private func attempt(_ warning: (String) -> Void, _ body: () throws -> Void) throws {
        do { try body() } catch let error as InputError { warning("left out of the index: \(error)") }
    }

    /// A run with its stages and all stages those were made from.
    func putRunWithStages(_ id: String) throws {
        var waiting: [String] = []
        if FileManager.default.fileExists(atPath: store.directory(ofRun: id).path) {
            waiting = Array(try store.run(id).stages.values)
        }
        var seen: Set<String> = []
        while let stage = waiting.popLast() {
            if seen.insert(stage).inserted { waiting += try putStage(stage) }
        }
        try putRun(id)
    }

    /// One run; if its folder is gone, so are its rows.
    func putRun(_ id: String) throws {
        try execute("DELETE FROM runs WHERE id = ?", id)
        guard FileManager.default.fileExists(atPath: store.directory(ofRun: id).path) else { return }
        let run = try store.run(id)
        let status = try store.status(ofRun: id)
        let artifacts = try store.artifacts(ofRun: id)
        let annotations = try store.annotations(ofRun: id)
        try execute(
            "INSERT INTO runs VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            run.id, run.name, run.sweep, run.cell, run.seed, status.state.rawValue, status.step, status.steps,
            status.message, status.wallSeconds, run.created.ISO8601Format(), status.updated.ISO8601Format(),
            run.codeVersion.commit, run.codeVersion.hasLocalChanges, run.machine.host,
            try JSONValue(encoding: run.seeds).canonical, try JSONValue(encoding: run.machine).canonical)
        let number = db.lastInsertedRowID
        for (key, value) in run.config.flattened {
            try execute("INSERT OR IGNORE INTO config_keys(key) VALUES (?)", key)
            try execute(
                "INSERT INTO config_values SELECT ?, number, ? FROM config_keys WHERE key = ?",
                number, value.databaseValue, key)
        }
        for (role, stage) in run.stages { try execute("INSERT INTO run_stages VALUES (?, ?, ?)", id, role, stage) }
        for (position, item) in artifacts.enumerated() {
            try execute(
                "INSERT INTO artifacts VALUES (?, ?, ?, ?, ?)", id, position, item.kind, item.path, item.description)
        }
        for tag in annotations.tags { try execute("INSERT INTO tags VALUES (?, ?)", id, tag) }
        for (position, note) in annotations.notes.enumerated() {
            try execute(
                "INSERT INTO notes VALUES (?, ?, ?, ?)", id, position, note.written.ISO8601Format(), note.text)
        }
    }

    /// One stage with its scores; returns the ids of its inputs.
    @discardableResult
    func putStage(_ id: String) throws -> [String] {
        let stage = store.stage(id: id)
        try execute("DELETE FROM stages WHERE id = ?", id)
        guard FileManager.default.fileExists(atPath: stage.directory.path) else { return [] }
        let record = stage.record
        let status = record != nil ? Status.State.done : stage.status?.state ?? .planned
        try execute(
            "INSERT INTO stages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            id, record?.identity.kind ?? String(id.prefix { $0 != "-" }),
            // Done without a record is a stage that was invalidated or cut off in its last moment.
            record == nil && status == .done ? Status.State.interrupted.rawValue : status.rawValue,
            "stages/\(id)", record?.identity.settings.canonical, record?.summary.canonical,
            record?.wallSeconds ?? stage.status?.wallSeconds, record?.peakMemoryBytes,
            record?.started.ISO8601Format(), record?.finished.ISO8601Format(), record?.codeVersion.commit,
            record?.codeVersion.hasLocalChanges, record?.machine.host,
            try record.map { try JSONValue(encoding: $0.machine).canonical })
        guard let record else { return [] }
        for (role, input) in record.identity.inputs {
            try execute("INSERT INTO stage_inputs VALUES (?, ?, ?)", id, role, input)
        }
        for (name, scores) in try stage.measurements() {
            let text = scores.protocol.canonical
            try execute("INSERT OR IGNORE INTO protocols(json) VALUES (?)", text)
            for (metric, value) in scores.values {
                try execute(
                    "INSERT INTO scores SELECT ?, ?, ?, ?, number FROM protocols WHERE json = ?",
                    id, name, metric, value, text)
            }
        }
        return Array(record.identity.inputs.values)
    }

    private func execute(_ sql: String, _ arguments: (any DatabaseValueConvertible)?...) throws {
        let statement = try db.cachedStatement(sql: sql)
        try statement.execute(arguments: StatementArguments(arguments))
    }
}

extension JSONValue {
    /// The leaves under dotted keys. Lists are leaves, as JSON text.
    var flattened: [(key: String, value: JSONValue)] {
        var leaves: [(String, JSONValue)] = []
        func visit(_ value: JSONValue, _ path: String) {
            guard case .object(let members) = value else { return leaves.append((path, value)) }
            for (key, member) in members.sorted(by: { $0.key < $1.key }) {
                visit(member, path.isEmpty ? key : "\(path).\(key)")
            }
        }
        visit(self, "")
        return leaves
    }

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
