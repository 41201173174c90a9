import Evaluation
import Experiment
import Files
import Foundation
import RunStore
import Sweep

/// What `prologue report` writes of a sweep: the question, the answer in a table, the plan, curves, pictures, and where
/// every number came from.
public struct SweepReport {
    public let document: ReportDocument
    /// Every value that is compared, as CSV.
    public let values: String

    /// Whose pictures are shown: those of every seed, of each arm's first seed, or none.
    public enum Pictures: String, CaseIterable, Sendable { case all, first, none }

    /// - Parameter date: when the report was made.
    public init(
        _ sweep: SweepFile, _ results: SweepResults, in store: Store, pictures: Pictures = .all, date: Date = Date()
    ) throws {
        var document = ReportDocument(title: sweep.name)
        if let question = sweep.question { document.add(.paragraph(question)) }
        document.add(Self.standing(results, date))
        document.add(try Self.result(sweep, results))
        let semantics = SemanticsSection(results, in: store)
        if pictures != .none {
            let elsewhere = semantics.map { _ in SemanticsSection.pictures } ?? []
            document.add(Self.pictures(results, in: store, besides: elsewhere, ofAllSeeds: pictures == .all))
        }
        if let semantics { document.add(semantics.blocks) }
        document.add(Self.plan(sweep, results))
        if let curves = TrainingCurves(results, in: store) { document.add([.heading("Training")] + curves.blocks) }
        document.add([.heading("All scores"), .table(Self.allScores(results))])
        document.add(Provenance(sweep, results).blocks)
        self.document = document
        values = results.metricNames.isEmpty ? "" : try Self.comparison(sweep, results).seeds.csv()
    }

    /// Writes `report.html`, `report.md`, `per-seed.csv` and the figures in `pictures/`; returns the HTML file.
    @discardableResult
    public func write(to folder: URL) throws -> URL {
        try document.writeMarkdown(to: folder.appendingPathComponent("report.md"))
        let html = folder.appendingPathComponent("report.html")
        try AtomicFile.write(Data(document.html().utf8), to: html)
        if !values.isEmpty { try AtomicFile.write(Data(values.utf8), to: folder.appendingPathComponent("per-seed.csv")) }
        return html
    }

    // MARK: Sections

    /// The comparison; of the scores asked for, those that have been measured by now.
    private static func result(_ sweep: SweepFile, _ results: SweepResults) throws -> [ReportDocument.Block] {
        guard !results.metricNames.isEmpty else {
            return [.heading("Result"), .paragraph("Nothing that is to be compared has been measured yet.")]
        }
        let comparison = try comparison(sweep, results)
        let names = comparison.table.columns.map(\.key).filter(Set(results.metricNames).contains)
        let trends = ScoreTrends(sweep, results, metrics: names).figures
        let curves = ScoreCurves(results).figures
        let endpoints: [ReportDocument.Block] =
            comparison.endpoints.rows.isEmpty ? [] : [.subheading("Endpoints"), .table(comparison.endpoints)]
        let blocks: [ReportDocument.Block] =
            comparison.blocks.rows.isEmpty ? [] : [.subheading("Arms by seeds"), .table(comparison.blocks)]
        let seeds: [ReportDocument.Block] = [.details("Every value, a row a run (`per-seed.csv`)", [.table(comparison.seeds)])]
        let differences: [ReportDocument.Block] =
            comparison.shownDifferences.rows.isEmpty
            ? [] : [.subheading("Differences to the baseline"), .table(comparison.shownDifferences), .list(comparison.verdicts)]
        let published: [ReportDocument.Block] =
            comparison.published.rows.isEmpty ? [] : [.subheading("Published values"), .table(comparison.published)]
        return [.heading("Result"), .table(comparison.table), .paragraph(comparison.noise)] + published + endpoints + differences + blocks
            + seeds
            + (trends.isEmpty ? [] : [.heading("Scores over a setting"), .figures(trends)])
            + (curves.isEmpty ? [] : [.heading("Scores over training and guidance"), .figures(curves)])
    }

    private static func comparison(_ sweep: SweepFile, _ results: SweepResults) throws -> ComparisonTable {
        try ComparisonTable(results, ComparisonTable.Request(sweep))
    }

