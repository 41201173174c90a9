import Files
import Foundation

/// Thrown by the work of a stage that was asked to stop: what is done so far is kept and gone on with next time.
public struct Interrupted: Error {
    public init() {}
}

/// A stage that this process has claimed and is working on. Letting go of the object lets go of the claim.
public final class StageWork {
    public let stage: StageHandle
    private let claim: Claim
    private let started: Date
    private let clock = ContinuousClock.now
    private let earlierSeconds: Double
    private var scaffolds: [String] = []

    init(_ stage: StageHandle, claim: Claim) throws {
        self.stage = stage
        self.claim = claim
        let earlier = stage.status
        earlierSeconds = earlier?.wallSeconds ?? 0
        started = Date()
        // Half-written files of a killed owner of an earlier version; nobody else writes here while the claim is ours.
        for folder in [stage.directory, stage.url(StageHandle.scoresFolder)] {
            for name in try Files.names(in: folder) where name.hasPrefix(".") && name.hasSuffix(".part") {
                unlink(folder.appendingPathComponent(name).path)
            }
        }
    }

    /// Where a file of this stage is, such as `checkpoint.h5`.
    public func url(_ name: String) -> URL { stage.url(name) }

    /// Seconds of work so far, on a clock that is never set back, those of earlier processes included.
    public var wallSeconds: Double { earlierSeconds + (ContinuousClock.now - clock).seconds }

    /// Says how far the work is; the time spent is filled in.
    public func report(_ status: Status) throws {
        var status = status
        status.wallSeconds = wallSeconds
        try RecordFile.write(status, to: stage.url(StageHandle.statusFile))
    }

    /// Adds a line to `log.txt`.
    public func log(_ line: String) throws { try stage.log(line) }

    /// Says that a file is of no use once the stage is complete: it is removed then, and not before.
    public func discardWhenComplete(_ name: String) { scaffolds.append(name) }

    /// Writes scores measured under one protocol to `scores/<name>.json`, replacing earlier ones of that name.
    public func save(_ scores: Scores, named name: String) throws {
        let folder = stage.url(StageHandle.scoresFolder)
        try RecordFile.makeDirectory(folder)
        try RecordFile.write(scores, to: folder.appendingPathComponent(name + ".json"))
    }

    /// Writes `stage.json`, after which the stage is complete and reused by everyone.
    func complete(summary: JSONValue, code: CodeVersion, machine: Machine) throws -> StageRecord {
        let identity = try stage.requireIdentity()
        var status = stage.status ?? Status(.done)
        status.state = .done
        status.message = ""
        status.updated = Date()
        try report(status)
        let files = try stage.lengths(leavingOut: scaffolds)
        let record = StageRecord(
            id: stage.id, identity: identity, summary: summary, codeVersion: code, machine: machine, started: started,
            finished: Date(), wallSeconds: wallSeconds, peakMemoryBytes: Self.peakMemoryBytes, files: files,
            digests: try stage.digests(of: files.keys))
        try RecordFile.write(record, to: stage.url(StageHandle.recordFile))
        // What another process makes after us is its own.
        if !claim.isLost { for name in scaffolds { unlink(stage.url(name).path) } }
        return record
    }

    /// Whose claim this one followed, if that process had not given it back.
    var predecessor: StageOwner? { claim.predecessor }

    /// The process that has the claim by now; nil while it is ours.
    var successor: String? { claim.isLost ? claim.successor?.description ?? "another process" : nil }

    /// Runs `body`, whose files of this stage can be put in place only as long as the claim is ours.
    func fencing<Result>(_ body: () throws -> Result) rethrows -> Result {
        try AtomicFile.$drafts.withValue(AtomicFile.Drafts(of: stage.directory, in: claim.drafts), operation: body)
    }

    func stop(_ state: Status.State, message: String) {
        var status = stage.status ?? Status(state)
        status.state = state
        status.message = message
        status.updated = Date()
        // The error that stopped the work is the one to report, not a disk too full to note it.
        try? report(status)
        try? log("\(state.rawValue): \(message)")
    }

    /// The largest resident set of this process so far.
    public static var peakMemoryBytes: Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss * 1024
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
