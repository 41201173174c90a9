internal import GRDB
import Files
import Foundation

/// A quick answer to questions about a store: an SQLite file that says again what the store's files say.
///
/// Code that changes files tells the index with `refresh`, which reads them again; nothing is in the index that is not
/// in a file. A missing, incomplete or damaged index is made again by itself. Several processes may use one store.
public final class RunIndex: Sendable {
    public let store: Store
    let database: IndexDatabase

    /// Opens the index of `store`, making it where it is missing or damaged.
    ///
    /// - Parameter warning: told about a rebuilt index and about files that had to be left out.
    public init(_ store: Store, warning: @escaping @Sendable (String) -> Void = { _ in }) throws {
        self.store = store
        database = try IndexDatabase(store: store, warning: warning)
        try follow()
        try refreshDeadRuns()
    }

    /// The process of a run may have been killed before it could say that the run does not go on.
    private func refreshDeadRuns() throws {
        let running = try database.read { try String.fetchAll($0, sql: "SELECT id FROM runs WHERE status = 'running'") }
        for id in running where (try? store.status(ofRun: id).state) != .running { try? refresh(run: id) }
    }

    // MARK: Following the files

    /// Reads a run's files again, and those of its stages and of what they were made from. A run whose folder is gone
    /// is forgotten.
    public func refresh(run id: String) throws { try database.write { try $0.putRunWithStages(id) } }

    /// Reads a stage's files again.
    public func refresh(stage id: String) throws { _ = try database.write { try $0.putStage(id) } }

    /// Reads every file of the store again.
    public func reindex() throws { try database.fill() }

    /// Puts records in place of everything in the index, in one transaction, without looking for files: what
    /// benchmarks fill an index with. The next `reindex` forgets them.
    public func fill(stages: some Sequence<IndexedStage>, runs: some Sequence<IndexedRun>) throws {
        try database.fill(stages: stages, runs: runs)
    }

    // MARK: Runs

    /// Which runs to list; what is nil does not matter.
    public struct Filter: Sendable {
        public var sweep: String?
        public var cell: String?
        public var seed: Int?
        public var states: Set<Status.State>?
        public var tag: String?
        public var limit: Int?

        public init(
            sweep: String? = nil, cell: String? = nil, seed: Int? = nil, states: Set<Status.State>? = nil,
            tag: String? = nil, limit: Int? = nil
        ) {
            self.sweep = sweep
            self.cell = cell
            self.seed = seed
            self.states = states
            self.tag = tag
            self.limit = limit
        }
    }

    /// A line of a list of runs.
    public struct Run: Equatable, Sendable {
        public let id: String
        public let name: String
        public let sweep: String
        public let cell: String
        public let seed: Int
        public let state: Status.State
        public let step: Int
        public let steps: Int?
        public let message: String
        /// In ISO 8601, as the index holds it.
        public let created: String
        /// Sorted.
        public let tags: [String]
    }

