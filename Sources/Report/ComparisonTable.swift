import Evaluation
import Experiment
import Files
import Foundation
import Metrics
import RunStore
import Sweep

/// Arms as rows, scores as columns, budgets beside them, differences to the baseline below: what `prologue compare` prints.
///
/// It refuses to mislead: values measured under different protocols stand in columns of their own unless one column is asked
/// for, and what makes arms unequal (budgets, cells tried, a choice by the score that is shown) is named under the table.
public struct ComparisonTable {
    /// What is asked for.
    public struct Request: Sendable {
        /// Names, with or without feature space; empty: rFID, gFID and prior gap of every sampler, probe accuracy.
        public var metrics: [String] = []
        /// What the runs are decided by.
        public var endpoints: [Endpoint] = []
        /// Keys whose values make the rows and the columns; empty: a row an arm.
        public var rows: [String] = []
        public var columns: [String] = []
        /// Of several arms in one place of the table, the one that is best by this score.
        public var select: String?
        public var mixesProtocols = false
        /// Whether a score that no run has is told of under the table: what a sweep file asks for must not take the rest away.
        public var allowsMissing = false
        /// What others have published, by arm and score.
        public var published: [String: [String: PublishedValue]] = [:]
        /// Arms that cannot be run, with what is missing.
        public var missing: [String: String] = [:]

        public init(metrics: [String] = []) { self.metrics = metrics }

        /// What a sweep is compared by.
        public init(_ sweep: SweepFile) {
            metrics = sweep.compare.metrics
            (allowsMissing, endpoints) = (true, sweep.compare.endpoints)
            (published, missing) = (sweep.compare.published, sweep.missingCheckpoints)
        }
    }

    /// A column of scores: one score of the arms in a column of the grid, measured under one protocol.
    private struct Column {
        let score: MetricName
        let place: String
        /// Nil: whatever it is.
        var wanted: MeasuringProtocol?
        /// What tells its protocol from those of the columns beside it.
        var told = ""

        func table(marksBest: Bool) -> Table.Column {
            let parts = [place, told].filter { !$0.isEmpty }
            return .number(
                (score.titleLines + parts).joined(separator: "\n"),
                key: score.text + (parts.isEmpty ? "" : "[\(parts.joined(separator: "; "))]"), unit: score.measure.unit,
                decimals: score.measure.decimals, better: marksBest ? score.measure.better : nil)
        }
    }

    public let table: Table
    /// A row for each arm but the baselines and each score; without rows where there is no baseline.
    public let differences: Table
    /// The same for people: without columns that say nothing where there is one seed.
    public let shownDifferences: Table
    /// The endpoints under Holm's correction; without rows where none are named, or none has been measured.
    public let endpoints: Table
    /// Arms by seeds in blocks; without rows where fewer than three arms are compared.
    public let blocks: Table
    /// What others have published beside ours; without rows where the sweep names nothing of that kind.
    public let published: Table
    /// Every value, a row a run.
    public let seeds: Table
    /// A sentence for each score: who is better than the baseline, and by how much.
    public let verdicts: [String]
    /// One sentence on how large the noise is.
    public let noise: String

