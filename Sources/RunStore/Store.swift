import Files
import Foundation

/// A folder of runs and stages. Its files are the truth; the index beside them can be rebuilt from them.
///
/// `runs/<id>/`: `run.json`, `status.json`, `annotations.json`, `artifacts.json`, `report/`.
/// `stages/<kind>-<hash>/`: `stage.json` (last, so its presence means complete), `status.json`, `log.txt`,
/// `metrics.h5`, `checkpoint.h5`, … and `scores/<protocol>.json`.
public struct Store: Sendable {
    public let directory: URL
    /// What is read beside it; nil for none.
    public internal(set) var archive: RunArchive?
    /// Stages of which the archive's record counts, though the store has one.
    var preferred: Set<String> = []
    /// Stages that measured other numbers in the archive.
    var contradictions = 0
    let lockTiming: LockTiming
    /// Whether other hosts may work on it.
    public let isShared: Bool

    /// Opens the store, making its folders where there is none yet.
    ///
    /// - Throws: an `InputError` where one of them is missing though the other has something in it. It was moved, or is on a
    ///   disk that is not mounted; what is in the other one would be taken for garbage, or for work that was never done.
    public init(directory: URL, timing: LockTiming = LockTiming()) throws {
        self.directory = directory.standardizedFileURL
        lockTiming = timing
        isShared = FileSystem(ofStore: directory).isShared
        for (folder, other) in [(stages, runs), (runs, stages)] where try !isPresent(folder) {
            guard try RecordFile.names(in: other).isEmpty else {
                throw InputError(
                    file: folder.path,
                    "is missing, though there is \(other.path): put it back, or make an empty folder if it is to be forgotten")
            }
            try RecordFile.makeDirectory(folder)
        }
    }

    var stages: URL { directory.appendingPathComponent("stages", isDirectory: true) }
    var runs: URL { directory.appendingPathComponent("runs", isDirectory: true) }

    /// Throws an `InputError` where nothing can be written.
    public func requireWritable() throws {
        guard access(directory.path, W_OK) != 0 else { return }
        let reason = errno == EROFS ? "is on a read-only file system" : "cannot be written: \(String(cString: strerror(errno)))"
        throw InputError(file: directory.path, "the store \(reason); what is in it can be listed, shown and compared")
    }

    // MARK: Stages

    public func stage(_ identity: StageIdentity) -> StageHandle {
        StageHandle(id: identity.id, directory: stages.appendingPathComponent(identity.id), identity: identity)
    }

    /// The stage with this id; nothing says that it exists.
    public func stage(id: String) -> StageHandle {
        StageHandle(id: id, directory: stages.appendingPathComponent(id), identity: nil)
    }

    /// All stages, complete or not, sorted.
    public func stageIDs() throws -> [String] { try RecordFile.names(in: stages) }

    /// What `perform` came back with.
    public struct StageResult: Sendable {
        public let stage: StageHandle
        public let record: StageRecord
        /// Whether it was there already, or was made by someone else while we waited.
        public let isReused: Bool
    }

    /// Makes sure that a stage is complete: reuses it, waits for whoever is working on it, or does the work.
    ///
    /// If `work` throws `Interrupted`, the stage is left as interrupted; with any other error as failed. Either way
    /// the folder stays, the claim is released and the error goes on.
    ///
    /// ```swift
    /// let identity = StageIdentity(kind: "lengths", settings: ["words": 3], inputs: ["texts": texts.id], formatVersion: 1)
    /// let result = try store.perform(identity) { work in
    ///     try Data("5 3 8".utf8).write(to: work.url("lengths.txt"))
    ///     return ["count": 3]
    /// }
    /// // Any later call with this identity, in any process, returns the same stage and does not call its closure.
    /// ```
    ///
    /// - Parameters:
    ///   - takingOver: an owner that was found dead: its claim is not waited for.
    ///   - waiting: called about four times a second while another process works on it; may throw to give up.
    ///   - work: returns the summary for `stage.json`. What an earlier owner left in the folder is there to resume. It is called again
    ///     where this process stood still for so long that another took the claim over, and that one then gave it back undone.
    public func perform(
        _ identity: StageIdentity, code: CodeVersion = .unknown, machine: Machine = .current(), takingOver: StageOwner? = nil,
        waiting: (String) throws -> Void = { _ in }, work: (StageWork) throws -> JSONValue
    ) throws -> StageResult {
        let stage = stage(identity)
        while true {
            if let record = try completed(stage) { return StageResult(stage: stage, record: record, isReused: true) }
            for (role, id) in identity.inputs.sorted(by: { $0.key < $1.key }) where try !self.stage(id: id).isComplete {
                throw InputError(file: stage.directory.path, "needs stage '\(id)' as its \(role), which is not complete")
            }
            try RecordFile.makeDirectory(stage.directory)
            let claim = try Claim.acquire(stage.url(StageHandle.lockFile), timing: lockTiming, takingOver: takingOver) {
                try completed(stage) != nil
            } waiting: { owner in
                let step = stage.status.map { " (step \($0.step)\($0.steps.map { " of \($0)" } ?? ""))" } ?? ""
                try waiting("\(stage.id) is being made by \(owner?.description ?? "another process")\(step); waiting for it")
            }
            guard let claim else {
                guard let record = try completed(stage) else {
                    throw InputError(file: stage.directory.path, "was completed by another process and then removed")
                }
                return StageResult(stage: stage, record: record, isReused: true)
            }
            let claimed = try StageWork(stage, claim: claim)
            let record = try claimed.fencing { try make(claimed, code: code, machine: machine, work) }
            if let record { return StageResult(stage: stage, record: record, isReused: false) }
            try waiting(
                "\(stage.id) was taken over by \(claimed.successor ?? "another process") while this one stood still; waiting for it")
        }
    }

    /// Does the work of a claimed stage; nil where the claim was lost meanwhile, and with it what was not in place yet.
    private func make(
        _ claimed: StageWork, code: CodeVersion, machine: Machine, _ work: (StageWork) throws -> JSONValue
    ) throws -> StageRecord? {
        let stage = claimed.stage
        do {
            if let predecessor = claimed.predecessor { try claimed.log("taken over from \(predecessor.description)") }
            if let reason = try stage.damage() {
                try claimed.log("made again: \(reason)")
                try stage.invalidate(because: reason)
            }
            try claimed.report(stage.status.map { Status(.running, step: $0.step, of: $0.steps) } ?? Status(.running))
            return try claimed.complete(summary: work(claimed), code: code, machine: machine)
        } catch is Interrupted {
            claimed.stop(.interrupted, message: "interrupted; it will go on where it was")
            throw Interrupted()
        } catch {
            if claimed.successor != nil { return nil }
            claimed.stop(.failed, message: "\(error)")
            throw error
        }
    }

    /// The record of a stage that is complete; nil where it is not, or where a file is not what was written. A record of other
    /// settings is an `InputError`, and so is one that cannot be read.
    public func completed(_ stage: StageHandle) throws -> StageRecord? {
        guard try stage.damage() == nil, let record = try stage.record else { return nil }
        guard record.identity == stage.identity else {
            throw InputError(
                file: stage.url(StageHandle.recordFile).path,
                "describes other settings than those its name was made from; it was edited, or two settings share a name")
        }
        return record
    }
}
