import Experiment
import Files
import Foundation
import Report
import RunStore
import Settings

/// A run: its settings and what is special in them, stages, curves, scores, logs; notes and tags.
struct RunPage {
    private let live: LiveStore
    private let entry: IndexedRun
    private let stages: [(role: String, stage: StageHandle, record: StageRecord?)]

    /// Nil where there is no such run.
    init?(_ id: String, _ request: Request, _ live: LiveStore) throws {
        guard try live.hasRun(id), let entry = try live.store.entry(ofRun: id) else { return nil }
        (self.live, self.entry) = (live, entry)
        stages = entry.run.stages.sorted { $0.key < $1.key }.map { role, id in
            let stage = live.store.stage(id: id)
            return (role, stage, (try? stage.record) ?? nil)
        }
    }

    private var run: RunRecord { entry.run }

    func page(_ isTrusted: Bool) throws -> HTML {
        let content =
            HTML.live("facts", facts()) + NotesForm(entry, isTrusted: isTrusted).section + HTML.live("scores", try scores())
            + HTML.live("curves", curves()) + HTML.live("stages", lineage()) + settings() + pictures() + HTML.live("logs", logs())
        return Layout(title: run.id, topic: .run(run.id), isTrusted: isTrusted, here: nil).page(content)
    }

    private func facts() -> HTML {
        let status = entry.status
        var facts: [(String, HTML)] = [
            ("State", "<span class=\"state-\(status.state.rawValue)\">\(status.state.rawValue)</span> \(status.message)"),
            ("Sweep", "<a href=\"/sweep/\(pathPart(run.sweep))\">\(run.sweep)</a>"), ("Cell", "\(run.cell)"),
            ("Seeds", "\(run.seeds.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))"),
            ("Made", "\(run.created.ISO8601Format())"),
            ("Code", "\(String(run.codeVersion.commit.prefix(12)))\(run.codeVersion.hasLocalChanges ? " with local changes" : "")"),
            ("Machine", "\(run.machine.processor), \(run.machine.cores) cores, \(run.machine.host)"),
        ]
        if let damage = entry.damage { facts.append(("Damage", "<span class=\"error\">\(damage)</span>")) }
        return "<dl>\(facts.map { "<dt>\($0.0)</dt><dd>\($0.1)</dd>\n" as HTML })</dl>"
    }

    private func scores() throws -> HTML {
        var table = Table(columns: [.text("score"), .number("value", decimals: 4), .text("protocol"), .text("measured in")])
        var protocols: [HTML] = []
        for (_, stage, _) in stages {
            guard let measured = try? live.store.entry(ofStage: stage.id)?.measurements else { continue }
            for (name, scores) in measured.sorted(by: { $0.key < $1.key }) {
                for (score, value) in scores.values.sorted(by: { $0.key < $1.key }) {
                    table.add([.text(score), .number(value), .text(name), .text(stage.id)])
                }
                protocols.append("<dt>\(name) in \(stage.id)</dt><dd class=\"tokens\">\(scores.protocol.canonical)</dd>\n")
            }
        }
        guard !table.rows.isEmpty else { return "<h2>Scores</h2>\n<p>Nothing has been measured yet.</p>" }
        return """
            <h2>Scores</h2>
            \(HTML(markup: table.html()))
            <details><summary>Protocols</summary><dl>\(protocols)</dl></details>
            """
    }

    private func curves() -> HTML {
        let plots = stages.flatMap { role, stage, _ -> [HTML] in
            guard live.metrics(ofStage: stage.id) != nil else { return [] }
            let curves = ArmCurves(of: role, arms: [(run.id, [stage.id])]) { live.metrics(ofStage: $0) }
            return curves.columns.filter { $0 != "rate" }.compactMap { column in
                curves.plot(column).map { "<figure>\(HTML(markup: $0.svg()))</figure>\n" }
            }
        }
        return plots.isEmpty ? .empty : "<h2>Training</h2>\n<div class=\"figures\">\(plots)</div>"
    }

