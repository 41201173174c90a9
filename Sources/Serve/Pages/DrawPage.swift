import Experiment
import Files
import Foundation
import Report
import RunStore

/// Pictures drawn on demand: of a class, with the prologue of another picture, with a token replaced.
struct DrawPage {
    private let live: LiveStore
    private let desk: DrawDesk
    private let request: Request

    init(_ live: LiveStore, _ desk: DrawDesk, _ request: Request) { (self.live, self.desk, self.request) = (live, desk, request) }

    func page(_ isTrusted: Bool) throws -> HTML {
        let job = request.query["job"].flatMap(Int.init).flatMap(desk.job)
        let hint: HTML =
            isTrusted ? .empty : "<p>Drawing needs the token: open the second address that 'prologue serve' printed when it started.</p>"
        let content = hint + (try form(job, isTrusted)) + HTML.live("drawing", state(job, isTrusted)) + recent
        return Layout(title: "Draw", topic: .drawing, isTrusted: isTrusted, here: .draw).page(content)
    }

    // MARK: What to draw

    private static let mostRuns = 500

    /// Runs that have a finished prior, newest first.
    private func runs() throws -> [String] {
        try live.kept("drawable") {
            try live.rows(
                """
                SELECT runs.id FROM runs JOIN run_parts ON run_parts.run = runs.number AND role = 'prior'
                JOIN stages ON stages.id = stage_id WHERE stages.finished IS NOT NULL
                ORDER BY runs.created DESC, runs.id LIMIT \(Self.mostRuns)
                """
            ).compactMap { $0[0].stringValue }
        }
    }

    private func form(_ job: DrawDesk.Job?, _ isTrusted: Bool) throws -> HTML {
        let runs = try runs()
        guard !runs.isEmpty else { return "<p>No run has a finished prior yet.</p>" }
        let chosen = request.query["run"] ?? job?.run ?? runs[0]
        let asked = job?.request ?? RunDrawing.Request()
        let options = (runs.contains(chosen) ? runs : [chosen] + runs).map { run -> HTML in
            "<option\(run == chosen ? " selected" as HTML : .empty)>\(run)</option>"
        }
        return """
            <form method="post" action="/draw">
            <label>Run <select name="run">\(options)</select></label>
            <label>Class number; empty for none <input name="class" value="\(asked.label.map(String.init) ?? (job == nil ? "0" : ""))"></label>
            <label>Pictures <input type="number" name="count" min="1" max="\(RunDrawing.most)" value="\(asked.count)"></label>
            <label>Seed <input type="number" name="seed" min="0" value="\(asked.seed)"></label>
            <label>Temperature <input type="number" name="temperature" min="0.05" max="10" step="0.05" value="\(NumberFormat.exact(asked.temperature))"></label>
            <label>Guidance <input type="number" name="guidance" min="0" max="20" step="0.1" value="\(NumberFormat.exact(asked.guidance))"></label>
            <button\(isTrusted ? .empty : " disabled" as HTML)>Draw</button><span role="status"></span>
            </form>

            """
    }

    // MARK: What has been drawn

    private func state(_ job: DrawDesk.Job?, _ isTrusted: Bool) -> HTML {
        guard let job else {
            return desk.running.map { "<p>Job \($0.number) is being drawn: <a href=\"/draw?job=\($0.number)\">look at it</a>.</p>" }
                ?? .empty
        }
        switch job.state {
        case .running(let drawn):
            return """
                <h2>Drawing</h2>
                <p><progress max="\(job.request.count)" value="\(drawn)" aria-label="pictures drawn"></progress> \
                \(drawn) of \(job.request.count), from \(job.run)</p>
                <form method="post" action="/draw/cancel"><button>Cancel</button><span role="status"></span></form>
                """
        case .failed(let message): return "<h2>Failed</h2>\n<p class=\"error\">\(message)</p>"
        case .cancelled: return "<h2>Cancelled</h2>\n<p>Nothing was kept.</p>"
        case .done(let drawn):
            let number = request.query["picture"].flatMap(Int.init)
            return number.map { drawn.ids.indices.contains($0) ? Self.picture(job, drawn, $0, isTrusted) : .empty }
                ?? Self.sheet(job, drawn)
        }
    }

    private static func title(_ job: DrawDesk.Job, _ drawn: RunDrawing.Drawn) -> String {
        let request = job.request
        var parts = [drawn.className.map { "class \(request.label ?? 0) (\($0))" } ?? "no class", "seed \(request.seed)"]
        if request.temperature != 1 { parts.append("temperature \(NumberFormat.exact(request.temperature))") }
        if request.guidance != 0 { parts.append("guidance \(NumberFormat.exact(request.guidance))") }
        if !request.given.isEmpty { parts.append("first \(request.given.count) tokens given") }
        return parts.joined(separator: ", ")
    }

