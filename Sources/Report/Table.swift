import Evaluation
import Files
import Metrics

/// A table of results, to be shown in a terminal, pasted into a paper or read by a program.
///
///     var table = Table(columns: [.text("arm"), .number("gFID", decimals: 1, better: .lower)])
///     table.add([.text("prologue"), .estimate(gfid)])
///     print(table.text())
public struct Table: Sendable, Equatable {
    public enum Alignment: Sendable { case left, right, center }

    /// Which end of a column is the good one; its best value is marked.
    public typealias Better = Measure.Better

    public struct Column: Sendable, Equatable {
        /// What people read; a terminal breaks it at line breaks.
        public var title: String
        /// What programs read; unique within a table.
        public var key: String
        public var unit: String?
        public var alignment: Alignment
        /// Decimals of its numbers for people.
        public var decimals: Int
        public var better: Better?
        /// Whether its texts are words for states, which a terminal shows in colours.
        public var isState = false

        public static func state(_ title: String, key: String? = nil) -> Column {
            var column = text(title, key: key)
            column.isState = true
            return column
        }

        public static func text(_ title: String, key: String? = nil, alignment: Alignment = .left) -> Column {
            Column(title: title, key: key ?? title, unit: nil, alignment: alignment, decimals: 0, better: nil)
        }

        public static func number(
            _ title: String, key: String? = nil, unit: String? = nil, decimals: Int = 2, better: Better? = nil
        ) -> Column {
            Column(title: title, key: key ?? title, unit: unit, alignment: .right, decimals: decimals, better: better)
        }

        /// "title [unit]"
        var heading: String { headingLines.joined(separator: " ") }

        var headingLines: [String] {
            (unit.map { "\(title) [\($0)]" } ?? title).split(separator: "\n").map(String.init)
        }
    }

    public enum Cell: Sendable, Equatable {
        case text(String)
        case number(Double)
        /// A whole number, with every digit.
        case integer(Int)
        /// Over seeds: "9.2 ± 0.4 (n=3)".
        case estimate(Estimate)
        /// Not measured, or failed: shown as "–", null for programs, never 0.
        case missing

        /// A number, missing if there is none or it is not a number.
        public static func number(_ value: Double?) -> Cell {
            guard let value, !value.isNaN else { return .missing }
            return .number(value)
        }

        public static func number(_ value: Int) -> Cell { .number(Double(value)) }

        public static func estimate(_ value: Estimate?) -> Cell {
            guard let value else { return .missing }
            return .estimate(value)
        }

        /// What decides which cell of a column is best.
        var rank: Double? {
            switch self {
            case .number(let value): value.isNaN ? nil : value
            case .integer(let value): Double(value)
            case .estimate(let value): value.mean
            case .text, .missing: nil
            }
        }

        /// As people read it, with as many digits as may be.
        public func shown(decimals: Int) -> String {
            switch self {
            case .text(let text): text
            case .number(let value): NumberFormat.fixed(value, decimals: decimals)
            case .integer(let value): String(value)
            case .estimate(let value): NumberFormat.estimate(value, decimals: decimals)
            case .missing: "–"
            }
        }
    }

    public let columns: [Column]
    public private(set) var rows: [[Cell]] = []
    /// Lines below the table, such as what makes arms not quite comparable.
    public private(set) var footnotes: [String] = []
    /// How many values are behind every mean, where a footnote says so and cells need not.
    var countBelow: Int?

    public init(columns: [Column]) {
        precondition(
            !columns.isEmpty && Set(columns.map(\.key)).count == columns.count,
            "table columns must be there and have different keys: \(columns.map(\.key))")
        self.columns = columns
    }

    public mutating func add(_ row: [Cell]) {
        precondition(row.count == columns.count, "a row of \(row.count) cells in a table of \(columns.count) columns")
        rows.append(row)
    }

    public mutating func add(footnote: String) { footnotes.append(footnote) }

    /// The rows whose cells are the best of a column.
    ///
    /// Among plain numbers, cells that look equal are equally good; where all do, or only one row has a value, none is
    /// marked. Among estimates the best mean is marked only if its interval overlaps no other: else another choice of
    /// seeds might have marked another one. A value of a single seed has no interval, so that nothing is known to be
    /// better or worse than it.
    func bestRows(of column: Int) -> Set<Int> {
        guard let better = columns[column].better else { return [] }
        let isEstimated = rows.contains { if case .estimate = $0[column] { true } else { false } }
        if isEstimated { return clearlyBestRow(of: column, better).map { [$0] } ?? [] }
        let ranks = rows.map { row in
            row[column].rank.map { Double(NumberFormat.fixed($0, decimals: columns[column].decimals)) ?? $0 }
        }
        let known = ranks.compactMap(\.self)
        guard let low = known.min(), let high = known.max(), low < high else { return [] }
        let best = better == .lower ? low : high
        return Set(ranks.indices.filter { ranks[$0] == best })
    }

    private func clearlyBestRow(of column: Int, _ better: Better) -> Int? {
        func interval(_ row: Int) -> Interval? {
            if case .estimate(let value) = rows[row][column] { value.interval } else { nil }
        }
        /// The end of an interval that others must not reach.
        func worst(_ row: Int) -> Double { interval(row).map { better == .lower ? $0.high : -$0.low } ?? .infinity }
        let measured = rows.indices.filter { rows[$0][column].rank != nil }
        guard measured.count > 1, let best = measured.min(by: { worst($0) < worst($1) }), let own = interval(best) else { return nil }
        let isAlone = measured.allSatisfy { other in
            other == best || (interval(other).map { better == .lower ? own.high < $0.low : own.low > $0.high } ?? false)
        }
        return isAlone ? best : nil
    }
}
