import Files
import Foundation

/// What the files of a run say, together: what the index is told, and what results are read from.
public struct IndexedRun: Sendable {
    public var run: RunRecord
    public var status: Status
    public var artifacts: [Artifact]
    public var annotations: Annotations
    /// What is wrong with the list of artifacts, which is empty then; nil: nothing.
    public var damage: String?

    public init(run: RunRecord, status: Status, artifacts: [Artifact] = [], annotations: Annotations = Annotations()) {
        self.run = run
        self.status = status
        self.artifacts = artifacts
        self.annotations = annotations
    }
}

/// What the files of a stage say.
public struct IndexedStage: Sendable {
    public var id: String
    /// Nil while it is not complete.
    public var record: StageRecord?
    public var status: Status?
    /// By protocol name, as `StageHandle.measurements` has them.
    public var measurements: [String: Scores]

    public init(id: String, record: StageRecord?, status: Status? = nil, measurements: [String: Scores] = [:]) {
        self.id = id
        self.record = record
        self.status = status
        self.measurements = measurements
    }
}

extension Store {
    /// The files of a run, or what the archive beside the store says of it; nil where there is no such run.
    public func entry(ofRun id: String) throws -> IndexedRun? {
        guard try isPresent(directory(ofRun: id)) else { return try archive?.run(id) }
        var entry = try IndexedRun(run: run(id), status: status(ofRun: id), annotations: annotations(ofRun: id))
        // No score depends on it, and the next `sweep run` writes it anew.
        do { entry.artifacts = try artifacts(ofRun: id) } catch let error as InputError where error.isDamage {
            entry.damage = "no pictures: \(error.message); 'prologue sweep run' writes it anew"
        }
        return entry
    }

    /// The files of a stage, or what the archive says of one that is not complete here; nil where there is no such stage.
    public func entry(ofStage id: String) throws -> IndexedStage? {
        let stage = stage(id: id)
        if let archive, try preferred.contains(id) || !stage.isComplete, let archived = try archive.stage(id) { return archived }
        guard try isPresent(stage.directory) else { return nil }
        return try IndexedStage(id: id, record: stage.record, status: stage.status, measurements: stage.measurements())
    }
}