    private static func sheet(_ job: DrawDesk.Job, _ drawn: RunDrawing.Drawn) -> HTML {
        let figures = drawn.ids.indices.map { number -> HTML in
            """
            <figure><a href="/draw?job=\(job.number)&amp;picture=\(number)"><img class="pixels" src="/draw/\(job.number)/\(number).png" \
            alt="Picture \(number), \(title(job, drawn))"></a><figcaption>picture \(number), \(bits(drawn, number))</figcaption></figure>

            """
        }
        return """
            <h2>\(title(job, drawn))</h2>
            <p>From <a href="/run/\(pathPart(job.run))">\(job.run)</a>. A picture leads to its tokens, and to what can be done with them. \
            <a href="/draw/\(job.number)/pictures.npz">Save all as npz</a></p>
            <div class="drawn">\(figures)</div>
            """
    }

    private static func bits(_ drawn: RunDrawing.Drawn, _ number: Int) -> String {
        "\(NumberFormat.fixed(drawn.bits[number].reduce(0, +), decimals: 1)) bits"
    }

    private static func picture(_ job: DrawDesk.Job, _ drawn: RunDrawing.Drawn, _ number: Int, _ isTrusted: Bool) -> HTML {
        let ids = drawn.ids[number].map(String.init).joined(separator: " ")
        let kept = drawn.prologueTokens > 0 ? drawn.prologueTokens : min(8, drawn.ids[number].count)
        let what = drawn.prologueTokens > 0 ? "prologue" : "first tokens"
        let off: HTML = isTrusted ? .empty : " disabled"
        let from: HTML = """
            <input type="hidden" name="from" value="\(job.number)"><input type="hidden" name="picture" value="\(number)">
            """
        return """
            <h2>Picture \(number): \(title(job, drawn))</h2>
            <p><a href="/draw?job=\(job.number)">All pictures of this job</a></p>
            <div class="closer"><img class="pixels" src="/draw/\(job.number)/\(number).png" alt="Picture \(number), \(title(job, drawn))">
            <div><dl><dt>Run</dt><dd><a href="/run/\(pathPart(job.run))">\(job.run)</a></dd><dt>Seed</dt><dd>\(job.request.seed), picture \(number)</dd>
            <dt>Cost</dt><dd>\(bits(drawn, number))</dd><dt>Tokens</dt><dd class="tokens">\(ids)</dd></dl>
            <p><a href="/draw/\(job.number)/\(number).png?save=1">Save as PNG</a> <a href="/draw/\(job.number)/pictures.npz">Save all as npz</a></p></div></div>
            <form method="post" action="/draw">\(from)
            <label>Tokens kept (\(what): \(kept)) <input type="number" name="keep" min="0" max="\(drawn.ids[number].count)" value="\(kept)"></label>
            <label>Class number; empty for none <input name="class" value="\(job.request.label.map(String.init) ?? "")"></label>
            <label>Pictures <input type="number" name="count" min="1" max="\(RunDrawing.most)" value="\(job.request.count)"></label>
            <label>Seed <input type="number" name="seed" min="0" value="\(job.request.seed + 1)"></label>
            <label>Guidance <input type="number" name="guidance" min="0" max="20" step="0.1" value="\(NumberFormat.exact(job.request.guidance))"></label>
            <label>Replace token number <input type="number" name="position" min="0" max="\(max(0, kept - 1))" placeholder="none"></label>
            <label>by code <input type="number" name="code" min="0" max="\(max(0, (drawn.prologueTokens > 0 ? drawn.prologueCodes : drawn.visualCodes) - 1))" placeholder="none"></label>
            <button\(off)>Keep the \(what) and draw the rest</button><span role="status"></span></form>
            <h3>Bits per token</h3>
            \(costs(drawn, number))
            """
    }

