import Experiment
import Files
import Foundation
import Report
import RunStore

/// Finds the page that a request asks for.
final class Site: Answering {
    private let live: LiveStore
    private let desk: DrawDesk

    init(_ live: LiveStore) {
        let store = live.store
        self.live = live
        desk = DrawDesk(named: { live.learn(classNames: $1, ofRun: $0) }) {
            ExperimentContext(store: store, code: .unknown, machine: .current(), progress: SilentProgress())
        }
    }

    /// Sweeps that are read before anybody asks for them.
    private static let mostReadAhead = 3

    /// Reads the sweeps that a visitor is likely to look at first, those whose files were given and those begun last, so that the first
    /// page of a sweep of many runs is not waited for.
    func readAhead() {
        let newest = (try? live.newestSweeps(Self.mostReadAhead)) ?? []
        for name in (live.files.keys.sorted() + newest).prefix(Self.mostReadAhead) {
            guard let request = Request(method: "GET", target: "/sweep/\(pathPart(name))") else { continue }
            // What cannot be read is said to who asks for it.
            _ = try? SweepPage(name, request, live, desk)?.page(false)
        }
    }

    func state(of topic: Topic) -> String? {
        if topic == .drawing { return desk.stamp }
        // What cannot be read at the moment has not changed as far as pages are concerned.
        do { return try live.state(of: topic) } catch { return "unreadable" }
    }

    func answer(_ request: Request, isTrusted: Bool) -> Response {
        do {
            return try (request.method == "POST" ? written(request) : page(request, isTrusted))
                ?? Self.failure("There is no such page", "Nothing is at this address; the pages above lead on.", 404, isTrusted)
        } catch let error as InputError {
            return request.method == "POST"
                ? .text(error.message, status: 400) : Self.failure("This cannot be shown", error.message, 400, isTrusted)
        } catch {
            return Self.failure("This cannot be shown", "\(error)", 500, isTrusted)
        }
    }

    private static func failure(_ title: String, _ message: String, _ status: Int, _ isTrusted: Bool) -> Response {
        .html(
            Layout(title: title, topic: nil, isTrusted: isTrusted, here: nil).page("<pre class=\"error\">\(message)</pre>"), status: status)
    }

    private func page(_ request: Request, _ isTrusted: Bool) throws -> Response? {
        let path = request.path
        switch (path.first, path.count) {
        case (nil, 0): return .html(try SweepsPage(live).page(isTrusted))
        case ("live.css", 1): return Response(200, "text/css; charset=utf-8", Data(StyleSheet.text.utf8) + Data(PackageResources.live_css))
        case ("live.js", 1): return Response(200, "text/javascript; charset=utf-8", Data(PackageResources.live_js))
        case ("icon.svg", 1): return Response(200, "image/svg+xml", Data(Self.icon.utf8))
        case ("events", _): return Topic(path: Array(path.dropFirst())).map(Response.events)
        case ("sweep", 2): return try sweep(path[1], request, isTrusted)
        case ("run", 2): return try RunPage(path[1], request, live).map { .html(try $0.page(isTrusted)) }
        case ("run", 4) where path[2] == "picture": return try picture(ofRun: path[1], number: Int(path[3]))
        case ("run", 5) where path[2] == "samples": return try sample(path[1], path[3], path[4], request, isTrusted)
        case ("history", 1): return .html(try HistoryPage(live, request).page(isTrusted))
        case ("history.csv", 1):
            return .file(try HistoryPage(live, request).csv(), "text/csv; charset=utf-8", named: "runs.csv")
        case ("compare", 1): return .html(try ComparePage(live, request).page(isTrusted))
        case ("draw", 1): return .html(try DrawPage(live, desk, request).page(isTrusted))
        case ("draw", 4): return try drawn(path[1], part: path[2], path[3], saves: request.query["save"] != nil, isTrusted)
        default: return nil
        }
    }

    /// A sweep of many runs is read while its visitor sees what is being waited for.
    private func sweep(_ name: String, _ request: Request, _ isTrusted: Bool) throws -> Response? {
        if request.held == nil, let runs = try live.announcement(ofSweep: name) {
            let layout = Layout(title: name, topic: nil, isTrusted: isTrusted, here: nil, isReloaded: true)
            return .html(layout.page("<p role=\"status\">Reading what \(runs) runs have measured …</p>"))
        }
        return try SweepPage(name, request, live, desk).map { .html(try $0.page(isTrusted)) }
    }

    /// The page of a job's picture, `0`, the picture, `0.png`, or all of its part of the job, `pictures.npz`.
    private func drawn(_ number: String, part: String, _ name: String, saves: Bool, _ isTrusted: Bool) throws -> Response? {
        guard let number = Int(number), let part = Int(part), let drawn = desk.job(number)?.drawn(part) else { return nil }
        if name == "pictures.npz" { return .file(try drawn.npz(), "application/octet-stream", named: "\(drawn.run)-\(number).npz") }
        if let place = Int(name) { return DrawPage.picture(live, desk, job: number, part: part, place, isTrusted).map { .html($0) } }
        guard name.hasSuffix(".png"), let place = Int(name.dropLast(4)), drawn.ids.indices.contains(place) else { return nil }
        return Self.png(try drawn.png(place), saves ? "\(drawn.run)-\(number)-\(place).png" : nil)
    }

    /// The page of a stored sample, `12`, or the sample itself, `12.png`.
    private func sample(_ run: String, _ sampler: String, _ name: String, _ request: Request, _ isTrusted: Bool) throws -> Response? {
        guard name.hasSuffix(".png") else {
            return try SamplePage(run: run, sampler: sampler, Int(name), live, desk).map { .html(try $0.page(isTrusted)) }
        }
        guard try live.hasRun(run), let number = Int(name.dropLast(4)), let samples = try live.samples(ofRun: run, sampler),
            samples.labels.indices.contains(number)
        else { return nil }
        return Self.png(try samples.png(number), request.query["save"] == nil ? nil : "\(run)-\(sampler)-\(number).png")
    }

    /// A picture, to be kept where it has a name.
    private static func png(_ bytes: Data, _ name: String?) -> Response {
        name.map { .file(bytes, "image/png", named: $0) } ?? Response(200, "image/png", bytes)
    }

    private func picture(ofRun id: String, number: Int?) throws -> Response? {
        guard try live.hasRun(id), let number else { return nil }
        let pictures = try live.store.artifacts(ofRun: id).filter { $0.kind == "picture" }
        guard pictures.indices.contains(number) else { return nil }
        return Response(200, "image/png", try live.store.content(of: pictures[number]))
    }

    private func written(_ request: Request) throws -> Response? {
        let path = request.path
        if path == ["draw"] {
            let form = try DrawForm(request.form, live, desk)
            return .redirect(to: "/draw?job=\(try desk.begin(form.parts, about: form.subject))")
        }
        if path == ["draw", "cancel"] {
            desk.cancel()
            return .redirect(to: "/draw")
        }
        guard path.count == 3, path[0] == "run", try live.hasRun(path[1]) else { return nil }
        switch path[2] {
        case "notes": try Annotating(live).note(request.form, run: path[1])
        case "tags": try Annotating(live).tag(request.form, run: path[1])
        default: return nil
        }
        return .redirect(to: "/run/\(pathPart(path[1]))")
    }

    private static let icon = """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#0072b2"/>\
        <path d="M3 12 L6 7 L9 9 L13 3" fill="none" stroke="#fff" stroke-width="2"/></svg>
        """
}
