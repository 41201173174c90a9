import Experiment
import Files
import Foundation
import Metrics
import RunStore
import Sweep
import Synchronization

/// A store as pages see it: what was read once is kept until its file has changed, and nothing is claimed.
public final class LiveStore: Sendable {
    let store: Store
    /// Sweep files that the server was given, by the sweeps' names: they tell cells that were never begun, and the baseline.
    let files: [String: SweepFile]
    private let readAtOnce: Int
    private let state: Mutex<State>
    /// Held while a sweep is read, so that who asks meanwhile waits for that instead of reading it again.
    private let reading = Mutex(())

    private struct State {
        var index: RunIndex
        var indexFile: UInt64?
        var followed: ContinuousClock.Instant?
        var metrics: [String: (stamp: String, table: MetricsTable)] = [:]
        /// Samples of finished stages, which do not change.
        var samples: [String: StoredSamples] = [:]
        /// Names of classes, by the data settings of runs.
        var classNames: [String: [String]] = [:]
        var standings: [String: Standing] = [:]
        /// Sweeps of which a visitor was told that they are being read.
        var announced: Set<String> = []
        var derived: [String: (input: any Hashable & Sendable, value: any Sendable)] = [:]
        /// What was made from the index, by what it is, with the index's stamp then.
        var kept: [String: (stamp: String, value: any Sendable)] = [:]
    }

    /// Curves that are kept in memory at most; beyond that all are read again.
    private static let mostMetrics = 2000

