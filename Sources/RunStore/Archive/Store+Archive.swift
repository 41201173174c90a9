import Files
import Foundation

/// Whose numbers count where an archive and the store beside it have other ones for the same stage.
public enum TrustedRecords: String, CaseIterable, Sendable { case archive, store }

/// A store with an archive beside it: runs and stages that only the archive has are known by their records and scores.
/// Their files (weights, tokens, samples) are not there.
extension Store {
    /// The same store with `archive` beside it.
    ///
    /// - Parameter trusted: whose numbers count where both have a stage and it measured other numbers, as a training on another
    ///   processor may; nil: that is an error.
    /// - Throws: an `InputError` naming both where they contradict each other.
    public func reading(_ archive: RunArchive, trusting trusted: TrustedRecords? = nil) throws -> Store {
        var store = self
        store.archive = nil
        var contradictions: [String] = []
        for id in archive.stageIDs.sorted() {
            guard let here = try store.entry(ofStage: id), let record = here.record, let there = try archive.stage(id) else { continue }
            guard record.identity == there.record?.identity else {
                throw InputError("stage \(id) has other settings in \(archive.url.path) than in \(store.directory.path)")
            }
            guard let difference = there.difference(to: here) else { continue }
            guard trusted != nil else {
                throw InputError(
                    "stage \(id) measured other numbers in \(archive.url.path) than in \(store.directory.path): \(difference), there on "
                        + "\(there.record?.machine.processor ?? "?"), here on \(record.machine.processor). '--archive none' reads the "
                        + "store alone, '--trust archive' or '--trust store' says whose count")
            }
            contradictions.append(id)
        }
        for id in archive.runIDs.sorted() {
            guard let here = try store.undamagedRun(id)?.identity, let there = try archive.run(id)?.run.identity else { continue }
            guard here == there else {
                throw InputError("run \(id) has other settings in \(archive.url.path) than in \(store.directory.path)")
            }
        }
        store.archive = archive
        store.preferred = trusted == .archive ? Set(contradictions) : []
        store.contradictions = contradictions.count
        return store
    }

    /// The same store without its archive: what commands that write deal with.
    public var alone: Store {
        var store = self
        (store.archive, store.preferred, store.contradictions) = (nil, [], 0)
        return store
    }

    /// All runs, those of the archive with them, sorted.
    public func knownRunIDs() throws -> [String] { try archive.map { try $0.runIDs.union(runIDs()).sorted() } ?? runIDs() }

    /// All stages, those of the archive with them, sorted.
    func knownStageIDs() throws -> [String] { try archive.map { try $0.stageIDs.union(stageIDs()).sorted() } ?? stageIDs() }

    /// Whether a run is known from the archive alone.
    public func isOnlyArchived(run id: String) throws -> Bool {
        try archive?.runIDs.contains(id) == true && !isPresent(directory(ofRun: id))
    }

    /// Whether a stage is complete here, or the archive has what it measured.
    public func isDone(stage id: String) throws -> Bool {
        try archive?.stageIDs.contains(id) == true || stage(id: id).isComplete
    }

    /// What every table that counts archived runs says; nil where none of `runs` has anything from the archive.
    public func archiveNote(for runs: some Sequence<String>) throws -> String? {
        guard let archive else { return nil }
        let all = Array(runs)
        let count = try all.count { id in
            try recordedRun(id)?.stages.values.contains { try archive.stageIDs.contains($0) && !stage(id: $0).isComplete } ?? false
        }
        var notes: [String] = []
        if count > 0 {
            notes.append(
                "scores of \(count) of \(all.count) runs are from the archive \(archive.url.path); their weights and pictures are not here")
        }
        if contradictions > 0 {
            notes.append(
                "\(contradictions) stages measured other numbers in the archive than in the store; those of the "
                    + "\(preferred.isEmpty ? "store" : "archive") count")
        }
        return notes.isEmpty ? nil : notes.joined(separator: "; ")
    }
}

extension IndexedStage {
    /// The first number that differs, in words; nil where none does. What only one of them measured is no difference.
    fileprivate func difference(to other: IndexedStage) -> String? {
        for (name, scores) in measurements.sorted(by: { $0.key < $1.key }) {
            guard let others = other.measurements[name] else { continue }
            for (metric, value) in scores.values.sorted(by: { $0.key < $1.key }) {
                guard let counterpart = others.values[metric], counterpart != value else { continue }
                return "\(metric) \(value.map { "\($0)" } ?? "missing") there, \(counterpart.map { "\($0)" } ?? "missing") here"
            }
        }
        return nil
    }
}
