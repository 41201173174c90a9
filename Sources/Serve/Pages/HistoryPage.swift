import Experiment
import Files
import Foundation
import Report
import RunStore
import Sweep

/// Runs by a query, as a table that sorts and exports; two of them lead to a page of both.
struct HistoryPage {
    private let live: LiveStore
    private let request: Request
    private let text: String

    init(_ live: LiveStore, _ request: Request) {
        (self.live, self.request) = (live, request)
        text = (request.query["q"] ?? "").trimmingCharacters(in: .whitespaces)
    }

    /// Rows that are shown where the query itself has no limit.
    private static let shown = 200
    private static let exported = 100_000

    func page(_ isTrusted: Bool) throws -> HTML {
        let keys = try keys()
        let form: HTML = """
            <form action="/history" role="search">
            <label>Condition, 'order by', 'limit'
            <input class="wide" name="q" value="\(text)" autocomplete="off" spellcheck="false" role="combobox" aria-expanded="false" \
            aria-autocomplete="list" aria-controls="options" data-keys="keys" placeholder="config.tokenizer.variant = 'prologue' order by seed"></label>
            <button>Find</button>
            </form>
            <ul id="options" class="options" role="listbox" aria-label="Keys" hidden></ul>
            <pre id="keys" hidden>\(keys.joined(separator: "\n"))</pre>

            """
        var found: HTML
        do { found = try results() } catch let error as InputError { found = "<pre class=\"error\" role=\"alert\">\(error.message)</pre>" }
        found += """
            <details><summary>Examples</summary><pre>status = 'failed'
            config.tokenizer.variant = 'prologue' and seed = 0
            not (metrics.rfid is null) order by metrics.rfid limit 20
            created &gt; '7 days ago' order by created desc</pre></details>
            """
        return Layout(title: "History", topic: nil, isTrusted: isTrusted, here: .history).page(form + found)
    }

    private func keys() throws -> [String] {
        let index = try live.index
        return try live.kept("keys") {
            let keys = try HistoryKeys(index)
            let fixed = [
                "run", "sweep", "cell", "seed", "status", "created", "updated", "message", "seconds", "host", "notes", "step", "steps",
            ]
            return fixed + keys.metricNames.map { "metrics.\($0)" } + keys.settings.map { "config.\($0)" }
        }
    }

    private func found(limit: Int) throws -> (columns: [String], rows: [[JSONValue]], isCut: Bool) {
        let index = try live.index
        let hasLimit = try Query(parsing: text).limit != nil
        let whole = text.isEmpty ? "order by created desc limit \(limit)" : hasLimit ? text : "\(text) limit \(limit)"
        let query = try HistoryQuery(parsing: whole, HistoryKeys(index))
        let columns = HistoryQuery.usualColumns + query.ownColumns.filter { !HistoryQuery.usualColumns.contains($0) }
        let rows = try query.rows(of: index, columns: columns)
        return (columns, rows, !hasLimit && rows.count == limit)
    }

    private func results() throws -> HTML {
        let (columns, rows, isCut) = try found(limit: Self.shown)
        guard !rows.isEmpty else { return "<p>No run is like that.</p>" }
        let heads = columns.map { "<th scope=\"col\">\($0)</th>" as HTML }
        let body = rows.map { row -> HTML in
            let cells = zip(columns, row).map { column, value -> HTML in
                let text = Self.shown(value)
                guard column == "run" else {
                    return column == "sweep" ? "<td><a href=\"/sweep/\(pathPart(text))\">\(text)</a></td>" : "<td>\(text)</td>"
                }
                return "<td><a href=\"/run/\(pathPart(text))\">\(text)</a></td>"
            }
            let id = row[0].stringValue ?? ""
            return "<tr><td><input type=\"checkbox\" name=\"run\" value=\"\(id)\" aria-label=\"Compare \(id)\"></td>\(cells)</tr>\n"
        }
        let count = isCut ? "The first \(rows.count) runs; 'limit' shows more." : "\(rows.count) runs."
        return """
            <p>\(count) <a href="/history.csv?q=\(queryPart(text))">Export as CSV</a></p>
            <form action="/compare" class="table-form">
            <div class="scroll"><table class="linked sortable"><thead><tr><th scope="col">mark</th>\(heads)</tr></thead>
            <tbody>\(body)</tbody></table></div>
            <button>Compare the marked runs</button></form>
            """
    }

    private static func shown(_ value: JSONValue) -> String {
        if value == .null { return "–" }
        if case .number(let number) = value { return NumberFormat.significant(number) }
        return value.stringValue ?? value.canonical
    }

    /// The same rows as CSV, without the page's limit.
    func csv() throws -> Data {
        let (columns, rows, _) = try found(limit: Self.exported)
        var table = Table(columns: columns.map { .text($0) })
        for row in rows {
            table.add(row.map { $0 == .null ? .missing : .text($0.stringValue ?? $0.canonical) })
        }
        return Data(table.csv().utf8)
    }
}

/// Runs next to each other: in what they differ, and their curves in one plot.
struct ComparePage {
    private let live: LiveStore
    private let ids: [String]

    private static let most = 8

    /// - Throws: `InputError` unless two to eight runs are named, all of which there are.
    init(_ live: LiveStore, _ request: Request) throws {
        self.live = live
        ids = request.all("run").uniqued()
        guard (2...Self.most).contains(ids.count) else { throw InputError("Mark two to \(Self.most) runs to see them next to each other.") }
        for id in ids where try !live.hasRun(id) { throw InputError("There is no run '\(id)'.") }
    }

    func page(_ isTrusted: Bool) throws -> HTML {
        let difference = try RunDifference(ids, in: live.store)
        let heads = ids.map { "<th scope=\"col\"><a href=\"/run/\(pathPart($0))\">\($0)</a></th>" as HTML }
        let rows = difference.rows.map { row -> HTML in
            "<tr><th scope=\"row\">\(row.key)</th>\(row.values.map { "<td>\($0.map { $0.stringValue ?? $0.canonical } ?? "–")</td>" as HTML })</tr>\n"
        }
        let runs = try ids.map { try live.store.run($0) }
        let plots = ["tokenizer", "prior"].flatMap { role -> [HTML] in
            let curves = ArmCurves(of: role, arms: runs.map { ($0.id, $0.stages[role].map { [$0] } ?? []) }) { live.metrics(ofStage: $0) }
            return curves.columns.filter { $0 != "rate" }.compactMap { column in
                curves.plot(column).map { "<figure>\(HTML(markup: $0.svg()))</figure>\n" }
            }
        }
        return Layout(title: "\(ids.count) runs", topic: nil, isTrusted: isTrusted, here: nil).page(
            """
            <h2>In what they differ</h2>
            <div class="scroll"><table class="linked sortable"><thead><tr><th scope="col">key</th>\(heads)</tr></thead><tbody>\(rows)</tbody></table></div>
            <h2>Training</h2>
            <div class="figures">\(plots)</div>
            """)
    }
}
