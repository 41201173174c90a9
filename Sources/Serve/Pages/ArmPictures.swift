import Experiment
import Foundation
import RunStore
import Settings

/// Pictures of all arms in aligned columns: stored samples class by class, what is drawn from their snapshots, and the pictures
/// that stages left.
struct ArmPictures {
    private let live: LiveStore
    private let desk: DrawDesk
    private let results: SweepResults
    private let request: Request
    private let seed: Int
    private let runs: [(label: String, id: String)]

    init(_ live: LiveStore, _ desk: DrawDesk, _ results: SweepResults, _ request: Request) {
        (self.live, self.desk, self.results, self.request) = (live, desk, results, request)
        let seeds = Self.seeds(of: results)
        seed = request.query["seed"].flatMap(Int.init) ?? seeds.first ?? 0
        runs = Self.runs(of: results, seed: seed)
    }

    private static let mostArms = 24
    private static let mostClasses = 100
    /// Samples of a class that each arm shows.
    private static let shown = 8

    private static func seeds(of results: SweepResults) -> [Int] { Set(results.arms.flatMap { $0.runs.map(\.seed) }).sorted() }

    /// The run of each arm with this seed, of the first arms.
    private static func runs(of results: SweepResults, seed: Int) -> [(label: String, id: String)] {
        results.arms.prefix(mostArms).compactMap { arm in arm.runs.first { $0.seed == seed && $0.state != nil }.map { (arm.label, $0.id) } }
    }

    func section(_ isTrusted: Bool) -> HTML {
        let parts = samples() + overSnapshots(isTrusted) + pictures()
        guard !runs.isEmpty, !parts.text.isEmpty else { return .empty }
        let options = Self.seeds(of: results).map { "<option\($0 == seed ? " selected" as HTML : .empty)>\($0)</option>" as HTML }
        let left = results.arms.count - Self.mostArms
        return """
            <h2 id="pictures">Pictures side by side</h2>
            \(left > 0 ? "<p>The first \(Self.mostArms) arms; \(left) more have pictures of their own pages.</p>\n" : .empty)\
            <form data-now action="#pictures"><label>Seed <select name="seed">\(options)</select></label><button>Show</button></form>
            \(parts)
            """
    }

    // MARK: Stored samples

    /// Samples of one class of every arm, with a slider over the classes.
    private func samples() -> HTML {
        let samplers = Set(runs.flatMap { (try? live.samplers(ofRun: $0.id)) ?? [] }).sorted()
        guard let usual = samplers.first else { return .empty }
        let chosen = request.query["sampler"].flatMap { samplers.contains($0) ? $0 : nil } ?? usual
        let found = runs.map { try? live.samples(ofRun: $0.id, chosen) }
        // Classes that all have; a run that has drawn nothing yet takes nothing away.
        let drawn = found.compactMap { $0.map { Set($0.numbers.keys) } }
        let shared = drawn.dropFirst().reduce(drawn.first ?? []) { $0.intersection($1) }
        let classes = Array(shared.sorted().prefix(Self.mostClasses))
        guard !classes.isEmpty else { return .empty }
        let names = live.classNames(ofRun: runs[0].id)
        let columns = zip(runs, found).map { run, samples -> PictureSlider.Column in
            let pictures = (0..<Self.shown).map { place in
                classes.map { label -> String in
                    guard let numbers = samples?.numbers[label], numbers.indices.contains(place) else { return "" }
                    return String(numbers[place])
                }
            }
            return PictureSlider.Column(
                title: run.label, base: "/run/\(pathPart(run.id))/samples/\(pathPart(chosen))/", pictures: samples == nil ? [] : pictures)
        }
        let slider = PictureSlider(
            id: "by-class", name: "Class", positions: classes.map { className($0, among: names) }, columns: columns)
        let options = samplers.map { "<option\($0 == chosen ? " selected" as HTML : .empty)>\($0)</option>" as HTML }
        return """
            <h3>Samples class by class</h3>
            <p>A picture leads to its tokens, what each cost in bits, and what made it.</p>
            <form data-now action="#pictures"><label>Sampler <select name="sampler">\(options)</select></label><button>Show</button></form>
            \(slider.html)
            """
    }

    // MARK: Over snapshots

