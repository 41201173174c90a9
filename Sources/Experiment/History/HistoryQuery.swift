import Files
import RunStore
import Sweep

/// A query to the run history, as SQL for the index. What it finds is what `Expression.matches` would find, run by run.
///
/// Values are bound, never written into the SQL. Each key becomes a left join by primary key, so that a run without a
/// value has null there; where the condition cannot hold for null, SQLite turns it into an inner join by itself and may
/// start from the values.
public struct HistoryQuery {
    /// The runs found: their numbers in the index as `number`, in the order asked for.
    private let selection: String
    private let arguments: [JSONValue]
    private let query: Query
    private let keys: HistoryKeys
    /// Scores that were named without their feature space, where there are several.
    private let ambiguous: [(given: String, names: [String])]
    /// All runs that meet the condition, whatever the limit.
    private let matching: (sql: String, arguments: [JSONValue])
    private static let mostJoins = 60

    /// - Throws: `InputError` with a caret under a key that no run has, or whose values are of another type than what it
    ///   is compared with.
    public init(_ query: Query, _ keys: HistoryKeys) throws {
        self.query = query
        self.keys = keys
        if let mismatch = query.filter?.mismatch(HistoryKeys.type) { throw query.error(mismatch.message, at: mismatch.key) }
        var translation = Translation(query: query, keys: keys)
        let condition = try query.filter.map { try translation.sql($0) }
        let filterArguments = translation.arguments
        var order: [String] = []
        for item in query.order {
            let column = try translation.column(item.key)
            translation.arguments += column.arguments
            order.append("\(column.sql) \(item.descending ? "DESC" : "ASC") NULLS LAST")
        }
        guard translation.joins.count <= Self.mostJoins else {
            throw InputError("the query has too many different settings and scores: SQLite joins at most 64 tables")
        }
        ambiguous = translation.ambiguous
        // Newest first where nothing else is asked for, and for runs that are equal in what is.
        order += ["runs.created DESC", "runs.id"]
        let joins = translation.joins.map(\.sql).joined(separator: " ")
        matching = (
            "SELECT runs.number FROM runs \(joins) \(condition.map { "WHERE \($0)" } ?? "")",
            translation.joins.flatMap(\.arguments) + filterArguments
        )
        let limit = query.limit.map { "LIMIT \($0)" } ?? ""
        func select(where condition: String?, by order: [String]) -> String {
            """
            SELECT runs.number FROM runs \(joins) \(condition.map { "WHERE \($0)" } ?? "")
            ORDER BY \(order.joined(separator: ", ")) \(limit)
            """
        }
        let marks = translation.joins.flatMap(\.arguments) + translation.arguments
        guard let first = query.order.first, first.key.path.hasPrefix("metrics."), !limit.isEmpty else {
            selection = select(where: condition, by: order)
            arguments = marks
            return
        }
        // The first runs by a score: those that have it come in the order of its index, which ends at the limit. Runs
        // without it follow, and are not looked for where the limit has been reached.
        let score = try translation.column(first.key).sql
        func part(_ test: String, _ order: [String]) -> String {
            "SELECT * FROM (\(select(where: [condition, test].compactMap { $0 }.joined(separator: " AND "), by: order)))"
        }
        selection = """
            \(part("\(score) IS NOT NULL", ["\(score) \(first.descending ? "DESC" : "ASC")"] + order.dropFirst()))
            UNION ALL \(part("\(score) IS NULL", Array(order.dropFirst()))) \(limit)
            """
        arguments = marks + marks
    }

    /// Parses `text` and translates it.
    public init(parsing text: String, _ keys: HistoryKeys) throws { try self.init(Query(parsing: text), keys) }

    /// What is shown of the runs without being asked for.
    public static let usualColumns = ["run", "sweep", "cell", "seed", "status"]