    /// What each token cost the prior: the prologue as a row, the image's tokens as they lie.
    private static func costs(_ drawn: RunDrawing.Drawn, _ number: Int) -> HTML {
        let bits = drawn.bits[number]
        func map(_ title: String, _ values: [Double], columns: Int) -> HTML {
            guard !values.isEmpty else { return .empty }
            let rows = stride(from: 0, to: values.count, by: columns).map { start in
                (start..<start + columns).map {
                    HeatMap.Cell(
                        $0 < values.count ? values[$0] : nil, text: $0 < values.count ? NumberFormat.fixed(values[$0], decimals: 1) : "")
                }
            }
            let plot = HeatMap(
                title: title, xLabel: "token", yLabel: "", rowLabels: rows.indices.map { String($0 * columns) },
                columnLabels: (0..<columns).map(String.init), cells: rows, legend: "bits")
            return "<figure>\(HTML(markup: plot.svg()))</figure>"
        }
        let visual = Array(bits[drawn.visualStart...])
        let side = Int(Double(visual.count).squareRoot())
        let prologue = Array(bits[..<drawn.prologueTokens])
        return """
            <div class="figures">\(map("Prologue", prologue, columns: min(16, max(1, prologue.count))))\
            \(map("Tokens of the image", visual, columns: side * side == visual.count ? side : min(16, visual.count)))</div>
            """
    }

    private var recent: HTML {
        let jobs = desk.all
        guard !jobs.isEmpty else { return .empty }
        let items = jobs.map { job -> HTML in
            let state =
                switch job.state {
                case .running: "being drawn"
                case .done(let drawn): Self.title(job, drawn)
                case .failed: "failed"
                case .cancelled: "cancelled"
                }
            return "<li><a href=\"/draw?job=\(job.number)\">Job \(job.number)</a>: \(job.run), \(state)</li>\n"
        }
        return "<h2>Drawn before</h2>\n<ul>\(items)</ul>\n"
    }
}

/// A form of the page as what is to be drawn.
struct DrawForm {
    let run: String
    let request: RunDrawing.Request

    init(_ form: [String: String], _ live: LiveStore, _ desk: DrawDesk) throws {
        var request = RunDrawing.Request()
        func number<Value>(_ key: String, _ read: (String) -> Value?) throws -> Value? {
            guard let text = form[key]?.trimmingCharacters(in: .whitespaces), !text.isEmpty else { return nil }
            guard let value = read(text) else { throw InputError("\(key) is a number, not '\(text)'.") }
            return value
        }
        request.count = try number("count", Int.init) ?? request.count
        request.seed = try number("seed", Int.init) ?? request.seed
        request.temperature = try number("temperature", Double.init) ?? request.temperature
        request.guidance = try number("guidance", Double.init) ?? request.guidance
        guard request.seed >= 0, request.seed < 1 << 53 else { throw InputError("A seed is 0 or more, not \(request.seed).") }
        if let from = try number("from", Int.init) {
            let number = try number("picture", Int.init) ?? 0
            guard let job = desk.job(from), case .done(let drawn) = job.state, drawn.ids.indices.contains(number) else {
                throw InputError("Job \(from) is not kept any more; draw it again.")
            }
            run = job.run
            request.given = Array(drawn.ids[number].prefix(max(0, try Self.integer(form["keep"]) ?? drawn.visualStart)))
            // With the prologue comes the token that ends it.
            if request.given.count == drawn.prologueTokens { request.given = Array(drawn.ids[number].prefix(drawn.visualStart)) }
            if let position = try Self.integer(form["position"]) {
                guard request.given.indices.contains(position) else {
                    throw InputError("Token \(position) is not among the \(request.given.count) that are kept.")
                }
                guard let code = try Self.integer(form["code"]) else {
                    throw InputError("Say by which code token \(position) is replaced.")
                }
                let isPrologue = position < drawn.prologueTokens
                guard (0..<(isPrologue ? drawn.prologueCodes : drawn.visualCodes)).contains(code) else {
                    throw InputError("A code is 0 to \((isPrologue ? drawn.prologueCodes : drawn.visualCodes) - 1), not \(code).")
                }
                request.given[position] = Int32(code + (isPrologue ? drawn.visualCodes : 0))
            }
            if form["temperature"] == nil { request.temperature = job.request.temperature }
        } else {
            guard let given = form["run"], try live.hasRun(given) else { throw InputError("There is no such run.") }
            run = given
        }
        request.label = try Self.label(form["class"] ?? "", of: run, live)
        self.request = request
    }

    private static func integer(_ text: String?) throws -> Int? {
        guard let text = text?.trimmingCharacters(in: .whitespaces), !text.isEmpty else { return nil }
        guard let value = Int(text) else { throw InputError("This is no number: '\(text)'.") }
        return value
    }

    private static func label(_ text: String, of run: String, _ live: LiveStore) throws -> Int? {
        let text = text.trimmingCharacters(in: .whitespaces)
        if text.isEmpty { return nil }
        guard let number = Int(text), (0..<1_000_000).contains(number) else {
            throw InputError("A class is named by its number, not '\(text)'.")
        }
        return number
    }
}
