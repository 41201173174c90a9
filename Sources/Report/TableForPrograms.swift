import Evaluation
import Files

/// Tables for programs: every digit, a column for each quantity, an empty cell where nothing was measured.
extension Table {
    /// RFC 4180 with a header line. A column that holds estimates becomes `key`, `key.sd`, `key.low`, `key.high` and
    /// `key.n` (low and high bound the 95 % interval). Missing cells and parts are empty.
    public func csv() -> String {
        let spread = columns.indices.filter(holdsEstimates)
        var lines = [
            columns.indices.flatMap { c in
                [columns[c].key] + (spread.contains(c) ? Self.estimateParts.map { "\(columns[c].key).\($0)" } : [])
            }
        ]
        for row in rows {
            lines.append(
                columns.indices.flatMap { c -> [String] in
                    let cells = spread.contains(c) ? Self.parts(of: row[c]) : [row[c]]
                    return cells.map(Self.exact)
                })
        }
        return lines.map { $0.map(Self.quoted).joined(separator: ",") + "\r\n" }.joined()
    }

    /// `{"columns": […], "rows": [{key: value}], "footnotes": […]}`. Numbers keep every digit, missing ones are null; an
    /// estimate is an object of `mean`, `sd`, `low`, `high` and `n`.
    public var json: JSONValue {
        .object([
            "columns": .array(
                columns.map { column in
                    .object([
                        "key": .string(column.key), "title": .string(column.title),
                        "unit": column.unit.map(JSONValue.string) ?? .null,
                        "better": column.better.map { .string($0.rawValue) } ?? .null,
                    ])
                }),
            "rows": .array(
                rows.map { row in
                    .object(Dictionary(uniqueKeysWithValues: zip(columns, row).map { ($0.key, Self.json($1)) }))
                }),
            "footnotes": .array(footnotes.map(JSONValue.string)),
        ])
    }

    private static let estimateParts = ["sd", "low", "high", "n"]

    private func holdsEstimates(_ column: Int) -> Bool {
        rows.contains { if case .estimate = $0[column] { true } else { false } }
    }

    private static func parts(of cell: Cell) -> [Cell] {
        guard case .estimate(let value) = cell else {
            return [cell] + estimateParts.map { _ in .missing }
        }
        return [
            .number(value.mean), .number(value.standardDeviation), .number(value.interval?.low),
            .number(value.interval?.high), .number(value.count),
        ]
    }

    private static func exact(_ cell: Cell) -> String {
        switch cell {
        case .text(let text): text
        case .integer(let value): String(value)
        case .number(let value): value.isFinite ? NumberFormat.exact(value) : value.isNaN ? "" : value < 0 ? "-inf" : "inf"
        case .estimate(let value): NumberFormat.exact(value.mean)
        case .missing: ""
        }
    }

    private static func json(_ cell: Cell) -> JSONValue {
        func number(_ value: Double?) -> JSONValue {
            guard let value, value.isFinite else { return .null }
            return Int(exactly: value).map(JSONValue.int) ?? .number(value)
        }
        switch cell {
        case .text(let text): return .string(text)
        case .number(let value): return number(value)
        case .integer(let value): return .int(value)
        case .missing: return .null
        case .estimate(let value):
            return .object([
                "mean": number(value.mean), "sd": number(value.standardDeviation), "low": number(value.interval?.low),
                "high": number(value.interval?.high), "n": .int(value.count),
            ])
        }
    }

    private static func quoted(_ field: String) -> String {
        // Swift counts CR LF as one character, so look at scalars.
        let special = field.unicodeScalars.contains { $0 == "," || $0 == "\"" || $0 == "\n" || $0 == "\r" }
        return special ? "\"" + field.replacing("\"", with: "\"\"") + "\"" : field
    }
}
