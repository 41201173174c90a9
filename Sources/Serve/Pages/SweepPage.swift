import Experiment
import Files
import Foundation
import Report
import RunStore
import Sweep

/// A sweep: the comparison as it stands, what is missing, curves, pictures of its arms beside each other.
struct SweepPage {
    private let name: String
    private let live: LiveStore
    private let desk: DrawDesk
    private let request: Request
    private let results: SweepResults
    /// The state of the index that they were read in.
    private let stamp: String

    /// Nil where there is no such sweep.
    init?(_ name: String, _ request: Request, _ live: LiveStore, _ desk: DrawDesk) throws {
        guard try live.hasSweep(name) else { return nil }
        (self.name, self.live, self.desk, self.request) = (name, live, desk, request)
        let standing = try live.standing(ofSweep: name)
        (results, stamp) = (standing.results, standing.stamp)
    }

    /// The parts that follow the sweep.
    private enum Part: String, CaseIterable { case comparison, working, missing, curves, over, axes, failures }

    private func part(_ part: Part) throws -> LivePart {
        switch part {
        case .working: return LivePart(part.rawValue, try Working(live).section(ofSweep: name))
        case .failures: return LivePart(part.rawValue, try Failures(live).section(ofSweep: name))
        case .curves: return try CurveForm(name, request, live, results).plots
        case .comparison: return try kept(part, comparison)
        case .missing: return try kept(part, missing)
        case .over: return try kept(part, overTraining)
        case .axes: return axes().plots
        }
    }

    /// A part that the index alone decides.
    private func kept(_ part: Part, _ make: () throws -> HTML) throws -> LivePart {
        try live.derived("\(part) \(name)", from: stamp) { _ in LivePart(part.rawValue, try make()) }
    }

    private struct Axes: Sendable {
        let form: HTML
        let plots: LivePart
    }

    private func axes() -> Axes {
        live.derived("axes \(request.query["score"] ?? "") \(name)", from: stamp) { _ in
            let section = AxesSection(name, request, live, results)
            return Axes(form: section?.form ?? .empty, plots: LivePart(Part.axes.rawValue, section?.plots ?? .empty))
        }
    }

    func page(_ isTrusted: Bool) throws -> HTML {
        let layout = Layout(title: name, topic: .sweep(name), isTrusted: isTrusted, here: nil)
        if let held = request.held {
            return layout.page(try Part.allCases.map(part).filter { held[$0.id] != $0.version }.map(\.html).joined())
        }
        func html(_ name: Part) throws -> HTML { try part(name).html }
        let question: HTML = results.question.map { "<p>\($0)</p>" } ?? .empty
        return layout.page(
            question + (try html(.comparison)) + (try html(.working)) + (try html(.missing))
                + CurveForm(name, request, live, results).form + (try html(.curves)) + (try html(.over)) + axes().form
                + (try html(.axes)) + ArmPictures(live, desk, results, request).section(isTrusted) + (try html(.failures)))
    }

    // MARK: The comparison

    private func comparison() -> HTML {
        let heading: HTML = "<h2>Comparison</h2>\n"
        guard !results.metricNames.isEmpty else { return heading + "<p>Nothing that can be compared has been measured yet.</p>" }
        var request = ComparisonTable.Request(metrics: live.files[name]?.compare.metrics ?? [])
        request.allowsMissing = true
        do {
            let comparison = try ComparisonTable(results, request)
            let links = Dictionary(
                results.arms.compactMap { arm in arm.runs.first.map { (arm.label, "/run/\(pathPart($0.id))") } },
                uniquingKeysWith: { first, _ in first })
            var html = heading + HTML(markup: comparison.table.html(links: links)) + "<p>\(comparison.noise)</p>\n"
            if !comparison.shownDifferences.rows.isEmpty {
                html += "<h3>Differences to the baseline</h3>\n" + HTML(markup: comparison.shownDifferences.html())
                html += "<ul>\(comparison.verdicts.map { "<li>\($0)</li>" as HTML })</ul>\n"
            } else if live.files[name] == nil {
                html += "<p>Start the server with the sweep's file to see differences to its baseline.</p>\n"
            }
            return html
        } catch {
            return heading + "<p class=\"error\">\((error as? InputError)?.message ?? "\(error)")</p>"
        }
    }

    // MARK: What is missing

    /// Cells that have no finished run, at most so many.
    private static let mostMissing = 60

    private func missing() throws -> HTML {
        let runs = results.arms.flatMap { arm in arm.runs.map { (arm.label, $0) } }
        let open = runs.filter { $0.1.state != .done }
        let stages = try stages()
        guard !open.isEmpty else { return "<h2>Progress</h2>\n<p>All \(runs.count) runs are done.</p>\n\(stages)" }
        var table = Table(columns: [.text("arm"), .number("seed", decimals: 0), .text("state"), .text("run")])
        for (arm, run) in open.prefix(Self.mostMissing) {
            table.add([.text(arm), .number(run.seed), .text(run.state?.rawValue ?? "not begun"), .text(run.id)])
        }
        if open.count > Self.mostMissing { table.add(footnote: "and \(open.count - Self.mostMissing) more") }
        let links = Dictionary(
            open.compactMap { $0.1.state == nil ? nil : ($0.1.id, "/run/\(pathPart($0.1.id))") }, uniquingKeysWith: { $1 })
        return """
            <h2>Progress</h2>
            <p><progress max="\(runs.count)" value="\(runs.count - open.count)" aria-label="runs done"></progress> \
            \(runs.count - open.count) of \(runs.count) runs are done.</p>
            \(stages)<details><summary>Cells that are missing: \(open.count)</summary>
            \(HTML(markup: table.html(links: links)))</details>
            """
    }