    /// - Parameter readAtOnce: a sweep of more runs is not read for the first time before its page has said so.
    public init(_ store: Store, sweeps: [SweepFile] = [], readAtOnce: Int = 150) throws {
        (self.store, self.readAtOnce) = (store, readAtOnce)
        files = Dictionary(sweeps.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        state = Mutex(State(index: try RunIndex(store), indexFile: Self.file(store.indexFile)?.node))
    }

    /// The index; opened anew where another process has put a new file in its place.
    var index: RunIndex {
        get throws {
            let node = Self.file(store.indexFile)?.node
            if let known = state.withLock({ $0.indexFile == node ? $0.index : nil }) { return known }
            let fresh = try RunIndex(store)
            state.withLock { ($0.index, $0.indexFile, $0.kept, $0.standings) = (fresh, node, [:], [:]) }
            return fresh
        }
    }

    // MARK: Changes

    /// Between two looks at what other hosts have changed.
    private static let followEvery = Duration.seconds(5)

    private func followOtherHosts() {
        guard store.isShared else { return }
        let isTime = state.withLock { state in
            let isTime = state.followed.map { .now - $0 >= Self.followEvery } ?? true
            if isTime { state.followed = .now }
            return isTime
        }
        // What cannot be read now is shown as it was.
        if isTime { try? index.follow() }
    }

    private static func file(_ url: URL) -> (node: UInt64, stamp: String)? {
        var info = stat()
        guard stat(url.path, &info) == 0 else { return nil }
        return (UInt64(info.st_ino), "\(info.st_ino)/\(info.st_size)/\(info.st_mtim.tv_sec).\(info.st_mtim.tv_nsec)")
    }

    static func stamp(_ url: URL) -> String { file(url)?.stamp ?? "-" }

    /// Changes whenever somebody has written to the index.
    var stamp: String {
        followOtherHosts()
        return ["", "-wal"].map { Self.stamp(URL(fileURLWithPath: store.indexFile.path + $0)) }.joined(separator: " ")
    }

    /// `make`'s value, made again when the index has changed.
    func kept<Value: Sendable>(_ name: String, _ make: () throws -> Value) throws -> Value {
        let stamp = stamp
        if let kept = state.withLock({ $0.kept[name] }), kept.stamp == stamp, let value = kept.value as? Value { return value }
        let value = try make()
        state.withLock { state in
            if state.kept.count > 200 { state.kept = [:] }
            state.kept[name] = (stamp, value)
        }
        return value
    }

    /// What follows from `input` alone, worked out again where that is another one.
    func derived<Input: Hashable & Sendable, Value: Sendable>(_ name: String, from input: Input, _ make: (Input) throws -> Value) rethrows
        -> Value
    {
        if let known = state.withLock({ $0.derived[name] }), known.input as? Input == input, let value = known.value as? Value {
            return value
        }
        let value = try make(input)
        state.withLock { state in
            if state.derived.count > 200 { state.derived = [:] }
            state.derived[name] = (input, value)
        }
        return value
    }

    // MARK: Runs and sweeps

    /// Rows of a statement of our own on the index.
    func rows(_ sql: String, _ arguments: [JSONValue] = []) throws -> [[JSONValue]] {
        try index.query(sql, arguments, limits: .init(seconds: 20, rows: 1_000_000)).rows
    }

    /// Whether the index has a run of this name: names from requests go no further before that.
    func hasRun(_ id: String) throws -> Bool { try !rows("SELECT 1 FROM runs WHERE id = ?", [.string(id)]).isEmpty }

    func hasSweep(_ name: String) throws -> Bool {
        try files[name] != nil || !rows("SELECT 1 FROM runs WHERE sweep = ? LIMIT 1", [.string(name)]).isEmpty
    }

    /// The sweeps whose runs were begun last.
    func newestSweeps(_ count: Int) throws -> [String] {
        try rows("SELECT sweep FROM runs GROUP BY sweep ORDER BY max(created) DESC, sweep LIMIT ?", [.int(count)])
            .compactMap { $0[0].stringValue }
    }

    /// What a sweep has measured, with the state of the index that it was read in.
    struct Standing: Sendable {
        let stamp: String
        let results: SweepResults
        /// When it may be read again.
        let due: ContinuousClock.Instant
    }

    /// What a sweep has measured, by arm: the cells of its file, or all runs of its name where there is no file or no run is one of
    /// its cells, as after `--set`. What took long to read is not read again at once: an open page takes a hundredth of a core
    /// at most, and is a minute late at most.
    func standing(ofSweep name: String) throws -> Standing {
        let stamp = stamp
        func known() -> Standing? {
            state.withLock { $0.standings[name] }.flatMap { $0.stamp == stamp || $0.due > .now ? $0 : nil }
        }
        if let known = known() { return known }
        return try reading.withLock { _ in try known() ?? read(sweep: name, at: stamp) }
    }

    private func read(sweep name: String, at stamp: String) throws -> Standing {
        let start = ContinuousClock.now
        let results = try readResults(ofSweep: name)
        let now = ContinuousClock.now
        let rest: Duration = min(Duration.seconds(60), (now - start) * 100)
        let due = now.advanced(by: rest)
        let standing = Standing(stamp: stamp, results: results, due: due)
        state.withLock { state in
            if state.standings.count > 100 { state.standings = [:] }
            state.standings[name] = standing
            state.announced.remove(name)
        }
        return standing
    }

    /// The number of a sweep's runs, where reading them takes long enough that a visitor is told of it first; nil the next time.
    func announcement(ofSweep name: String) throws -> Int? {
        if state.withLock({ $0.standings[name] != nil }) { return nil }
        let recorded = try rows("SELECT count(*) FROM runs WHERE sweep = ?", [.string(name)]).first?.first?.intValue ?? 0
        let runs = max(recorded, files[name]?.cells.count ?? 0)
        guard runs > readAtOnce else { return nil }
        return state.withLock { $0.announced.insert(name).inserted ? runs : nil }
    }

    func results(ofSweep name: String) throws -> SweepResults { try standing(ofSweep: name).results }

    private func readResults(ofSweep name: String) throws -> SweepResults {
        let file = files[name]
        let planned = try file.map { try SweepResults($0, in: store) }
        let recorded = try rows("SELECT 1 FROM runs WHERE sweep = ? LIMIT 1", [.string(name)])
        if let planned, recorded.isEmpty || planned.arms.contains(where: { $0.runs.contains { $0.state != nil } }) { return planned }
        let index = try index
        let quoted = name.replacing("'", with: "''")
        return try SweepResults(HistoryQuery(parsing: "sweep = '\(quoted)'", HistoryKeys(index)), of: index, named: name)
    }

    /// Whether what is shown of a sweep is older than the index and may be read again: it changes when that time has come.
    private func lateness(ofSweep name: String) -> String {
        guard let known = state.withLock({ $0.standings[name] }), known.stamp != stamp else { return "" }
        return known.due > .now ? "late" : "due"
    }

    /// Ids of the stages that runs of a sweep have in a role, finished or not, by run.
    func stages(ofSweep name: String, role: String) throws -> [String: String] {
        try kept("stages \(role) \(name)") {
            let rows = try rows(
                "SELECT run_id, stage_id FROM run_stages JOIN runs ON runs.id = run_id WHERE sweep = ? AND role = ?",
                [.string(name), .string(role)])
            return Dictionary(rows.map { ($0[0].stringValue ?? "", $0[1].stringValue ?? "") }, uniquingKeysWith: { $1 })
        }
    }

    /// A stage's curves; nil where it has none, or none that can be read just now.
    func metrics(ofStage id: String) -> MetricsTable? {
        let url = store.stage(id: id).url("metrics.h5")
        let stamp = Self.stamp(url)
        guard stamp != "-" else { return nil }
        if let known = state.withLock({ $0.metrics[id] }), known.stamp == stamp { return known.table }
        guard let table = try? MetricsFile.read(url) else { return nil }
        state.withLock { state in
            if state.metrics.count >= Self.mostMetrics { state.metrics = [:] }
            state.metrics[id] = (stamp, table)
        }
        return table
    }

    /// The samples of a stage; nil before it is finished. Their file is compared with its checksum once.
    func samples(ofStage stage: StageHandle) throws -> StoredSamples? {
        let record = Self.stamp(stage.url("stage.json"))
        let name = "\(stage.id) \(record)"
        if let known = state.withLock({ $0.samples[name] }) { return known }
        guard try stage.isComplete else { return nil }
        let samples = try StoredSamples(stage)
        state.withLock { state in
            if state.samples.count >= Self.mostSamples { state.samples = [:] }
            state.samples[name] = samples
        }
        return samples
    }

    private static let mostSamples = 200

    // MARK: Names of classes

    /// The names of a run's classes, as far as they are known without reading its images, or were learnt when something was drawn.
    func classNames(ofRun id: String) -> [String] {
        guard let run = try? store.run(id) else { return [] }
        let data = run.config["data"]?.canonical ?? ""
        return state.withLock { $0.classNames[data] } ?? RunDrawing.classNames(of: run)
    }

    func learn(classNames: [String], ofRun id: String) {
        guard let data = try? store.run(id).config["data"]?.canonical else { return }
        state.withLock { $0.classNames[data] = classNames }
    }

    // MARK: What is worked on

    /// Stages of running runs that are not finished, by run: at most 200 runs.
    func openStages(ofSweep name: String? = nil) throws -> [(run: String, sweep: String, stages: [(role: String, id: String)])] {
        let rows = try rows(
            """
            SELECT running.id, running.sweep, run_parts.role, run_parts.stage_id
            FROM (SELECT number, id, sweep FROM runs WHERE status = 'running'\(name == nil ? "" : " AND sweep = ?")
                ORDER BY created DESC, id LIMIT 200) AS running
                JOIN run_parts ON run_parts.run = running.number
                LEFT JOIN stages ON stages.id = run_parts.stage_id
            WHERE stages.finished IS NULL ORDER BY running.id, run_parts.role
            """, name.map { [.string($0)] } ?? [])
        var found: [(run: String, sweep: String, stages: [(role: String, id: String)])] = []
        for row in rows {
            let (run, role, id) = (row[0].stringValue ?? "", row[2].stringValue ?? "", row[3].stringValue ?? "")
            if found.last?.run != run { found.append((run, row[1].stringValue ?? "", [])) }
            found[found.count - 1].stages.append((role, id))
        }
        return found
    }

    /// What changes when something that `topic` shows has changed; nil where there is no such thing.
    func state(of topic: Topic) throws -> String? {
        switch topic {
        case .sweeps: return try stamp + progress(openStages())
        case .sweep(let name):
            guard try hasSweep(name) else { return nil }
            return try stamp + lateness(ofSweep: name) + progress(openStages(ofSweep: name))
        case .run(let id):
            guard try hasRun(id) else { return nil }
            let folder = store.directory(ofRun: id)
            let own = ["run.json", "status.json", "annotations.json", "artifacts.json"].map {
                Self.stamp(folder.appendingPathComponent($0))
            }
            let stages = try rows("SELECT role, stage_id FROM run_stages WHERE run_id = ? ORDER BY role", [.string(id)])
            return own.joined() + progress([(id, "", stages.map { ($0[0].stringValue ?? "", $0[1].stringValue ?? "") })])
        case .drawing: return nil
        }
    }

    private func progress(_ runs: [(run: String, sweep: String, stages: [(role: String, id: String)])]) -> String {
        runs.map { run in
            Self.stamp(store.directory(ofRun: run.run).appendingPathComponent("status.json"))
                + run.stages.map { stage in
                    let stage = store.stage(id: stage.id)
                    return Self.stamp(stage.url("status.json")) + Self.stamp(stage.url("metrics.h5"))
                }.joined()
        }.joined()
    }

    /// The last lines that a stage has logged.
    func log(ofStage id: String, lines: Int) -> [String] {
        guard let file = try? FileHandle(forReadingFrom: store.stage(id: id).url("log.txt")) else { return [] }
        defer { try? file.close() }
        guard let end = try? file.seekToEnd(), (try? file.seek(toOffset: end > 16_384 ? end - 16_384 : 0)) != nil,
            let data = try? file.readToEnd()
        else { return [] }
        return String(decoding: data, as: UTF8.self).split(separator: "\n").suffix(lines).map(String.init)
    }
}
