import Evaluation
import Experiment
import Files
import Foundation
import Metrics
import RunStore

/// Arms as rows, scores as columns, budgets beside them, differences to the baseline below: what `prologue compare` prints.
///
/// It refuses to mislead: values measured under different protocols are not put in one column unless that is asked for,
/// and what makes arms unequal (budgets, cells tried, a choice by the score that is shown) is named under the table.
public struct ComparisonTable {
    /// What is asked for.
    public struct Request: Sendable {
        /// Names, with or without feature space; empty: rFID, gFID and prior gap of every sampler, probe accuracy.
        public var metrics: [String] = []
        /// Keys whose values make the rows and the columns; empty: a row an arm.
        public var rows: [String] = []
        public var columns: [String] = []
        /// Of several arms in one place of the table, the one that is best by this score.
        public var select: String?
        public var mixesProtocols = false

        public init(metrics: [String] = []) { self.metrics = metrics }
    }

    public let table: Table
    /// A row for each arm but the baselines and each score; without rows where there is no baseline.
    public let differences: Table
    /// One sentence on how large the noise is.
    public let noise: String

    /// - Throws: `InputError` where a score or key is unknown, protocols differ, or arms that differ in more than the
    ///   rows and columns say would share a place.
    public init(_ results: SweepResults, _ request: Request = Request()) throws {
        let names = try request.metrics.isEmpty ? Self.usual(results) : request.metrics.map(results.metricName)
        let grid = try ComparisonGrid(results, request)
        let protocols = ComparisonProtocols(results.arms)
        // A column is one score of the arms that stand in it.
        let scored = names.flatMap { name in grid.columns.map { (name: name, column: $0) } }
        if !request.mixesProtocols {
            for (name, column) in scored { try protocols.requireOne(name, grid.arms(in: column)) }
        }

        let repeats = results.arms.map(\.runs.count).max() ?? 0
        let hasBudgets = grid.columns == [""]
        var columns = grid.rowTitles.map { Table.Column.text($0) }
        if hasBudgets { columns.append(.number("seeds", decimals: 0)) }
        columns += scored.map { Self.column($0.name, $0.column, marksBest: repeats > 1) }
        if hasBudgets { columns += ComparisonBudgets.columns }
        var table = Table(columns: columns)
        for (place, row) in grid.rows.enumerated() {
            let arm = grid.arm(row: place, column: grid.columns[0])
            let measured = arm?.runs.filter { !$0.metrics.isEmpty } ?? []
            var cells: [Table.Cell] = row.map { .text($0) }
            if hasBudgets { cells.append(.number(measured.count)) }
            cells += scored.map { name, column in
                let values = grid.arm(row: place, column: column)?.values(name).map(\.value) ?? []
                return repeats > 1 ? .estimate(Estimate(of: values)) : .number(values.first)
            }
            if hasBudgets { cells += ComparisonBudgets.cells(measured) }
            table.add(cells)
        }
        var notes = ComparisonBudgets.notes(grid.arms) + grid.notes(names, request.select)
        let chosenBy = results.chosenBy.filter { score in names.contains { MetricName($0).isMeant(by: score) } }
        if !chosenBy.isEmpty {
            notes.append(
                "the runs were chosen by \(chosenBy.joined(separator: ", ")), which is shown: what is left looks better, and "
                    + "spreads less, than runs that were not chosen")
        }
        if request.mixesProtocols { notes += scored.compactMap { protocols.mixture($0.name, grid.arms(in: $0.column)) } }
        if let note = results.outdatedNote { notes.append(note) }
        for note in notes + protocols.explanations(names) { table.add(footnote: note) }
        self.table = table
        differences = ComparisonDifferences(grid.arms, names, protocols, mixesProtocols: request.mixesProtocols).table
        noise = Self.noise(results, repeats: repeats)
    }

    // MARK: Columns

    private static func usual(_ results: SweepResults) -> [String] {
        let names = results.scores
        func all(_ measure: Measure) -> [String] { names.filter { $0.measure == measure }.map(\.text) }
        return all(.rfid) + all(.gfid) + all(.priorGap) + names.map(\.text).filter { $0 == Measure.probeTop1.name() }
    }

    private static func column(_ name: String, _ column: String, marksBest: Bool) -> Table.Column {
        let score = MetricName(name)
        return .number(
            (score.titleLines + (column.isEmpty ? [] : [column])).joined(separator: "\n"),
            key: column.isEmpty ? name : "\(name)[\(column)]", decimals: score.measure.decimals,
            better: marksBest ? score.measure.better : nil)
    }

    // MARK: Noise

    private static func noise(_ results: SweepResults, repeats: Int) -> String {
        if repeats > 1 {
            return "± is the 95 % interval of the mean over seeds (Student's t). The best value of a column is marked where "
                + "its interval overlaps no other."
        }
        let deviations = results.arms.flatMap { arm in
            arm.runs.flatMap { run in
                run.metrics.filter { name, _ in
                    let name = MetricName(name)
                    return name.measure == .gfidNoise && name[.sampler] == "nocfg"
                }.compactMap(\.value.value)
            }
        }
        guard let largest = deviations.max() else {
            return "One seed: differences between arms may be chance; run several seeds before believing one."
        }
        return String(
            format: "One seed: drawing other samples alone moves gFID by ±%.1f (95 %%), and training with another seed "
                + "by more; smaller differences mean nothing.", 1.96 * largest)
    }
}
