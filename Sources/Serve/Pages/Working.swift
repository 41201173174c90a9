import Foundation
import Report
import RunStore

/// What runs just now, where, and how long it will take.
struct Working {
    private let live: LiveStore

    init(_ live: LiveStore) { self.live = live }

    private static let most = 40

    func section(ofSweep name: String?) throws -> HTML {
        let open = try live.openStages(ofSweep: name)
        var lines: [HTML] = []
        for run in open.prefix(Self.most) {
            let status = try? live.store.status(ofRun: run.run)
            guard status?.state == .running else { continue }
            let work = run.stages.compactMap { role, id -> HTML? in
                let stage = live.store.stage(id: id)
                guard let owner = stage.owner, let status = stage.status else { return nil }
                return Self.row(run.run, role, status, owner)
            }
            lines += work.isEmpty ? [Self.waiting(run.run, status?.message ?? "")] : work
        }
        guard !lines.isEmpty else { return "<h2>Under way</h2>\n<p>Nothing is being worked on.</p>" }
        return """
            <h2>Under way</h2>
            <div class="scroll"><table class="linked"><thead><tr><th>run</th><th>stage</th><th>progress</th><th class="number">step</th>\
            <th class="number">rate [1/s]</th><th class="number">time left</th><th>values</th><th>where</th></tr></thead>
            <tbody>\(lines)</tbody></table></div>
            """
    }

    private static func row(_ run: String, _ role: String, _ status: Status, _ owner: StageOwner) -> HTML {
        let left = status.rate.flatMap { rate in rate > 0 ? status.steps.map { Double($0 - status.step) / rate } : nil }
        let values = status.values.keys.sorted { ($0 == "loss" ? 0 : 1, $0) < ($1 == "loss" ? 0 : 1, $1) }.prefix(3)
            .map { "\($0) \(NumberFormat.significant(status.values[$0] ?? .nan))" }.joined(separator: ", ")
        let bar: HTML =
            status.steps.map { "<progress max=\"\($0)\" value=\"\(status.step)\" aria-label=\"\(role) of \(run)\"></progress>" } ?? ""
        return """
            <tr><td><a href="/run/\(pathPart(run))">\(run)</a></td><td>\(role)</td><td>\(bar)</td>\
            <td class="number">\(status.step)\(status.steps.map { "/\($0)" } ?? "")</td>\
            <td class="number">\(status.rate.map { NumberFormat.fixed($0, decimals: 1) } ?? "–")</td>\
            <td class="number">\(left.map(Units.time) ?? "–")</td><td>\(values)</td><td>\(owner.description)</td></tr>

            """
    }

    private static func waiting(_ run: String, _ message: String) -> HTML {
        """
        <tr><td><a href="/run/\(pathPart(run))">\(run)</a></td><td colspan="7">\(message.isEmpty ? "between two stages" : message)</td></tr>

        """
    }
}

/// Runs that failed, with the last lines of the stage's log.
struct Failures {
    private let live: LiveStore

    init(_ live: LiveStore) { self.live = live }

    private static let most = 12

    func section(ofSweep name: String?) throws -> HTML {
        let condition = name == nil ? "" : " AND sweep = ?"
        let arguments = name.map { [$0] } ?? []
        let rows = try live.rows(
            "SELECT id, message FROM runs WHERE status = 'failed'\(condition) ORDER BY created DESC, id LIMIT \(Self.most)",
            arguments.map { .string($0) })
        guard !rows.isEmpty else { return .empty }
        let failures = try rows.map { row -> HTML in
            let (id, message) = (row[0].stringValue ?? "", row[1].stringValue ?? "")
            let stages = try live.rows("SELECT role, stage_id FROM run_stages WHERE run_id = ? ORDER BY role", [.string(id)])
            let logs = stages.compactMap { stage -> HTML? in
                let (role, stage) = (stage[0].stringValue ?? "", stage[1].stringValue ?? "")
                guard let status = live.store.stage(id: stage).status, status.state == .failed else { return nil }
                let lines = live.log(ofStage: stage, lines: 8).joined(separator: "\n")
                return "<p>\(role): \(status.message)</p>\(lines.isEmpty ? .empty : "<pre>\(lines)</pre>")"
            }
            return """
                <article class="error"><h3><a href="/run/\(pathPart(id))">\(id)</a></h3>
                \(message.isEmpty ? .empty : "<p>\(message)</p>")\(logs)</article>

                """
        }
        return "<h2>Failures</h2>\n\(failures)"
    }
}