    /// How many stages of each role there are to be, and how many there are.
    private func stages() throws -> HTML {
        let rows = try live.kept("progress \(name)") {
            try live.rows(
                """
                SELECT role, count(*), count(finished) FROM (
                    SELECT DISTINCT role, stage_id FROM run_parts JOIN runs ON runs.number = run_parts.run WHERE sweep = ?)
                LEFT JOIN stages ON stages.id = stage_id GROUP BY role ORDER BY min(started) IS NULL, min(started), role
                """, [.string(name)])
        }
        guard !rows.isEmpty else { return .empty }
        var table = Table(columns: [.text("stage"), .number("done", decimals: 0), .number("of", decimals: 0)])
        for row in rows { table.add([.text(row[0].stringValue ?? ""), .number(row[2].doubleValue), .number(row[1].doubleValue)]) }
        return "<details><summary>By stage</summary>\n\(HTML(markup: table.html()))</details>\n"
    }

    // MARK: Over training

    private func overTraining() -> HTML {
        let figures = ScoreCurves(results).figures
        guard !figures.isEmpty else { return .empty }
        return "<h2>Scores over training and guidance</h2>\n" + HTML(markup: ReportDocument.html([.figures(figures)]))
    }
}

/// Curves of a column that training logged, and the controls that choose it.
struct CurveForm {
    private let name: String
    private let live: LiveStore
    private let results: SweepResults
    private let role: String
    private let column: String
    private let smoothing: Double
    private let query: [String: String]

    init(_ name: String, _ request: Request, _ live: LiveStore, _ results: SweepResults) {
        (self.name, self.live, self.results, query) = (name, live, results, request.query)
        role = ["tokenizer", "prior"].contains(request.query["stage"]) ? request.query["stage"] ?? "" : "tokenizer"
        column = request.query["column"] ?? "loss"
        smoothing = min(0.99, max(0, request.query["smoothing"].flatMap(Double.init) ?? 0))
    }

    /// Curves that are told apart in one plot.
    private static let mostArms = 24

    /// The arms whose labels have the text that was asked for, each with its stages; a training that is under way is no finished
    /// stage of the results.
    private func arms() throws -> (shown: [(label: String, stages: [String])], all: Int) {
        let stages = try live.stages(ofSweep: name, role: role)
        let text = query["arms"] ?? ""
        let found = results.arms.filter { text.isEmpty || $0.label.localizedCaseInsensitiveContains(text) }
        return (found.prefix(Self.mostArms).map { arm in (arm.label, arm.runs.compactMap { stages[$0.id] }) }, found.count)
    }

    var form: HTML {
        let columns = (try? columns()) ?? []
        func options(_ names: [String], _ chosen: String) -> [HTML] {
            names.map { name in "<option\(name == chosen ? " selected" as HTML : .empty)>\(name)</option>" }
        }
        func check(_ key: String, _ title: String) -> HTML {
            "<label class=\"check\"><input type=\"checkbox\" name=\"\(key)\" value=\"1\"\(query[key] == "1" ? " checked" as HTML : .empty)> \(title)</label>"
        }
        return """
            <h2 id="curve-heading">Training</h2>
            <form data-now action="#curve-heading">
            <label>Stage <select name="stage">\(options(["tokenizer", "prior"], role))</select></label>
            <label>Column <select name="column">\(options(columns.contains(column) ? columns : [column] + columns, column))</select></label>
            <label>Arms with <input name="arms" value="\(query["arms"] ?? "")" placeholder="all"></label>
            <label>Smoothing <input type="number" name="smoothing" min="0" max="0.99" step="0.01" value="\(NumberFormat.exact(smoothing))"></label>
            \(check("linear", "linear axis"))\(check("logx", "logarithmic steps"))\(check("common", "to the common step"))
            <button>Show</button>
            </form>

            """
    }

    var plots: LivePart {
        get throws {
            let arms = try arms()
            let files = stamps(arms.shown)
            let asked = query.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "&")
            return try live.derived("curves \(asked) of \(name)", from: files) { _ in
                LivePart("curves", try plot(arms.shown, of: arms.all))
            }
        }
    }

    /// Which files the arms' curves are in, and in what state.
    private func stamps(_ arms: [(label: String, stages: [String])]) -> [[String]] {
        arms.map { arm in [arm.label] + arm.stages.map { $0 + LiveStore.stamp(live.store.stage(id: $0).url("metrics.h5")) } }
    }

    /// What can be shown.
    private func columns() throws -> [String] {
        let arms = try arms().shown
        return live.derived("columns of \(role) \(query["arms"] ?? "") of \(name)", from: stamps(arms)) { _ in
            ArmCurves(of: role, arms: arms) { live.metrics(ofStage: $0) }.columns.filter { $0 != "rate" }
        }
    }

    private func plot(_ arms: [(label: String, stages: [String])], of count: Int) throws -> HTML {
        let curves = ArmCurves(of: role, arms: arms) { live.metrics(ofStage: $0) }
        guard var plot = curves.plot(column, smoothing: smoothing, toCommonStep: query["common"] == "1") else {
            return "<p>No \(role) of this sweep has logged '\(column)' yet.</p>"
        }
        if query["linear"] == "1" { plot.yScale = .linear }
        if query["logx"] == "1" { plot.xScale = .logarithmic }
        let left: HTML =
            count > arms.count
            ? "<p>The first \(arms.count) of \(count) arms; 'Arms with' finds others by a part of their names.</p>" : .empty
        return """
            <div class="wide-plot">\(HTML(markup: plot.svg(width: 1100, height: 460)))</div>
            <p>Means over up to \(ArmCurves.resolution) windows of steps; bands reach from the lowest to the highest seed.</p>\(left)
            """
    }
}
