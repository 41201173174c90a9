import Experiment
import Files
import Foundation
import Report
import RunStore
import Settings

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
        let content = hint + (try form(job, isTrusted)) + HTML.live("drawing", state(job, isTrusted)) + HTML.live("recent", recent)
        return Layout(title: "Draw", topic: .drawing, isTrusted: isTrusted, here: .draw).page(content)
    }

    /// One picture of a job; nil where there is none.
    static func picture(_ live: LiveStore, _ desk: DrawDesk, job: Int, part: Int, _ number: Int, _ isTrusted: Bool) -> HTML? {
        guard let picture = desk.job(job).flatMap({ DrawnPicture($0, part: part, number, live) }) else { return nil }
        return Layout(title: "Draw", topic: nil, isTrusted: isTrusted, here: .draw).page(picture.html(isTrusted))
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
        let chosen = try request.query["run"].flatMap { try live.hasRun($0) ? $0 : nil } ?? job?.parts[0].run ?? runs[0]
        let asked = job?.parts.last?.request ?? RunDrawing.Request()
        let options = (runs.contains(chosen) ? runs : [chosen] + runs).map { run -> HTML in
            "<option\(run == chosen ? " selected" as HTML : .empty)>\(run)</option>"
        }
        return """
            <form data-now action="/draw"><label>Run <select name="run">\(options)</select></label><button>Choose</button></form>
            <form method="post" action="/draw"><input type="hidden" name="run" value="\(chosen)">
            \(ClassChoice(live.classNames(ofRun: chosen), chosen: job == nil ? 0 : asked.label).control)
            <label>Pictures <input type="number" name="count" min="1" max="\(RunDrawing.most)" value="\(max(asked.count, 10))"></label>
            <label>Seed <input type="number" name="seed" min="0" value="\(asked.seed)"></label>
            <label>Temperature <input type="number" name="temperature" min="0.05" max="10" step="0.05" value="\(NumberFormat.exact(asked.temperature))"></label>
            <label>Guidance <input type="number" name="guidance" min="0" max="20" step="0.1" value="\(NumberFormat.exact(asked.guidance))"></label>
            \(snapshots(of: chosen, asked.step))<button\(isTrusted ? .empty : " disabled" as HTML)>Draw</button><span role="status"></span>
            </form>

            """
    }

    /// The choice among the prior's snapshots, where it has any.
    private func snapshots(of run: String, _ chosen: Int?) -> HTML {
        guard let config = try? live.store.run(run).config, let steps = (try? RunSettings(config, from: run))?.prior.snapshots,
            !steps.isEmpty
        else { return .empty }
        let options = steps.map {
            "<option value=\"\($0)\"\($0 == chosen ? " selected" as HTML : .empty)>after \($0) steps</option>" as HTML
        }
        return "<label>Prior <select name=\"step\"><option value=\"\">at its end</option>\(options)</select></label>"
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
                <p><progress max="\(job.count)" value="\(drawn)" aria-label="pictures drawn"></progress> \
                \(drawn) of \(job.count), from \(job.parts.map(\.run).uniqued().joined(separator: ", "))</p>
                <form method="post" action="/draw/cancel"><button>Cancel</button><span role="status"></span></form>
                """
        case .failed(let message): return "<h2>Failed</h2>\n<p class=\"error\">\(message)</p>"
        case .cancelled: return "<h2>Cancelled</h2>\n<p>Nothing was kept.</p>"
        case .done:
            if case .sweep(let name) = job.subject {
                return "<h2>Arms of <a href=\"/sweep/\(pathPart(name))\">\(name)</a></h2>\n" + ArmDrawings(job, live).html
            }
            return job.drawn(0).map { Self.sheet(job, $0) } ?? .empty
        }
    }

    private static func sheet(_ job: DrawDesk.Job, _ drawn: RunDrawing.Drawn) -> HTML {
        let title = DrawnPicture.title(drawn.request, drawn.className)
        let figures = drawn.ids.indices.map { number -> HTML in
            """
            <figure><a href="/draw/\(job.number)/0/\(number)"><img class="pixels" src="/draw/\(job.number)/0/\(number).png" \
            alt="Picture \(number), \(title)"></a><figcaption>picture \(number), \(DrawnPicture.bits(drawn, number))</figcaption></figure>

            """
        }
        return """
            <h2>\(title)</h2>
            <p>From <a href="/run/\(pathPart(drawn.run))">\(drawn.run)</a>. A picture leads to its tokens, and to what can be done with them. \
            <a href="/draw/\(job.number)/0/pictures.npz">Save all as npz</a></p>
            <div class="drawn">\(figures)</div>
            """
    }

    private var recent: HTML {
        let jobs = desk.all
        guard !jobs.isEmpty else { return .empty }
        let items = jobs.map { job -> HTML in
            let state =
                switch job.state {
                case .running: "being drawn"
                case .done where job.parts.count > 1: "\(job.count) pictures"
                case .done: job.drawn(0).map { DrawnPicture.title($0.request, $0.className) } ?? "done"
                case .failed: "failed"
                case .cancelled: "cancelled"
                }
            return "<li><a href=\"/draw?job=\(job.number)\">Job \(job.number)</a>: \(Self.subject(job)), \(state)</li>\n"
        }
        return "<h2>Drawn before</h2>\n<ul>\(items)</ul>\n"
    }

    private static func subject(_ job: DrawDesk.Job) -> String {
        switch job.subject {
        case .asked: job.parts[0].run
        case .sample(let run, let sampler, let number): "sample \(number) of \(run) under '\(sampler)'"
        case .sweep(let name): "arms of \(name)"
        }
    }
}
