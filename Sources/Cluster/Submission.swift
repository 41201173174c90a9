import Files
import Foundation

/// What was submitted to a scheduler for a sweep: a folder in the store, with the record, the sweep file as it was, the job's
/// script and the output of its workers.
public struct Submission: Codable, Equatable, Sendable {
    public let sweep: String
    /// The job's number; nil until the scheduler has given one.
    public var job: String?
    public let workers: Int
    public let submitted: Date
    /// Where it was submitted.
    public let host: String
    public let profile: JSONValue
    /// The last request to stop the sweep that was there already.
    public let earlierStop: String?
    /// The user's command for when the sweep has ended.
    public let onEnd: String?

    enum CodingKeys: String, CodingKey {
        case sweep, job, workers, submitted, host, profile
        case earlierStop = "earlier_stop"
        case onEnd = "on_end"
    }

    public init(
        sweep: String, workers: Int, submitted: Date, host: String, profile: JSONValue, earlierStop: String?, onEnd: String?
    ) {
        (self.sweep, self.workers, self.submitted, self.host) = (sweep, workers, submitted, host)
        (self.profile, self.earlierStop, self.onEnd) = (profile, earlierStop, onEnd)
    }

    /// What its job is called.
    public static func jobName(of sweep: String) -> String { "prologue-\(sweep)" }

    private static let recordFile = "submission.json"
    private static let endMark = "ended"

    private static func folder(of sweep: String, in store: URL) -> URL {
        store.appendingPathComponent("jobs").appendingPathComponent(sweep)
    }

    /// Makes the folder of a new submission; two at once get one each.
    public static func makeFolder(for sweep: String, in store: URL, at date: Date) throws -> URL {
        let time = ISO8601DateFormatter().string(from: date).filter { $0.isNumber || $0 == "T" }
        let parent = folder(of: sweep, in: store)
        try RecordFile.makeDirectory(parent)
        for number in 0..<1000 {
            let folder = parent.appendingPathComponent(number == 0 ? time : "\(time)-\(number)")
            if mkdir(folder.path, 0o755) == 0 { return folder }
            guard errno == EEXIST else { throw InputError(file: folder.path, cannot: "make this folder") }
        }
        throw InputError(file: parent.path, "has a thousand submissions of one second")
    }

    public init(in folder: URL) throws {
        guard let read: Submission = try RecordFile.read(folder.appendingPathComponent(Self.recordFile)) else {
            throw InputError(file: folder.path, "is no submission: it has no \(Self.recordFile)")
        }
        self = read
    }

    public func write(in folder: URL) throws { try RecordFile.write(self, to: folder.appendingPathComponent(Self.recordFile)) }

    /// All submissions of a sweep, the earliest first.
    ///
    /// - Parameter say: hears of records that cannot be read.
    public static func all(of sweep: String, in store: URL, say: (String) -> Void = { _ in }) -> [Submission] {
        let parent = folder(of: sweep, in: store)
        do {
            return try RecordFile.names(in: parent).compactMap { name in
                do { return try RecordFile.read(parent.appendingPathComponent(name).appendingPathComponent(recordFile)) } catch {
                    say("\(error)")
                    return nil
                }
            }
        } catch {
            say("\(error)")
            return []
        }
    }

    /// Whether this is the first time that someone says how the sweep ended.
    public static func claimEnd(in folder: URL) -> Bool {
        let descriptor = open(folder.appendingPathComponent(endMark).path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return false }
        close(descriptor)
        return true
    }
}
