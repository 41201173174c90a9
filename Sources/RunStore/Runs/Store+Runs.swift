import Files
import Foundation

extension Store {
    private static let recordFile = "run.json"
    private static let statusFile = "status.json"
    private static let annotationsFile = "annotations.json"
    private static let artifactsFile = "artifacts.json"

    /// The folder of a run, for files such as `report/`.
    public func directory(ofRun id: String) -> URL { runs.appendingPathComponent(id, isDirectory: true) }

    /// Held while what runs refer to changes, or is acted upon.
    var referencesLock: URL { directory.appendingPathComponent(".references.lock") }

    /// All runs, sorted.
    public func runIDs() throws -> [String] { try RecordFile.names(in: runs) }

    /// The records of all runs, by which it is decided what is still needed.
    ///
    /// - Throws: an `InputError` where a record is missing, damaged or cannot be read: what that run refers to is not known.
    func runsThatRefer() throws -> [RunRecord] {
        try runIDs().compactMap { id in
            if let run = try RecordFile.read(file(Self.recordFile, id), as: RunRecord.self) { return run }
            // A process may have been killed before it could say what the run is.
            guard try !RecordFile.names(in: directory(ofRun: id)).isEmpty else { return nil }
            throw InputError(
                file: file(Self.recordFile, id).path,
                "is missing, so that nothing is known to be unused: run its sweep again, or remove the folder")
        }
    }

    /// Writes `run.json`. A run that exists keeps the date it was created.
    ///
    /// - Throws: an `InputError` where the id stands for a run of other settings.
    public func save(_ run: RunRecord) throws {
        var run = run
        let place = file(Self.recordFile, run.id)
        // What a run refers to must not be taken for garbage meanwhile.
        try exclusively(referencesLock) {
            try RecordFile.makeDirectory(directory(ofRun: run.id))
            try AtomicFile.removeLeftovers(in: directory(ofRun: run.id))
            if let earlier = try undamagedRun(run.id) {
                guard earlier.identity == nil || run.identity == nil || earlier.identity == run.identity else {
                    throw InputError(
                        file: place.path,
                        "is the record of a run with other settings, whose name is the same by chance; "
                            + "it is not overwritten: call the sweep or the cell something else")
                }
                run.created = earlier.created
            }
            try RecordFile.write(run, to: place)
        }
    }

    /// The value, nil where it is damaged: for what is about to be written anew.
    private func undamaged<Value>(_ read: () throws -> Value?) throws -> Value? {
        do { return try read() } catch let error as InputError where error.isDamage { return nil }
    }

    /// The record of a run, in the store or else in the archive beside it; nil where there is none.
    public func recordedRun(_ id: String) throws -> RunRecord? {
        try RecordFile.read(file(Self.recordFile, id)) ?? archive?.run(id)?.run
    }

    /// The same, nil also where it is damaged: for those who write it anew.
    public func undamagedRun(_ id: String) throws -> RunRecord? { try undamaged { try recordedRun(id) } }

    /// The run; an `InputError` names the nearest one where there is none, or the file where it is damaged.
    public func run(_ id: String) throws -> RunRecord {
        guard let run = try recordedRun(id) else {
            let hint = try nearest(to: id, among: knownRunIDs()).map { "; did you mean '\($0)'?" } ?? ""
            throw InputError("no run '\(id)' in \(directory.path)\(hint)")
        }
        return run
    }

    /// The id of the run that is meant by an id or the beginning of one; an `InputError` says what else could be.
    public func runID(matching prefix: String) throws -> String {
        let ids = try knownRunIDs()
        if ids.contains(prefix) { return prefix }
        let matches = prefix.isEmpty ? [] : ids.filter { $0.hasPrefix(prefix) }
        switch matches.count {
        case 1: return matches[0]
        case 0 where ids.isEmpty:
            throw InputError("no run '\(prefix)': the store \(directory.path) has no runs yet")
        case 0:
            // What was typed may be the beginning of an id as well as a whole one.
            let beginnings = Dictionary(ids.map { (String($0.prefix(prefix.count)), $0) }, uniquingKeysWith: { $1 })
            let meant = nearest(to: prefix, among: ids) ?? nearest(to: prefix, among: beginnings.keys).flatMap { beginnings[$0] }
            throw InputError("no run '\(prefix)' in \(directory.path)\(meant.map { "; did you mean '\($0)'?" } ?? "")")
        default:
            let shown = matches.prefix(8).joined(separator: ", ") + (matches.count > 8 ? ", …" : "")
            throw InputError("'\(prefix)' begins the names of \(matches.count) runs: \(shown)")
        }
    }

    /// Where a run stands; planned until something is said. A run whose process was killed is interrupted, whatever its file
    /// still says, unless another process works on one of its stages.
    public func status(ofRun id: String) throws -> Status {
        var status: Status =
            try undamaged { try RecordFile.read(file(Self.statusFile, id)) }
            ?? Status(.planned, updated: Date(timeIntervalSince1970: 0))
        if status.state == .running, status.owner?.mayLive != true, try !isWorkedOn(id) { status.state = .interrupted }
        return status
    }

    private func isWorkedOn(_ id: String) throws -> Bool {
        try recordedRun(id)?.stages.values.contains { stage(id: $0).owner != nil } ?? false
    }

    /// Says where a run stands. One that was removed meanwhile is not made again by that.
    public func setStatus(_ status: Status, ofRun id: String) throws {
        try RecordFile.write(status, to: file(Self.statusFile, id))
    }

    /// The run's tags and notes.
    public func annotations(ofRun id: String) throws -> Annotations {
        try RecordFile.read(file(Self.annotationsFile, id)) ?? Annotations()
    }

    /// Changes tags and notes; two processes that do so take turns.
    public func annotate(run id: String, _ change: (inout Annotations) -> Void) throws {
        _ = try run(id)
        try exclusively(file(".annotations.lock", id)) {
            var annotations = try annotations(ofRun: id)
            change(&annotations)
            try RecordFile.write(annotations, to: file(Self.annotationsFile, id))
        }
    }

    /// The pictures, tables and reports of a run.
    public func artifacts(ofRun id: String) throws -> [Artifact] {
        try RecordFile.read(file(Self.artifactsFile, id)) ?? []
    }

    /// The bytes of a stage's picture. An `InputError` where it is not what the stage wrote.
    public func content(of artifact: Artifact) throws -> Data {
        let parts = artifact.path.split(separator: "/", maxSplits: 2).map(String.init)
        guard parts.count == 3, parts[0] == "stages", !artifact.path.contains("..") else {
            throw InputError(file: artifact.path, "is no file of a stage")
        }
        let file = try stage(id: parts[1]).verified(parts[2])
        do { return try Data(contentsOf: file) } catch { throw InputError(file: file.path, cannot: "read", because: error) }
    }

    public func setArtifacts(_ artifacts: [Artifact], ofRun id: String) throws {
        try RecordFile.write(artifacts, to: file(Self.artifactsFile, id))
    }

    private func file(_ name: String, _ run: String) -> URL { directory(ofRun: run).appendingPathComponent(name) }
}