    /// The runs found with the values of `columns`, in order.
    public func rows(of index: RunIndex, columns: [String]) throws -> [[JSONValue]] {
        let found = try index.query(selection, arguments).rows.map { $0[0] }
        if !ambiguous.isEmpty {
            let all = query.limit == nil ? found : try index.query(matching.sql, matching.arguments).rows.map { $0[0] }
            try requireOneSpace(among: all, ambiguous, index)
        }
        try requireOneSpace(among: found, columns.compactMap(keys.ambiguous), index)
        // A setting takes two of the tables that SQLite joins.
        let parts = stride(from: 0, to: columns.count, by: Self.mostJoins / 2).map { start in
            Array(columns[start..<min(columns.count, start + Self.mostJoins / 2)])
        }
        return try parts.map { try values(of: $0, found, index) }.reduce(found.map { _ in [] }) { zip($0, $1).map { $0 + $1 } }
    }

    private func values(of columns: [String], _ found: [JSONValue], _ index: RunIndex) throws -> [[JSONValue]] {
        var joins: [(sql: String, arguments: [JSONValue])] = []
        var selected: [String] = []
        var marks: [JSONValue] = []
        for key in columns {
            let column = try keys.column(key)
            for join in column.joins where !joins.contains(where: { $0.sql == join.sql }) { joins.append(join) }
            selected.append(column.sql)
            marks += column.arguments
        }
        let sql = """
            SELECT \(selected.joined(separator: ", ")) FROM json_each(?) AS found
            CROSS JOIN runs ON runs.number = found.value \(joins.map(\.sql).joined(separator: " ")) ORDER BY found.key
            """
        // In the order of the marks in the text.
        return try index.query(sql, marks + [.array(found)] + joins.flatMap(\.arguments)).rows
    }

    /// A score may be named without its feature space where the runs that are found have it in one.
    private func requireOneSpace(
        among found: [JSONValue], _ ambiguous: [(given: String, names: [String])], _ index: RunIndex
    ) throws {
        for (given, names) in ambiguous {
            let present = try index.query(
                """
                SELECT name FROM metric_names WHERE name IN (SELECT value FROM json_each(?)) AND EXISTS (
                    SELECT 1 FROM json_each(?) AS found JOIN run_values ON run_values.run = found.value
                    WHERE run_values.metric = metric_names.number) ORDER BY name
                """, [.array(names.map { .string($0) }), .array(found)]
            ).rows.compactMap { $0[0].stringValue }
            guard present.count > 1 else { continue }
            throw InputError(
                "metrics.\(given) may be any of \(present.map { "metrics.\($0)" }.joined(separator: ", ")): the runs found have several")
        }
    }

    /// The keys of the query that are not among the usual columns, each once.
    public var ownColumns: [String] {
        var seen = Set(Self.usualColumns + ["id"])
        return query.keys.map(\.path).filter { seen.insert($0).inserted }
    }

    /// The scores that decide which runs are found.
    public var metrics: [String] {
        let keys = (query.filter?.keys ?? []) + (query.limit == nil ? [] : query.order.map(\.key))
        var seen: Set<String> = []
        return keys.map(\.path).filter { $0.hasPrefix("metrics.") && seen.insert($0).inserted }.map { String($0.dropFirst(8)) }
    }
}

extension Expression {
    /// The terms that `or` (or `and`) joins, left to right.
    fileprivate func terms(joinedByOr isOr: Bool) -> [Expression] {
        var (found, waiting): ([Expression], [Expression]) = ([], [self])
        while let next = waiting.popLast() {
            switch next {
            case .or(let left, let right) where isOr: waiting += [right, left]
            case .and(let left, let right) where !isOr: waiting += [right, left]
            default: found.append(next)
            }
        }
        return found
    }

    fileprivate var depth: Int {
        switch self {
        case .and(let left, let right), .or(let left, let right): 1 + max(left.depth, right.depth)
        case .not(let inner): 1 + inner.depth
        default: 0
        }
    }
}

extension Expression.Operand {
    fileprivate var literal: JSONValue? { if case .literal(let value) = self { value } else { nil } }
}