    /// The runs that the filter lets through, newest first.
    public func runs(_ filter: Filter = Filter()) throws -> [Run] {
        var conditions: [String] = []
        var arguments = StatementArguments()
        func require(_ condition: String, _ value: (any DatabaseValueConvertible)?) {
            guard let value else { return }
            conditions.append(condition)
            arguments += [value]
        }
        require("sweep = ?", filter.sweep)
        require("cell = ?", filter.cell)
        require("seed = ?", filter.seed)
        require("id IN (SELECT run_id FROM tags WHERE tag = ?)", filter.tag)
        if let states = filter.states {
            conditions.append("status IN (\(states.map { "'\($0.rawValue)'" }.joined(separator: ", ")))")
        }
        let selection = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        let limit = filter.limit.map { "LIMIT \($0)" } ?? ""
        return try database.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT id, name, sweep, cell, seed, status, step, steps, message, created,
                        (SELECT group_concat(tag, char(10)) FROM (SELECT tag FROM tags WHERE run_id = id ORDER BY tag))
                    FROM runs \(selection)
                    ORDER BY created DESC, id \(limit)
                    """, arguments: arguments
            ).map { row in
                Run(
                    id: row[0], name: row[1], sweep: row[2], cell: row[3], seed: row[4],
                    state: Status.State(rawValue: row[5]) ?? .failed, step: row[6], steps: row[7], message: row[8],
                    created: row[9],
                    tags: (row[10] as String? ?? "").split(separator: "\n").map(String.init))
            }
        }
    }

    /// One score of a run.
    public struct Metric: Equatable, Sendable {
        public let name: String
        /// Nil where the measurement failed.
        public let value: Double?
        public let stage: String
        /// The part the stage plays in the run.
        public let role: String
        public let protocolName: String
        public let `protocol`: JSONValue
    }

    /// All scores of a run's stages, by name.
    public func metrics(for run: String) throws -> [Metric] {
        try database.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT name, value, stage_id, role, protocol_name, protocol_json FROM metrics WHERE run_id = ?
                    ORDER BY name, protocol_name, role
                    """, arguments: [run]
            ).map { row in
                let text: String = row[5]
                return Metric(
                    name: row[0], value: row[1], stage: row[2], role: row[3], protocolName: row[4],
                    protocol: try JSONValue(parsing: Data(text.utf8)))
            }
        }
    }

    // MARK: Lineage

    /// The stages that `stage` was made from, directly or through others, sorted.
    public func ancestors(of stage: String) throws -> [String] {
        try reach(from: stage, "SELECT input_id FROM stage_inputs JOIN reached ON stage_id = id")
    }

    /// The stages that were made from `stage`, directly or through others, sorted.
    public func descendants(of stage: String) throws -> [String] {
        try reach(from: stage, "SELECT stage_id FROM stage_inputs JOIN reached ON input_id = id")
    }

    /// The runs that name `stage` or anything made from it, sorted.
    public func runs(using stage: String) throws -> [String] {
        try database.read { db in
            try String.fetchAll(
                db,
                sql: """
                    WITH RECURSIVE reached(id) AS (
                        VALUES (?) UNION SELECT stage_id FROM stage_inputs JOIN reached ON input_id = id)
                    SELECT DISTINCT run_id FROM run_stages JOIN reached ON stage_id = reached.id ORDER BY run_id
                    """, arguments: [stage])
        }
    }

    private func reach(from stage: String, _ step: String) throws -> [String] {
        try database.read { db in
            try String.fetchAll(
                db,
                sql: """
                    WITH RECURSIVE reached(id) AS (VALUES (?) UNION \(step))
                    SELECT id FROM reached WHERE id <> ? ORDER BY id
                    """, arguments: [stage, stage])
        }
    }

    // MARK: SQL

    /// What a query came back with.
    public struct Table: Equatable, Sendable {
        public let columns: [String]
        public let rows: [[JSONValue]]
    }

    /// How long a statement may run, and how much it may answer: recursive ones need not end.
    public struct Limits: Sendable {
        public var seconds: Double
        public var rows: Int

        public init(seconds: Double, rows: Int) { (self.seconds, self.rows) = (seconds, rows) }
    }

    /// Runs one SQL statement that reads. A mistake, an attempt to write, or a limit that is passed is an `InputError`.
    public func query(_ sql: String, _ arguments: [JSONValue] = [], limits: Limits? = nil) throws -> Table {
        let watch = limits.map { limits in database.interrupting(after: limits.seconds) }
        defer { watch?.cancel() }
        return try database.read { db in
            do {
                let statement = try db.makeStatement(sql: sql)
                try statement.setArguments(StatementArguments(arguments.map(\.databaseValue)))
                var rows: [[JSONValue]] = []
                let cursor = try Row.fetchCursor(statement)
                while let row = try cursor.next() {
                    guard rows.count < limits?.rows ?? .max else {
                        throw InputError("the answer has more than \(rows.count) rows; add LIMIT, or allow more: \(sql)")
                    }
                    rows.append(row.databaseValues.map(JSONValue.init(databaseValue:)))
                }
                return Table(columns: statement.columnNames, rows: rows)
            } catch let error as DatabaseError where error.resultCode == .SQLITE_INTERRUPT {
                throw InputError("stopped after \(limits?.seconds ?? 0) s; a recursive query must have an end: \(sql)")
            } catch let error as DatabaseError where error.message?.contains("parser stack overflow") == true {
                throw InputError("the condition is nested too deeply for SQLite")
            } catch let error as DatabaseError where error.message?.hasPrefix("Multiple statements") == true {
                throw InputError("one statement at a time: \(sql)")
            } catch let error as DatabaseError where [.SQLITE_ERROR, .SQLITE_READONLY, .SQLITE_MISUSE].contains(error.resultCode) {
                let reason = error.resultCode == .SQLITE_READONLY ? "queries can only read" : error.message ?? "bad SQL"
                throw InputError("\(reason): \(sql)")
            }
        }
    }

    /// Whether SQLite finds nothing wrong with the file. Reads all of it.
    public func isIntact() throws -> Bool {
        try query("PRAGMA integrity_check").rows == [["ok"]]
    }
}

extension JSONValue {
    init(databaseValue: DatabaseValue) {
        switch databaseValue.storage {
        case .null: self = .null
        case .int64(let value): self = .int(Int(value))
        case .double(let value): self = .number(value)
        case .string(let text): self = .string(text)
        case .blob(let data): self = .string("\(data.count) bytes")
        }
    }
}
