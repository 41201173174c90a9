import Experiment
import Foundation
import RunStore

/// Pictures of all arms of one kind in aligned columns.
struct ArmPictures {
    private let live: LiveStore
    private let results: SweepResults
    private let request: Request

    init(_ live: LiveStore, _ results: SweepResults, _ request: Request) {
        (self.live, self.results, self.request) = (live, results, request)
    }

    private static let mostArms = 24

    var section: HTML {
        let seeds = Set(results.arms.flatMap { $0.runs.map(\.seed) }).sorted()
        let seed = request.query["seed"].flatMap(Int.init) ?? seeds.first ?? 0
        let runs = results.arms.prefix(Self.mostArms).compactMap { arm in arm.runs.first { $0.seed == seed }.map { (arm.label, $0.id) } }
        var kinds: [String] = []
        var pictures: [[String: Int]] = []
        for (_, id) in runs {
            let all = ((try? live.store.artifacts(ofRun: id)) ?? []).filter { $0.kind == "picture" }
            pictures.append(Dictionary(all.enumerated().map { ($1.description, $0) }, uniquingKeysWith: { first, _ in first }))
            for artifact in all where !kinds.contains(artifact.description) { kinds.append(artifact.description) }
        }
        guard !kinds.isEmpty else { return .empty }
        let options = seeds.map { "<option\($0 == seed ? " selected" as HTML : .empty)>\($0)</option>" as HTML }
        let rows = kinds.map { kind -> HTML in
            let figures = zip(runs, pictures).map { run, pictures -> HTML in
                guard let number = pictures[kind] else { return "<figure><figcaption>\(run.0): not yet</figcaption></figure>" }
                let place = "/run/\(pathPart(run.1))/picture/\(number)"
                return """
                    <figure><a href="\(place)"><img loading="lazy" alt="\(kind), \(run.0), seed \(seed)" src="\(place)"></a>\
                    <figcaption>\(run.0)</figcaption></figure>
                    """
            }
            return "<h3>\(kind)</h3>\n<div class=\"pictures\" tabindex=\"0\" role=\"group\" aria-label=\"\(kind)\">\(figures)</div>\n"
        }
        return """
            <h2 id="pictures">Pictures side by side</h2>
            <form data-now action="#pictures"><label>Seed <select name="seed">\(options)</select></label><button>Show</button></form>
            \(samples(runs))\(rows)
            """
    }

    private static let mostClasses = 100

    /// Samples of one class of every arm, with a slider over the classes.
    private func samples(_ runs: [(label: String, id: String)]) -> HTML {
        let strips = SampleStrip(live)
        let samplers = Set(runs.flatMap { (try? strips.samplers(of: $0.id)) ?? [] }).sorted()
        guard let usual = samplers.first else { return .empty }
        let chosen = request.query["sampler"].flatMap { samplers.contains($0) ? $0 : nil } ?? usual
        let found = runs.map { Set((try? strips.classes(of: $0.id, chosen)) ?? []) }
        // Those that all have; a run that has drawn nothing yet takes nothing away.
        let drawn = found.filter { !$0.isEmpty }
        let shared = drawn.dropFirst().reduce(drawn.first ?? []) { $0.intersection($1) }
        let classes = Array(shared.sorted().prefix(Self.mostClasses))
        guard !classes.isEmpty else { return .empty }
        let options = samplers.map { "<option\($0 == chosen ? " selected" as HTML : .empty)>\($0)</option>" as HTML }
        let names = classes.map { $0 < 0 ? "without a class" : "class \($0)" }
        let figures = zip(runs, found).map { run, found -> HTML in
            let (label, id) = run
            guard !found.isEmpty else { return "<figure><figcaption>\(label): not yet</figcaption></figure>" }
            let places = classes.map { "/run/\(pathPart(id))/samples/\(pathPart(chosen))/\($0).png" }
            return """
                <figure><img class="pixels" data-places="\(places.joined(separator: "\n"))" src="\(places[0])" alt="Samples of \(label)">\
                <figcaption>\(label)</figcaption></figure>
                """
        }
        return """
            <h3>Samples class by class</h3>
            <form data-now action="#pictures"><label>Sampler <select name="sampler">\(options)</select></label><button>Show</button></form>
            <form><label>Class <input type="range" min="0" max="\(classes.count - 1)" value="0" data-names="\(names.joined(separator: "\n"))" \
            aria-describedby="class-shown"></label><output id="class-shown">\(names[0])</output></form>
            <div class="pictures" tabindex="0" role="group" aria-label="Samples class by class">\(figures)</div>

            """
    }
}