/// Turns conditions into SQL; collects joins and bound values in the order of their marks.
private struct Translation {
    let query: Query
    let keys: HistoryKeys
    var joins: [(sql: String, arguments: [JSONValue])] = []
    var arguments: [JSONValue] = []
    var ambiguous: [(given: String, names: [String])] = []

    mutating func column(_ key: Expression.Key) throws -> HistoryColumn {
        let column: HistoryColumn
        do { column = try keys.column(key.path) } catch { throw query.error(error.message, at: key) }
        for join in column.joins where !joins.contains(where: { $0.sql == join.sql }) { joins.append(join) }
        if let found = keys.ambiguous(key.path), !ambiguous.contains(where: { $0.given == found.given }) { ambiguous.append(found) }
        return column
    }

    mutating func sql(_ condition: Expression) throws -> String {
        switch condition {
        case .and, .or: return try chain(condition)
        case .not(let inner): return "(NOT \(try sql(inner)))"
        case .null(let operand, let negated):
            return "(\(try value(operand).sql) IS \(negated ? "NOT " : "")NULL)"
        case .truth(let operand):
            return "(\(try value(operand).sql) = 'true')"
        case .like(let operand, let pattern, let negated):
            if try kind(operand) == .number, case .key(let key) = operand {
                throw query.error("\(key.path) is a number; like compares text", at: key)
            }
            let test = "\(try type(operand)) = 0"
            let left = try value(operand)
            arguments.append(.string(pattern))
            return "(CASE WHEN \(test) THEN \(left.sql) \(negated ? "NOT " : "")LIKE ? END)"
        case .within(let operand, let values, let negated):
            let values = try values.map { try dated(.literal($0), beside: operand).literal ?? $0 }
            let left = try value(operand)
            for literal in values { try check(operand, left, with: literal) }
            arguments += values
            let marks = values.map { _ in "?" }.joined(separator: ", ")
            return "(\(left.sql) \(negated ? "NOT " : "")IN (\(marks)))"
        case .compare(let left, let comparator, let right):
            return try compare(left, comparator, right)
        }
    }

    /// Terms that one word joins, in one pair of parentheses: SQLite's parser has a stack of 100 and trees of 1000 at most. The
    /// deepest term comes first, where it costs the least of that stack; the order changes nothing.
    private mutating func chain(_ condition: Expression) throws -> String {
        let isOr = if case .or = condition { true } else { false }
        let terms = condition.terms(joinedByOr: isOr).map { (term: $0, depth: $0.depth) }.enumerated()
            .sorted { ($1.element.depth, $0.offset) < ($0.element.depth, $1.offset) }
        let parts = try terms.map { try sql($0.element.term) }
        let word = isOr ? " OR " : " AND "
        let groups = stride(from: 0, to: parts.count, by: 400).map { start in
            "(\(parts[start..<min(parts.count, start + 400)].joined(separator: word)))"
        }
        return groups.count == 1 ? groups[0] : "(\(groups.joined(separator: word)))"
    }

    /// A text beside a date, as the index has dates.
    private mutating func dated(_ operand: Expression.Operand, beside other: Expression.Operand) throws -> Expression.Operand {
        guard case .key(let key) = other, case .literal(.string(let text)) = operand, try column(key).isDate else { return operand }
        guard let date = HistoryDates.text(text) else {
            throw query.error("\(key.path) is a date, such as '2026-11-21' or '7 days ago', not '\(text)'", at: key)
        }
        return .literal(.string(date))
    }

