import Archives
import Files
import Foundation

/// What finished runs of a sweep are and have measured, in one file that a repository can keep: records, settings, scores with
/// their protocols, tags and notes; no weights, no samples, no pictures, no curves.
///
/// A zip file of `archive.json` (the format, and SHA-256 of the others), `runs.jsonl` and `stages.jsonl`: one record a line, in
/// the order of their ids. The same records give the same bytes.
public struct RunArchive: Sendable {
    /// What a reader must know; raised when an older program could misread what is written.
    public static let format = 1

    public let url: URL
    /// The sweep that it was made of.
    public let sweep: String
    /// The lines of `runs.jsonl` and `stages.jsonl` by id: a command needs few of them, and none is taken apart before it is asked for.
    private let runLines, stageLines: [String: Data]

    public var runIDs: Set<String> { Set(runLines.keys) }
    public var stageIDs: Set<String> { Set(stageLines.keys) }

    /// A line of `runs.jsonl`.
    private struct ArchivedRun: Codable {
        var id: String
        var notes: Annotations
        var run: RunRecord
        var status: Status
    }

    /// A line of `stages.jsonl`.
    private struct ArchivedStage: Codable {
        var id: String
        var record: StageRecord
        var scores: [String: Scores]
    }

    /// The member `archive.json`.
    private struct Head: Codable {
        var format: Int
        var sweep: String
        /// How many lines each member has, and its SHA-256.
        var lines: [String: Int]
        var sha256: [String: String]
    }

    private static let head = "archive.json", runs = "runs.jsonl", stages = "stages.jsonl"

    // MARK: Reading

    /// Opens an archive and compares its content with its checksums.
    ///
    /// - Throws: an `InputError` naming the file where it is no archive, damaged, or of a newer format.
    public init(reading url: URL) throws {
        let zip = try ZipArchive(reading: url)
        guard zip.names.contains(Self.head) else {
            throw InputError(file: url.path, "is no archive of runs: it has no member '\(Self.head)'; 'prologue runs archive' makes one")
        }
        // The format first: nothing else can be checked in a newer one.
        let text = Data(try zip.content(of: Self.head))
        guard let format = (try? JSONValue(parsing: text))?["format"]?.intValue else {
            throw Self.damage(url, "its member '\(Self.head)' says no format")
        }
        guard format <= Self.format else {
            throw InputError(
                file: url.path, "was written by a newer version of this program: format \(format), this one reads up to \(Self.format)")
        }
        guard let head = try? JSONDecoder().decode(Head.self, from: text) else {
            throw Self.damage(url, "its member '\(Self.head)' cannot be read")
        }
        func lines(_ name: String) throws -> [String: Data] {
            let content = Data(try zip.content(of: name))
            guard sha256(content) == head.sha256[name] else { throw Self.damage(url, "member '\(name)' does not match its checksum") }
            var found: [String: Data] = [:]
            for line in content.split(separator: UInt8(ascii: "\n")) { found[try Self.id(of: line, url)] = line }
            guard found.count == head.lines[name] else { throw Self.damage(url, "member '\(name)' lacks lines") }
            return found
        }
        self.url = url
        sweep = head.sweep
        runLines = try lines(Self.runs)
        stageLines = try lines(Self.stages)
    }

    /// Nil where there is no such run.
    public func run(_ id: String) throws -> IndexedRun? {
        guard let line = runLines[id] else { return nil }
        let found: ArchivedRun = try decoded(line, id)
        return IndexedRun(run: found.run, status: found.status, annotations: found.notes)
    }

    /// Nil where there is no such stage.
    public func stage(_ id: String) throws -> IndexedStage? {
        guard let line = stageLines[id] else { return nil }
        let found: ArchivedStage = try decoded(line, id)
        return IndexedStage(
            id: id, record: found.record, status: Status(.done, updated: found.record.finished),
            measurements: found.record.measurements(with: found.scores))
    }

    /// Every line begins with its id, since members are in key order.
    private static func id(of line: Data, _ url: URL) throws -> String {
        let start = Data("{\"id\":\"".utf8)
        guard line.starts(with: start), let end = line.dropFirst(start.count).firstIndex(of: UInt8(ascii: "\"")) else {
            throw damage(url, "a line does not begin with an id")
        }
        return String(decoding: line[(line.startIndex + start.count)..<end], as: UTF8.self)
    }

    private func decoded<Record: Decodable>(_ line: Data, _ id: String) throws -> Record {
        do { return try RecordFile.decoder.decode(Record.self, from: line) } catch {
            throw Self.damage(url, "the record of '\(id)' cannot be read")
        }
    }

    private static func damage(_ url: URL, _ what: String) -> InputError {
        InputError(file: url.path, isDamage: true, "is damaged: \(what); take it from the repository again")
    }

    // MARK: Writing

    /// Writes finished runs with all stages that they name and that those were made from. What was at `url` stays until the new
    /// file is complete.
    ///
    /// - Parameter runs: ids of runs that `store`, or the archive beside it, has.
    /// - Returns: how many runs and stages were written.
    @discardableResult
    public static func write(
        _ runs: some Sequence<String>, of sweep: String, in store: Store, to url: URL
    ) throws -> (runs: Int, stages: Int) {
        var runLines: [String: Data] = [:]
        var stageLines: [String: Data] = [:]
        var open: [String] = []
        for id in runs {
            guard let entry = try store.entry(ofRun: id) else { throw InputError("no run '\(id)' in \(store.directory.path)") }
            var status = entry.status
            status.owner = nil
            runLines[id] = try line(ArchivedRun(id: id, notes: entry.annotations, run: entry.run, status: status))
            open += entry.run.stages.values
        }
        while let id = open.popLast() {
            guard stageLines[id] == nil else { continue }
            guard let entry = try store.entry(ofStage: id), let record = entry.record else {
                throw InputError("stage '\(id)' is not complete; 'prologue sweep run' makes it")
            }
            let scores = entry.measurements.filter { $0.key != StageRecord.summaryProtocol }
            stageLines[id] = try line(ArchivedStage(id: id, record: record, scores: scores))
            open += record.identity.inputs.values
        }
        let members = [(Self.runs, content(runLines)), (Self.stages, content(stageLines))]
        let head = Head(
            format: format, sweep: sweep, lines: [Self.runs: runLines.count, Self.stages: stageLines.count],
            sha256: Dictionary(uniqueKeysWithValues: members.map { ($0.0, sha256($0.1)) }))
        try AtomicFile.removeLeftovers(in: url.deletingLastPathComponent())
        let first = Data(try JSONValue(encoding: head).pretty.utf8)
        try ZipArchive.write([(Self.head, first)] + members, to: url)
        return (runLines.count, stageLines.count)
    }

    private static func line(_ value: some Encodable) throws -> Data {
        Data(try JSONValue(parsing: RecordFile.encoder.encode(value)).canonical.utf8)
    }

    private static func content(_ lines: [String: Data]) -> Data {
        lines.sorted { $0.key < $1.key }.reduce(into: Data()) { $0 += $1.value + Data("\n".utf8) }
    }
}