    private func overSnapshots(_ isTrusted: Bool) -> HTML {
        guard !runs.isEmpty else { return .empty }
        let last = desk.job(about: .sweep(results.name)).map { ArmDrawings($0, live).html } ?? .empty
        let choice = ClassChoice(live.classNames(ofRun: runs[0].id), chosen: 0)
        return """
            <h3 id="snapshots">The same class and seed over training</h3>
            <p>Drawn now from every arm's prior, as it was after each of its <code>prior.snapshots</code> and at its end.</p>
            <form method="post" action="/draw"><input type="hidden" name="sweep" value="\(results.name)">\
            <input type="hidden" name="run-seed" value="\(seed)">
            \(choice.control)
            <label>Pictures of each <input type="number" name="count" min="1" max="\(RunDrawing.most)" value="4"></label>
            <label>Seed of drawing <input type="number" name="seed" min="0" value="0"></label>
            <button\(isTrusted ? .empty : " disabled" as HTML)>Draw from every arm</button><span role="status"></span></form>
            \(last)
            """
    }

    /// What is to be drawn where a form asks for all arms: from each snapshot that an arm's prior has been asked to keep, and from
    /// its end.
    static func parts(_ results: SweepResults, seed: Int, _ asked: RunDrawing.Request, _ live: LiveStore) throws -> [DrawDesk.Part] {
        try runs(of: results, seed: seed).flatMap { label, id -> [DrawDesk.Part] in
            let settings = try RunSettings(live.store.run(id).config, from: "run \(id)")
            let steps: [Int?] = settings.prior.snapshots + [nil]
            return steps.map { step in
                var request = asked
                request.step = step
                return DrawDesk.Part(run: id, label: label, request)
            }
        }
    }

    // MARK: Pictures of stages

    private func pictures() -> HTML {
        var kinds: [String] = []
        var pictures: [[String: Int]] = []
        for (_, id) in runs {
            let all = ((try? live.store.artifacts(ofRun: id)) ?? []).filter { $0.kind == "picture" }
            pictures.append(Dictionary(all.enumerated().map { ($1.description, $0) }, uniquingKeysWith: { first, _ in first }))
            for artifact in all where !kinds.contains(artifact.description) { kinds.append(artifact.description) }
        }
        let rows = kinds.map { kind -> HTML in
            let figures = zip(runs, pictures).map { run, pictures -> HTML in
                guard let number = pictures[kind] else { return "<figure><figcaption>\(run.label): not yet</figcaption></figure>" }
                let place = "/run/\(pathPart(run.id))/picture/\(number)"
                return """
                    <figure><a href="\(place)"><img loading="lazy" alt="\(kind), \(run.label), seed \(seed)" src="\(place)"></a>\
                    <figcaption>\(run.label)</figcaption></figure>
                    """
            }
            return "<h3>\(kind)</h3>\n<div class=\"pictures\" tabindex=\"0\" role=\"group\" aria-label=\"\(kind)\">\(figures)</div>\n"
        }
        return rows.joined()
    }
}

/// What a job drew of several arms: a column an arm, one slider over the steps of their priors.
struct ArmDrawings {
    private let job: DrawDesk.Job
    private let live: LiveStore

    init(_ job: DrawDesk.Job, _ live: LiveStore) { (self.job, self.live) = (job, live) }

    var html: HTML {
        guard case .done(let results) = job.state else { return "<p><a href=\"/draw?job=\(job.number)\">Job \(job.number)</a></p>" }
        let steps = Set(job.parts.compactMap(\.request.step)).sorted()
        let positions: [Int?] = steps + [nil]
        let labels = job.parts.map(\.label).uniqued()
        let columns = labels.map { label -> PictureSlider.Column in
            let own = job.parts.indices.filter { job.parts[$0].label == label }
            let pictures = (0..<job.parts[own[0]].request.count).map { place in
                positions.map { step -> String in
                    guard let part = own.first(where: { job.parts[$0].request.step == step }), job.drawn(part) != nil else { return "" }
                    return "\(part)/\(place)"
                }
            }
            let reasons = own.compactMap { part -> String? in
                guard case .failure(let error) = results[part] else { return nil }
                return error.message
            }
            return PictureSlider.Column(
                title: label, base: "/draw/\(job.number)/", pictures: pictures, remark: reasons.last ?? "not yet")
        }
        let slider = PictureSlider(
            id: "by-step", name: "Steps of the prior", positions: positions.map { $0.map { "after \($0) steps" } ?? "at the end" },
            columns: columns, position: positions.count - 1)
        let first = job.parts[0]
        let names = live.classNames(ofRun: first.run)
        return """
            <p>\(className(first.request.label ?? -1, among: names)), seed \(first.request.seed); \
            <a href="/draw?job=\(job.number)">job \(job.number)</a></p>
            \(slider.html)
            """
    }
}