    private func lineage() -> HTML {
        var table = Table(columns: [
            .text("stage"), .text("id"), .text("state"), .number("time", unit: "s", decimals: 1), .text("made from"),
        ])
        for (role, stage, record) in stages {
            let state = record != nil ? "done" : stage.status?.state.rawValue ?? "planned"
            let inputs = record?.identity.inputs.values.sorted().joined(separator: ", ") ?? ""
            table.add([.text(role), .text(stage.id), .text(state), .number(record?.wallSeconds), .text(inputs)])
        }
        let graph = LineageGraph(
            stages.map { ($0.role, $0.stage.id, $0.record.map { Array($0.identity.inputs.values) } ?? [], $0.record != nil) })
        return """
            <h2>Stages</h2>
            <div class="scroll" tabindex="0" role="group" aria-label="Lineage">\(graph.svg)</div>
            <details><summary>As a table</summary>\(HTML(markup: table.html()))</details>
            """
    }

    private func settings() -> HTML {
        let own = FlatSettings(run.config)
        let others = (try? live.results(ofSweep: run.sweep))?.arms.flatMap { $0.runs.map(\.settings) } ?? []
        let differing = Set(FlatSettings.differing(others + [own]))
        func row(_ key: String) -> HTML {
            let (value, usual) = (own[key]?.canonical ?? "", Schema.setting(at: key)?.default.canonical ?? "")
            return "<tr><th scope=\"row\">\(key)</th><td>\(value)</td><td>\(usual == value ? "" : usual)</td></tr>\n"
        }
        func table(_ keys: [String]) -> HTML {
            """
            <div class="scroll"><table class="linked"><thead><tr><th>setting</th><th>value</th><th>default, where other</th></tr></thead>
            <tbody>\(keys.map(row))</tbody></table></div>
            """
        }
        let changed = own.keys.filter { key in Schema.setting(at: key).map { $0.default != own[key] } ?? true }
        return """
            <h2>Settings</h2>
            <h3>That differ within the sweep</h3>
            \(differing.isEmpty ? "<p>None.</p>" : table(own.keys.filter(differing.contains)))
            <details><summary>That are not at their defaults: \(changed.count)</summary>\(table(changed))</details>
            <details><summary>All: \(own.keys.count)</summary>\(table(own.keys))</details>

            """
    }

    private func pictures() -> HTML {
        let figures = entry.artifacts.filter { $0.kind == "picture" }.enumerated().map { number, picture -> HTML in
            let place = "/run/\(pathPart(run.id))/picture/\(number)"
            return
                "<figure><a href=\"\(place)\"><img loading=\"lazy\" alt=\"\(picture.description)\" src=\"\(place)\"></a><figcaption>\(picture.description)</figcaption></figure>\n"
        }
        return figures.isEmpty ? .empty : "<h2>Pictures</h2>\n<div class=\"figures\">\(figures)</div>\n"
    }

    private func logs() -> HTML {
        let logs = stages.compactMap { role, stage, _ -> HTML? in
            let lines = live.log(ofStage: stage.id, lines: 40)
            return lines.isEmpty ? nil : "<details><summary>\(role)</summary><pre>\(lines.joined(separator: "\n"))</pre></details>\n"
        }
        return logs.isEmpty ? .empty : "<h2>Logs</h2>\n\(logs)"
    }
}

/// Notes and tags of a run with the forms that change them.
struct NotesForm {
    private let entry: IndexedRun
    private let isTrusted: Bool

    init(_ entry: IndexedRun, isTrusted: Bool) { (self.entry, self.isTrusted) = (entry, isTrusted) }