    private mutating func compare(
        _ left: Expression.Operand, _ comparator: Expression.Comparator, _ right: Expression.Operand
    ) throws -> String {
        let (left, right) = (try dated(left, beside: right), try dated(right, beside: left))
        // Marks must come in the order of the text: types are looked at first, values bound as the text is made.
        let kinds = (try kind(left), try kind(right))
        if case .literal(let literal) = right { try check(left, try column(of: left), with: literal) }
        if case .literal(let literal) = left { try check(right, try column(of: right), with: literal) }
        if case .key(let key) = left, case .key(let other) = right,
            kinds.0 != .any, kinds.1 != .any, (kinds.0 == .number) != (kinds.1 == .number)
        {
            throw query.error("\(key.path) is \(Self.name(kinds.0)) and \(other.path) is \(Self.name(kinds.1))", at: key)
        }
        let isOrder = ![.equal, .notEqual].contains(comparator)
        guard isOrder, kinds.0 == .any || kinds.1 == .any else {
            // A plus keeps SQLite from taking '12' for a number because it stands beside a column of numbers.
            let plus = left.key != nil && right.key != nil ? "+" : ""
            return "(\(plus)\(try value(left).sql) \(comparator.rawValue) \(plus)\(try value(right).sql))"
        }
        // SQLite puts every number before every text, and here truth values are texts: across types there is no order.
        let test = "\(try type(left)) = \(try type(right))"
        return "(CASE WHEN \(test) THEN \(try value(left).sql) \(comparator.rawValue) \(try value(right).sql) END)"
    }

    /// The type of an operand's value in SQL: 0 for text, 1 for a truth value, 2 for a number or null.
    private mutating func type(_ operand: Expression.Operand) throws -> String {
        switch try kind(operand) {
        case .text: return "0"
        case .flag: return "1"
        case .number: return "2"
        case .any:
            let sql = try value(operand, use: 2).sql
            return "(CASE typeof(\(sql)) WHEN 'text' THEN \(sql) IN ('true', 'false') ELSE 2 END)"
        }
    }

    private mutating func column(of operand: Expression.Operand) throws -> HistoryColumn? {
        guard case .key(let key) = operand else { return nil }
        return try column(key)
    }

    private mutating func kind(_ operand: Expression.Operand) throws -> HistoryColumn.Kind {
        switch operand {
        case .key(let key): try column(key).kind
        case .literal(let value): value.doubleValue != nil ? .number : value.boolValue != nil ? .flag : .text
        }
    }

    /// The SQL of an operand, its values bound `use` times over.
    private mutating func value(
        _ operand: Expression.Operand, use: Int = 1
    ) throws -> (sql: String, kind: HistoryColumn.Kind) {
        switch operand {
        case .key(let key):
            let column = try column(key)
            for _ in 0..<use { arguments += column.arguments }
            return (column.sql, column.kind)
        case .literal(let value):
            for _ in 0..<use { arguments.append(value) }
            return ("?", try kind(operand))
        }
    }

    private func check(
        _ operand: Expression.Operand, _ column: (sql: String, kind: HistoryColumn.Kind), with literal: JSONValue
    ) throws {
        try check(operand, HistoryColumn(kind: column.kind, sql: column.sql), with: literal)
    }

    /// Refuses what can never hold: a number compared with text, or a state that there is not.
    private func check(_ operand: Expression.Operand, _ column: HistoryColumn?, with literal: JSONValue) throws {
        guard case .key(let key) = operand, let column, literal != .null else { return }
        let given = literal.canonical
        switch column.kind {
        case .any: return
        case .number where literal.doubleValue == nil:
            throw query.error("\(key.path) is a number, but is compared with \(given)", at: key)
        case .flag where literal.boolValue == nil:
            throw query.error("\(key.path) is true or false, but is compared with \(given)", at: key)
        case .text where literal.stringValue == nil:
            throw query.error("\(key.path) is text, but is compared with \(given); texts stand in quotes", at: key)
        default: break
        }
        let choices = (try? keys.column(key.path))?.choices ?? []
        if let text = literal.stringValue, !choices.isEmpty, !choices.contains(text) {
            let hint = nearest(to: text, among: choices).map { "; did you mean '\($0)'?" } ?? ""
            throw query.error("\(key.path) is one of \(choices.joined(separator: ", "))\(hint)", at: key)
        }
    }

    private static func name(_ kind: HistoryColumn.Kind) -> String { kind == .number ? "a number" : "text" }
}
