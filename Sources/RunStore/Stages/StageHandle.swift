import Files
import Foundation

/// A stage's folder in a store, whether it exists yet or not.
public struct StageHandle: Sendable {
    public let id: String
    public let directory: URL
    /// Known where the stage was asked for by identity.
    let identity: StageIdentity?

    static let recordFile = "stage.json"
    static let statusFile = "status.json"
    static let scoresFolder = "scores"
    static let lockFile = "lock"

    /// Where a file of this stage is, such as `checkpoint.h5`.
    public func url(_ name: String) -> URL { directory.appendingPathComponent(name) }

    /// What the stage was, once it has been completed; nil before. A record that is damaged or cannot be read throws.
    public var record: StageRecord? { get throws { try RecordFile.read(url(Self.recordFile), as: StageRecord.self) } }

    /// Whether it has been completed and its files are all there, in their length. Throws where that cannot be told.
    public var isComplete: Bool {
        get throws {
            do { return try record.map { try damage(to: $0) == nil } ?? false } catch let error as InputError where error.isDamage {
                return false
            }
        }
    }

    /// Where the work stands, for people; nil before it begins, and where its file says nothing. Work whose process was killed
    /// is interrupted, whatever the file still says.
    public var status: Status? {
        guard var status = (try? RecordFile.read(url(Self.statusFile), as: Status.self)) ?? nil else { return nil }
        if status.state == .running, owner == nil { status.state = .interrupted }
        return status
    }

    /// Who works on the stage now, as its claim says; nil if nobody does, or who did is dead. A process on another
    /// host is taken at its word.
    public var owner: StageOwner? {
        guard let claim = ClaimFile(url: url(Self.lockFile)).current, let owner = claim.owner, !claim.isDead else { return nil }
        return owner
    }

    /// The scores in `scores/`, by protocol name. A damaged file is an `InputError`.
    public func scores() throws -> [String: Scores] {
        var found: [String: Scores] = [:]
        for name in try RecordFile.names(in: url(Self.scoresFolder)) where name.hasSuffix(".json") {
            found[String(name.dropLast(5))] = try RecordFile.read(verified("\(Self.scoresFolder)/\(name)"))
        }
        return found
    }

    /// All that a complete stage measured, by protocol name: its scores, and under `summary` what it noted about itself
    /// while it was made (`metrics` of its summary). Empty for a stage that is not complete.
    public func measurements() throws -> [String: Scores] {
        try record?.measurements(with: scores()) ?? [:]
    }

    /// Notes that the work on the stage failed, for a worker that cannot do so itself any more.
    public func fail(because reason: String) throws {
        // Unless another process has gone on with it.
        if owner?.isCurrent ?? true { try note(.failed, because: reason) }
    }

    private func note(_ state: Status.State, because reason: String) throws {
        var status = status ?? Status(state)
        status.state = state
        status.message = reason
        status.updated = Date()
        try RecordFile.write(status, to: url(Self.statusFile))
    }

    /// Makes the stage incomplete, so that it is worked on again: for a stage one of whose files turned out damaged.
    public func invalidate(because reason: String) throws {
        try note(.interrupted, because: reason)
        guard unlink(url(Self.recordFile).path) == 0 || errno == ENOENT else {
            throw InputError(file: url(Self.recordFile).path, cannot: "remove")
        }
    }

    func requireIdentity() throws -> StageIdentity {
        guard let identity else { preconditionFailure("stage \(id) was opened by id; work needs its identity") }
        return identity
    }
}

/// Numbers measured under one protocol: what `scores/<name>.json` holds.
public struct Scores: Codable, Equatable, Sendable {
    /// Everything a number must share with another to stand in the same column: features and their hash, reference,
    /// number of samples, sampler settings, seed.
    public var `protocol`: JSONValue
    /// By metric name such as `gfid.nocfg`. Nil is a measurement that failed: it is missing, never zero.
    public var values: [String: Double?]

    public init(protocol: JSONValue, values: [String: Double?]) {
        self.protocol = `protocol`
        self.values = values.mapValues { $0.flatMap { $0.isFinite ? $0 : nil } }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(`protocol`, forKey: .protocol)
        // Written out, because a dictionary of optionals would drop the missing ones.
        try container.encode(
            JSONValue.object(values.mapValues { $0.map { .number($0) } ?? .null }), forKey: .values)
    }

    enum CodingKeys: String, CodingKey { case `protocol`, values }
}
