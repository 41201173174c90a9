import Files
import Foundation
import Report
import RunStore

/// Every sweep of the store: how far it is, what is worked on, what failed and why.
struct SweepsPage {
    private let live: LiveStore

    init(_ live: LiveStore) { self.live = live }

    func page(_ isTrusted: Bool) throws -> HTML {
        let layout = Layout(title: "Sweeps", topic: .sweeps, isTrusted: isTrusted, here: .sweeps)
        let sweeps = try sweeps()
        guard !sweeps.isEmpty else {
            return layout.page(
                HTML.live(
                    "sweeps",
                    """
                    <p>There are no runs yet in \(live.store.directory.path). Begin a sweep, and it appears here:</p>
                    <pre>prologue sweep run Experiments/01-quickstart/sweep.yaml</pre>
                    """))
        }
        return layout.page(
            HTML.live("working", try Working(live).section(ofSweep: nil)) + HTML.live("sweeps", Self.table(sweeps))
                + HTML.live("failures", try Failures(live).section(ofSweep: nil)))
    }

    private struct Sweep {
        let name: String
        var counts: [Status.State: Int] = [:]
        var created = "", updated = ""

        var runs: Int { counts.values.reduce(0, +) }
    }

    /// Those of the index and those whose file was given, the last changed first.
    private func sweeps() throws -> [Sweep] {
        var found: [String: Sweep] = [:]
        let rows = try live.kept("sweeps") {
            try live.rows("SELECT sweep, status, count(*), min(created), max(updated) FROM runs GROUP BY sweep, status")
        }
        for row in rows {
            let name = row[0].stringValue ?? ""
            var sweep = found[name] ?? Sweep(name: name)
            if let state = row[1].stringValue.flatMap(Status.State.init) { sweep.counts[state] = row[2].intValue }
            let created = row[3].stringValue ?? ""
            sweep.created = sweep.created.isEmpty ? created : min(sweep.created, created)
            sweep.updated = max(sweep.updated, row[4].stringValue ?? "")
            found[name] = sweep
        }
        for (name, file) in live.files {
            var sweep = found[name] ?? Sweep(name: name)
            // Cells that were never begun have no record.
            let missing = file.cells.count - sweep.runs
            if missing > 0 { sweep.counts[.planned, default: 0] += missing }
            found[name] = sweep
        }
        return found.values.sorted { ($1.updated, $0.name) < ($0.updated, $1.name) }
    }

    private static let most = 300

    private static func table(_ sweeps: [Sweep]) -> HTML {
        var table = Table(
            columns: [.text("sweep"), .number("runs", decimals: 0)] + Status.State.allCases.map { .number($0.rawValue, decimals: 0) } + [
                .text("begun"), .text("last change"),
            ])
        for sweep in sweeps.prefix(most) {
            table.add(
                [.text(sweep.name), .integer(sweep.runs)] + Status.State.allCases.map { sweep.counts[$0].map { .integer($0) } ?? .missing }
                    + [
                        sweep.created.isEmpty ? .missing : .text(sweep.created), sweep.updated.isEmpty ? .missing : .text(sweep.updated),
                    ])
        }
        if sweeps.count > most { table.add(footnote: "\(sweeps.count - most) older sweeps are not shown; History finds their runs") }
        let links = Dictionary(sweeps.prefix(most).map { ($0.name, "/sweep/\(pathPart($0.name))") }, uniquingKeysWith: { $1 })
        return "<h2>All sweeps</h2>\n\(HTML(markup: table.html(links: links)))"
    }
}
