import Files
import Foundation

/// What a stage is: exactly the settings it reads, the stages it reads from and the format it writes.
///
/// Two runs whose stages have the same identity share the stage, whatever else differs between them.
public struct StageIdentity: Codable, Hashable, Sendable {
    /// `tokenizer`, `prior`, `scores`, …
    public let kind: String
    public let settings: JSONValue
    /// The ids of the stages it reads, by the role they play.
    public let inputs: [String: String]
    /// Raised when the code would write something else for the same settings.
    public let formatVersion: Int

    public init(kind: String, settings: JSONValue, inputs: [String: String] = [:], formatVersion: Int) {
        precondition(
            !kind.isEmpty && kind.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") },
            "a stage kind is a word of letters, digits and '_': '\(kind)'")
        self.kind = kind
        self.settings = settings.withPlainNumbers
        self.inputs = inputs
        self.formatVersion = formatVersion
    }

    /// `kind-` and the first 12 hexadecimal digits of the SHA-256 of all of it in canonical JSON.
    public var id: String {
        let canonical = JSONValue.object([
            "kind": .string(kind), "settings": settings, "inputs": .object(inputs.mapValues { .string($0) }),
            "format_version": .int(formatVersion),
        ]).canonical
        return "\(kind)-\(sha256(Data(canonical.utf8)).prefix(12))"
    }

    enum CodingKeys: String, CodingKey {
        case kind, settings, inputs
        case formatVersion = "format_version"
    }
}

extension JSONValue {
    /// The same value with every whole number written as an integer, so that `1.0` read back as `1` hashes alike.
    public var withPlainNumbers: JSONValue {
        switch self {
        case .number(let value):
            if value == value.rounded(), abs(value) < 9e15 { .int(Int(value)) } else { self }
        case .array(let items): .array(items.map(\.withPlainNumbers))
        case .object(let members): .object(members.mapValues(\.withPlainNumbers))
        default: self
        }
    }
}

/// What a completed stage was: its `stage.json`, written as the last act of completing.
public struct StageRecord: Codable, Equatable, Sendable {
    public var id: String
    public var identity: StageIdentity
    /// What the caller wants to find again without opening the big files: sizes, final losses, digests.
    public var summary: JSONValue
    public var codeVersion: CodeVersion
    public var machine: Machine
    public var started: Date
    public var finished: Date
    /// Seconds of work, over every process that had a part in it.
    public var wallSeconds: Double
    /// The largest resident memory of the process that completed it.
    public var peakMemoryBytes: Int
    /// The files that other stages and people read, by path in the folder, with their lengths in bytes. Nil in a record
    /// that was written before lengths were kept.
    public var files: [String: Int]?
    /// SHA-256 of each of them and of the curves; of a sealed HDF5 file, of what is before the seal. Nil in a record that was
    /// written before checksums were kept.
    public var digests: [String: String]?

    public init(
        id: String, identity: StageIdentity, summary: JSONValue, codeVersion: CodeVersion, machine: Machine, started: Date,
        finished: Date, wallSeconds: Double, peakMemoryBytes: Int, files: [String: Int]? = nil,
        digests: [String: String]? = nil
    ) {
        self.id = id
        self.identity = identity
        self.summary = summary
        self.codeVersion = codeVersion
        self.machine = machine
        self.started = started
        self.finished = finished
        self.wallSeconds = wallSeconds
        self.peakMemoryBytes = peakMemoryBytes
        self.files = files
        self.digests = digests
    }

    /// The protocol name of what a stage noted about itself while it was made.
    static let summaryProtocol = "summary"

    /// `scores` and, under `summary`, the numbers that the summary has.
    func measurements(with scores: [String: Scores]) -> [String: Scores] {
        guard let metrics = summary["metrics"]?.objectValue, !metrics.isEmpty else { return scores }
        var all = scores
        all[Self.summaryProtocol] = Scores(protocol: ["stage": .string(identity.kind)], values: metrics.mapValues(\.doubleValue))
        return all
    }

    enum CodingKeys: String, CodingKey {
        case id, identity, summary, machine, started, finished, files
        case digests = "sha256_of_files"
        case codeVersion = "code_version"
        case wallSeconds = "wall_seconds"
        case peakMemoryBytes = "peak_memory_bytes"
    }
}