    var section: HTML {
        let place = "/run/\(pathPart(entry.run.id))"
        let off: HTML = isTrusted ? .empty : " disabled"
        let tags = entry.annotations.tags.sorted().map { tag -> HTML in
            """
            <li>\(tag) <form method="post" action="\(place)/tags"><input type="hidden" name="remove" value="\(tag)">\
            <button class="plain" aria-label="Remove the tag \(tag)"\(off)>×</button></form></li>
            """
        }
        let notes = entry.annotations.notes.enumerated().map { number, note -> HTML in
            """
            <article><p>\(note.text)</p><p class="notes">\(note.written.ISO8601Format())</p>
            <details><summary>Edit note \(number + 1)</summary>
            <form method="post" action="\(place)/notes"><input type="hidden" name="remove" value="\(number + 1)">
            <label>Note \(number + 1) <textarea name="text">\(note.text)</textarea></label>
            <button\(off)>Save</button><span role="status"></span></form>
            <form method="post" action="\(place)/notes"><input type="hidden" name="remove" value="\(number + 1)">\
            <button class="plain"\(off)>Remove note \(number + 1)</button></form></details></article>

            """
        }
        let hint: HTML =
            isTrusted ? .empty : "<p>To write here, open the address with the token that 'prologue serve' printed when it started.</p>"
        return """
            <h2>Notes and tags</h2>
            \(hint)\(tags.isEmpty ? .empty : "<ul class=\"chips\">\(tags)</ul>")
            <form method="post" action="\(place)/tags"><label>New tag <input name="add" maxlength="64"></label>
            <button\(off)>Add tag</button><span role="status"></span></form>
            \(notes)
            <form method="post" action="\(place)/notes"><label>New note <textarea name="text"></textarea></label>
            <button\(off)>Add note</button><span role="status"></span></form>

            """
    }
}

/// Stages as boxes from left to right, each right of what it was made from.
struct LineageGraph {
    private let stages: [(role: String, id: String, inputs: [String], isDone: Bool)]

    init(_ stages: [(role: String, id: String, inputs: [String], isDone: Bool)]) { self.stages = stages }

    var svg: HTML {
        let known = Dictionary(stages.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        var depths: [String: Int] = [:]
        func depth(_ id: String, _ seen: Set<String>) -> Int {
            if let depth = depths[id] { return depth }
            let inputs = known[id]?.inputs.filter { known[$0] != nil && !seen.contains($0) } ?? []
            let found = (inputs.map { depth($0, seen.union([id])) }.max() ?? -1) + 1
            depths[id] = found
            return found
        }
        var columns: [Int: [String]] = [:]
        for stage in stages where !(columns[depth(stage.id, [])] ?? []).contains(stage.id) {
            columns[depth(stage.id, []), default: []].append(stage.id)
        }
        let (width, height, gap, step) = (190, 40, 56, 54)
        var places: [String: (x: Int, y: Int)] = [:]
        for (column, ids) in columns { for (row, id) in ids.enumerated() { places[id] = (4 + column * (width + gap), 4 + row * step) } }
        let lines = stages.flatMap { stage in
            stage.inputs.compactMap { input -> HTML? in
                guard let from = places[input], let to = places[stage.id] else { return nil }
                let (x1, y1, x2, y2) = (from.x + width, from.y + height / 2, to.x, to.y + height / 2)
                return "<path d=\"M\(x1) \(y1) C\(x1 + gap / 2) \(y1) \(x2 - gap / 2) \(y2) \(x2) \(y2)\"/>"
            }
        }
        let boxes = places.sorted { $0.key < $1.key }.map { id, place -> HTML in
            let roles = stages.filter { $0.id == id }.map(\.role).joined(separator: ", ")
            let dash: HTML = known[id]?.isDone == true ? .empty : " stroke-dasharray=\"4 3\""
            return """
                <rect x="\(place.x)" y="\(place.y)" width="\(width)" height="\(height)" rx="5"\(dash)><title>\(id)</title></rect>\
                <text x="\(place.x + 10)" y="\(place.y + 25)">\(String(roles.prefix(24)))</text>
                """
        }
        let full = (4 + columns.count * (width + gap), 8 + (columns.values.map(\.count).max() ?? 0) * step)
        return """
            <svg class="lineage" role="img" aria-label="What each stage was made from" width="\(full.0)" height="\(full.1)" \
            viewBox="0 0 \(full.0) \(full.1)">\(lines)\(boxes)</svg>
            """
    }
}
