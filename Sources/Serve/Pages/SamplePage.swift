import Experiment
import Files
import Foundation
import Report
import RunStore

/// One stored sample at its size: what made it, its tokens, and what each cost the prior.
struct SamplePage {
    private let run: RunRecord
    private let sampler: String
    private let number: Int
    private let samples: StoredSamples
    private let live: LiveStore
    private let desk: DrawDesk

    /// Nil where the run has no such sample.
    init?(run: String, sampler: String, _ number: Int?, _ live: LiveStore, _ desk: DrawDesk) throws {
        guard try live.hasRun(run), let number, let samples = try live.samples(ofRun: run, sampler), samples.labels.indices.contains(number)
        else { return nil }
        (self.run, self.sampler, self.number, self.samples) = (try live.store.run(run), sampler, number, samples)
        (self.live, self.desk) = (live, desk)
    }

    func page(_ isTrusted: Bool) throws -> HTML {
        let label = Int(samples.labels[number])
        let (base, names) = ("/run/\(pathPart(run.id))/samples/\(pathPart(sampler))/", live.classNames(ofRun: run.id))
        let tokens = try samples.tokens(number)
        let neighbours = samples.numbers[label] ?? []
        let place = neighbours.firstIndex(of: number) ?? 0
        func link(_ place: Int, _ text: String) -> HTML {
            neighbours.indices.contains(place) ? "<a href=\"\(base)\(neighbours[place])\">\(text)</a> " : .empty
        }
        let stages = ["samples.\(sampler)", "prior", "tokens", "tokenizer"].compactMap { role in
            run.stages[role].map { "<dt>\(role)</dt><dd>\($0)</dd>\n" as HTML }
        }
        let title = "Sample \(number) under '\(sampler)'"
        let content: HTML = """
            <p>\(link(place - 1, "The one before of this class"))\(link(place + 1, "The next of this class"))</p>
            <div class="closer"><img class="pixels" src="\(base)\(number).png" alt="\(title)">
            <div><dl><dt>Run</dt><dd><a href="/run/\(pathPart(run.id))">\(run.id)</a></dd>
            <dt>Sweep</dt><dd><a href="/sweep/\(pathPart(run.sweep))">\(run.sweep)</a>, \(run.cell)</dd>
            <dt>Class</dt><dd>\(className(label, among: names))</dd>
            <dt>Seed</dt><dd>\(samples.seed.map(String.init) ?? "–"), sample \(number) of \(samples.count)</dd>
            <dt>Sampler</dt><dd class="tokens">\(samples.settings == .null ? "–" : samples.settings.canonical)</dd>
            \(stages)<dt>Tokens</dt><dd class="tokens">\(tokens.map(String.init).joined(separator: " "))</dd></dl>
            <p><a href="\(base)\(number).png?save=1">Save as PNG</a></p></div></div>

            """
        let costs =
            isTrusted
            ? costs(tokens, label)
            : "<p>What its tokens cost is worked out for those who have the token: open the second address that 'prologue serve' printed.</p>"
        return Layout(title: title, topic: .drawing, isTrusted: isTrusted, here: nil).page(content + .live("costs", costs))
    }

    /// The prior is asked once what it thinks of these tokens; the job's result is kept like that of other jobs.
    private func costs(_ tokens: [Int32], _ label: Int) -> HTML {
        let subject = DrawDesk.Subject.sample(run: run.id, sampler: sampler, number: number)
        var job = desk.job(about: subject)
        if case .cancelled? = job?.state { job = nil }
        guard let job else {
            var request = RunDrawing.Request()
            (request.count, request.label, request.given) = (1, label < 0 ? nil : label, tokens)
            request.seed = samples.seed ?? 0
            // Where something else is drawn just now, the page asks again when that is done.
            _ = try? desk.begin([.init(run: run.id, request)], about: subject)
            return "<p>Bits per token: being worked out …</p>"
        }
        switch job.state {
        case .running, .cancelled: return "<p>Bits per token: being worked out …</p>"
        case .failed(let message): return "<p class=\"error\">\(message)</p>"
        case .done:
            guard let picture = DrawnPicture(job, part: 0, 0, live), let drawn = job.drawn(0) else { return .empty }
            return """
                <p>Together \(DrawnPicture.bits(drawn, 0)) for the prior's averaged weights, told \(className(label, among: live.classNames(ofRun: run.id))), \
                without guidance.</p>
                \(picture.further(true))
                """
        }
    }
}