    private static func standing(_ results: SweepResults, _ date: Date) -> ReportDocument.Block {
        let runs = results.arms.flatMap(\.runs)
        let done = runs.count { $0.state == .done }
        let records = runs.flatMap { $0.stages.values.compactMap(\.record) }
        let commits = Set(records.map(\.codeVersion.shown)).sorted()
        let machines = Set(records.map(\.machine.shown)).sorted()
        var facts = [
            ("Runs", done == runs.count ? "all \(done) done" : "\(done) of \(runs.count) done: what follows is preliminary"),
            ("Arms", "\(results.arms.count)"), ("Seeds", Set(runs.map(\.seed)).sorted().map(String.init).joined(separator: ", ")),
            ("Written", date.formatted(.iso8601)),
        ]
        if !commits.isEmpty { facts.append(("Code", commits.joined(separator: ", "))) }
        if !machines.isEmpty { facts.append(("Machine", machines.joined(separator: "; "))) }
        return .facts(facts.map { (name: $0.0, value: $0.1) })
    }

    /// Arms with the settings that make them, and below, folded away, every setting of the first cell.
    private static func plan(_ sweep: SweepFile, _ results: SweepResults) -> [ReportDocument.Block] {
        var table = Table(columns: [.text("arm"), .text("settings of its own"), .text("seeds")])
        for arm in results.arms {
            guard let cell = sweep.cells.first(where: { $0.label == arm.cell }) else { continue }
            let own = cell.overrides.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value.canonical)" }
            table.add([
                .text(arm.label + (arm.isBaseline ? " (baseline)" : "")), .text(own.joined(separator: ", ")),
                .text(arm.runs.map { String($0.seed) }.joined(separator: ", ")),
            ])
        }
        var settings = Table(columns: [.text("setting"), .text("value")])
        if let first = sweep.cells.first {
            for (key, value) in first.resolved.flattened() { settings.add([.text(key), .text(value.canonical)]) }
        }
        return [
            .heading("Plan"), .table(table),
            .details("Every setting of \(sweep.cells[0].label), seed \(sweep.cells[0].seed)", [.table(settings)]),
        ]
    }

    /// The first seed's pictures of every arm side by side, kind by kind; the other seeds' folded away.
    ///
    /// - Parameter others: names of files that are shown elsewhere.
    private static func pictures(
        _ results: SweepResults, in store: Store, besides others: Set<String>, ofAllSeeds: Bool
    ) -> [ReportDocument.Block] {
        var problems: [String] = []
        func figures(ofRun place: Int) -> [ReportDocument.Figure] {
            let perArm = results.arms.map { arm in
                arm.runs.indices.contains(place)
                    ? arm.runs[place].pictures.filter { !others.contains(URL(fileURLWithPath: $0.path).lastPathComponent) }
                        .map { (arm, arm.runs[place], $0) } : []
            }
            let most = perArm.map(\.count).max() ?? 0
            return (0..<most).flatMap { i in
                perArm.compactMap { pictures -> ReportDocument.Figure? in
                    guard i < pictures.count else { return nil }
                    let (arm, run, picture) = pictures[i]
                    let bytes: Data
                    do { bytes = try store.content(of: picture) } catch {
                        problems.append("\(arm.label), seed \(run.seed): \(error)")
                        return nil
                    }
                    return ReportDocument.Figure(
                        name: "\(picture.subject)-\(arm.label)-s\(run.seed)",
                        caption: "\(arm.label), seed \(run.seed): \(picture.description)", content: .png(bytes))
                }
            }
        }
        let first = figures(ofRun: 0)
        let moreSeeds = ofAllSeeds ? (1..<max(1, results.arms.map(\.runs.count).max() ?? 1)).flatMap(figures) : []
        guard !(first + moreSeeds).isEmpty || !problems.isEmpty else { return [] }
        return [.heading("Pictures"), .figures(first)] + (problems.isEmpty ? [] : [.paragraph("Left out:"), .list(problems)])
            + (moreSeeds.isEmpty ? [] : [.details("Other seeds", [.figures(moreSeeds)])])
    }

    private static func allScores(_ results: SweepResults) -> Table {
        var table = Table(columns: [.text("score")] + results.arms.map { .number($0.label, decimals: 3) })
        for name in results.metricNames {
            table.add(
                [.text(name)]
                    + results.arms.map { arm in
                        let values = arm.values(name).map(\.value)
                        return values.count > 1 ? .estimate(Estimate(of: values)) : .number(values.first)
                    })
        }
        return table
    }
}

extension Artifact {
    /// What it shows, in a word or two: "samples nocfg" of one described as "samples under 'nocfg'", else its file's name.
    var subject: String {
        let stem = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
        let quoted = description.split(separator: "'", omittingEmptySubsequences: false)
        return quoted.count == 3 ? "\(stem)-\(quoted[1])" : stem
    }
}

extension CodeVersion {
    /// "1a2b3c4d", with "(changed)" where files differed from the commit.
    var shown: String { commit.prefix(8) + (hasLocalChanges ? " (changed)" : "") }
}

extension Machine {
    var shown: String { "\(processor), \(cores) cores, BLAS \(blasCore), \(blasThreads) threads" }
}
