import Files
import RunStore

/// Reads what runs measured. A run's record says which stages it has, their files what each of them took and measured: neither
/// the run's data nor its models are looked at, so results can be read wherever the store is.
final class ResultsReader {
    let store: Store
    /// What could not be read, and that scores of one kind are of several formats.
    private(set) var problems: [String] = []
    /// Stages that were read already: runs share them.
    private var known: [String: SweepResults.StageSummary?] = [:]
    /// By kind of stage, the formats that were met.
    private var formats: [String: Set<Int>] = [:]

    init(_ store: Store) { self.store = store }

    /// The finished stages of `run` by role.
    func stages(of run: RunRecord) -> [String: SweepResults.StageSummary] { run.stages.compactMapValues(stage) }

    var notes: [String] {
        problems
            + formats.filter { $0.value.count > 1 }.sorted { $0.key < $1.key }.map { kind, versions in
                "some \(kind) stages were made by an older version of this program (formats "
                    + "\(versions.sorted().map(String.init).joined(separator: ", "))); `prologue sweep run` makes them again"
            }
    }

    func note(_ problem: String) { problems.append(problem) }

    /// What `read` gives; where a file is damaged, nothing, and a note of it.
    func attempt<Value>(_ read: () throws -> Value?) -> Value? {
        do { return try read() } catch {
            problems.append("left out: \(error)")
            return nil
        }
    }

    private func stage(_ id: String) -> SweepResults.StageSummary? {
        if let stage = known[id] { return stage }
        let entry = attempt { try store.entry(ofStage: id) }
        let stage = entry.flatMap { entry in
            entry.record.map { record in
                formats[record.identity.kind, default: []].insert(record.identity.formatVersion)
                return SweepResults.StageSummary(
                    id: id, summary: record.summary, wallSeconds: record.wallSeconds, measurements: entry.measurements, record: record)
            }
        }
        known[id] = .some(stage)
        return stage
    }
}

extension SweepResults.Run {
    /// What its finished stages measured. Of two values of one name and protocol the first by protocol name and role counts; the
    /// first of several protocols stands for the score where none is asked for.
    static func metrics(of stages: [String: SweepResults.StageSummary]) -> [String: [SweepResults.Metric]] {
        let measured = stages.flatMap { role, stage in
            stage.measurements.map { (protocolName: $0, role: role, scores: $1, stage: stage.id) }
        }.sorted { ($0.protocolName, $0.role) < ($1.protocolName, $1.role) }
        var found: [String: [SweepResults.Metric]] = [:]
        for (_, _, scores, stage) in measured {
            for (name, value) in scores.values {
                let metric = SweepResults.Metric(value: value, protocol: scores.protocol, stage: stage)
                if let place = found[name]?.firstIndex(where: { $0.isMeasured(like: metric) }) {
                    if found[name]?[place].value == nil { found[name]?[place] = metric }
                } else {
                    found[name, default: []].append(metric)
                }
            }
        }
        return found
    }
}
