import Experiment
import Foundation
import Report

/// One picture of a job at its size: its tokens, what each cost, and what can be drawn from them.
struct DrawnPicture {
    private let job: DrawDesk.Job
    private let place: Int
    private let number: Int
    private let drawn: RunDrawing.Drawn
    private let names: [String]

    /// Nil where the job has drawn no such picture.
    init?(_ job: DrawDesk.Job, part: Int, _ number: Int, _ live: LiveStore) {
        guard let drawn = job.drawn(part), drawn.ids.indices.contains(number) else { return nil }
        (self.job, place, self.number, self.drawn) = (job, part, number, drawn)
        names = live.classNames(ofRun: drawn.run)
    }

    private var request: RunDrawing.Request { drawn.request }

    /// What was asked for, in words.
    static func title(_ request: RunDrawing.Request, _ className: String?) -> String {
        var parts = [className.map { "class \(request.label ?? 0) (\($0))" } ?? "no class", "seed \(request.seed)"]
        if let step = request.step { parts.append("after \(step) steps") }
        if request.temperature != 1 { parts.append("temperature \(NumberFormat.exact(request.temperature))") }
        if request.guidance != 0 { parts.append("guidance \(NumberFormat.exact(request.guidance))") }
        if !request.given.isEmpty { parts.append("first \(request.given.count) tokens given") }
        return parts.joined(separator: ", ")
    }

    static func bits(_ drawn: RunDrawing.Drawn, _ number: Int) -> String {
        "\(NumberFormat.fixed(drawn.bits[number].reduce(0, +), decimals: 1)) bits"
    }

    func html(_ isTrusted: Bool) -> HTML {
        let (title, image) = (Self.title(request, drawn.className), "/draw/\(job.number)/\(place)/\(number).png")
        return """
            <h2>Picture \(number): \(title)</h2>
            <p><a href="/draw?job=\(job.number)">All pictures of this job</a></p>
            <div class="closer"><img class="pixels" src="\(image)" alt="Picture \(number), \(title)">
            <div><dl><dt>Run</dt><dd><a href="/run/\(pathPart(drawn.run))">\(drawn.run)</a></dd><dt>Seed</dt><dd>\(request.seed), picture \(number)</dd>
            <dt>Cost</dt><dd>\(Self.bits(drawn, number))</dd><dt>Tokens</dt><dd class="tokens">\(drawn.ids[number].map(String.init).joined(separator: " "))</dd></dl>
            <p><a href="\(image)?save=1">Save as PNG</a> <a href="/draw/\(job.number)/\(place)/pictures.npz">Save all as npz</a></p></div></div>
            \(further(isTrusted))
            """
    }

    /// What each token cost, and the form that draws on from it.
    func further(_ isTrusted: Bool) -> HTML {
        let kept = drawn.prologueTokens > 0 ? drawn.prologueTokens : min(8, drawn.ids[number].count)
        let what = drawn.prologueTokens > 0 ? "prologue" : "first tokens"
        let codes = drawn.prologueTokens > 0 ? drawn.prologueCodes : drawn.visualCodes
        return """
            <h3>Bits per token</h3>
            \(costs)
            <h3>Draw from it</h3>
            <form method="post" action="/draw"><input type="hidden" name="from" value="\(job.number)">\
            <input type="hidden" name="part" value="\(place)"><input type="hidden" name="picture" value="\(number)">
            <label>Tokens kept (\(what): \(kept)) <input type="number" name="keep" min="0" max="\(drawn.ids[number].count)" value="\(kept)"></label>
            \(ClassChoice(names, chosen: request.label).control)
            <label>Pictures <input type="number" name="count" min="1" max="\(RunDrawing.most)" value="\(max(10, request.count))"></label>
            <label>Seed <input type="number" name="seed" min="0" value="\(request.seed + 1)"></label>
            <label>Guidance <input type="number" name="guidance" min="0" max="20" step="0.1" value="\(NumberFormat.exact(request.guidance))"></label>
            <label>Replace token number <input type="number" name="position" min="0" max="\(max(0, kept - 1))" placeholder="none"></label>
            <label>by code <input type="number" name="code" min="0" max="\(max(0, codes - 1))" placeholder="none"></label>
            <button\(isTrusted ? .empty : " disabled" as HTML)>Keep the \(what) and draw the rest</button><span role="status"></span></form>

            """
    }

    /// The prologue as a row, the image's tokens as they lie.
    private var costs: HTML {
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
}