    /// - Throws: `InputError` where a score or key is unknown, or arms that differ in more than the rows and columns say would
    ///   share a place.
    public init(_ results: SweepResults, _ request: Request = Request()) throws {
        let (names, missing) = try Self.names(results, request)
        let grid = try ComparisonGrid(results, request)
        let protocols = ComparisonProtocols(results.arms)
        let scored = names.map(MetricName.init).flatMap { name in
            grid.columns.flatMap { place in Self.columns(name, place, protocols, grid.arms(in: place), mixed: request.mixesProtocols) }
        }

        published = PublishedTable(results, request.published, missing: request.missing).table
        let repeats = results.arms.map(\.runs.count).max() ?? 0
        let hasBudgets = grid.columns == [""]
        var columns = grid.rowTitles.map { Table.Column.text($0) }
        if hasBudgets { columns.append(.number("seeds", decimals: 0)) }
        columns += scored.map { $0.table(marksBest: repeats > 1) }
        if hasBudgets { columns += ComparisonBudgets.columns }
        var table = Table(columns: columns)
        for (place, row) in grid.rows.enumerated() {
            let arm = grid.arm(row: place, column: grid.columns[0])
            let measured = arm?.runs.filter { !$0.metrics.isEmpty } ?? []
            var cells: [Table.Cell] = row.map { .text($0) }
            if hasBudgets { cells.append(.number(measured.count)) }
            cells += scored.map { column in
                let arm = grid.arm(row: place, column: column.place)
                let values = arm?.values(column.score.text, under: column.wanted).map(\.value) ?? []
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
        notes += missing.map { "\($0) was measured in no run" }
        notes += protocols.notes(names, grid.columns.map { grid.arms(in: $0) }, mixed: request.mixesProtocols).uniqued()
        for note in notes + protocols.explanations(names) + results.notes { table.add(footnote: note) }
        self.table = table
        let differences = ComparisonDifferences(grid.arms, names, protocols, mixesProtocols: request.mixesProtocols)
        self.differences = differences.table
        shownDifferences = differences.shown
        endpoints = try ComparisonEndpoints(request.endpoints, results, protocols, mixesProtocols: request.mixesProtocols).table
        blocks = ComparisonBlocks.table(grid.arms, names, protocols)
        seeds = ComparisonSeeds.table(grid.arms, names)
        verdicts = differences.verdicts
        noise = Self.noise(results, repeats: repeats)
    }

    // MARK: Columns

    /// One column, or one for each protocol.
    private static func columns(
        _ score: MetricName, _ place: String, _ protocols: ComparisonProtocols, _ arms: [SweepResults.Arm], mixed: Bool
    ) -> [Column] {
        let all = protocols.all(score.text, arms)
        guard all.count > 1, !mixed else { return [Column(score: score, place: place)] }
        return protocols.sorted(all).map { Column(score: score, place: place, wanted: $0.value, told: $0.told) }
    }

    /// The scores to show, and those that were asked for and are not there. A name that fits several feature spaces means all.
    private static func names(_ results: SweepResults, _ request: Request) throws -> (shown: [String], missing: [String]) {
        guard !request.metrics.isEmpty || !request.endpoints.isEmpty else { return (usual(results), []) }
        let scores = results.scores
        var (shown, missing): ([String], [String]) = ([], [])
        // What decides is shown, whatever else is.
        for given in request.metrics + request.endpoints.flatMap({ [$0.metric] + ($0.against.map { [$0] } ?? []) }) {
            let exact = scores.filter { $0.text == given }
            let meant = exact.isEmpty ? scores.filter { $0.isMeant(by: given) } : exact
            if meant.isEmpty, !request.allowsMissing, request.metrics.contains(given) { _ = try results.metricName(given) }
            if meant.isEmpty { missing.append(given) }
            shown += meant.map(\.text)
        }
        return (shown.uniqued(), missing.uniqued())
    }

    private static func usual(_ results: SweepResults) -> [String] {
        let names = results.scores
        func all(_ measure: Measure) -> [String] { names.filter { $0.measure == measure }.map(\.text) }
        return all(.rfid) + all(.gfid) + all(.priorGap) + names.map(\.text).filter { $0 == Measure.probeTop1.name() }
    }

    // MARK: Noise

    private static func noise(_ results: SweepResults, repeats: Int) -> String {
        if repeats > 1 {
            return "± is the 95 % interval of the mean over seeds (Student's t). The best value of a column is marked where "
                + "its interval overlaps no other."
        }
        let noises = results.scores.filter { $0.measure == .gfidNoise && $0[.sampler] == "nocfg" }.map(\.text)
        let deviations = results.arms.flatMap { arm in noises.flatMap { arm.values($0).map(\.value) } }
        guard let largest = deviations.max() else {
            return "One seed: differences between arms may be chance; run several seeds before believing one."
        }
        return String(
            format: "One seed: drawing other samples alone moves gFID by ±%.1f (95 %%), and training with another seed "
                + "by more; smaller differences mean nothing.", 1.96 * largest)
    }
}
