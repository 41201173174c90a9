import Files
import Foundation

/// One cell of a sweep with one seed: its `run.json`.
public struct RunRecord: Codable, Equatable, Sendable {
    public var id: String
    public var name: String
    public var sweep: String
    /// What distinguishes this cell from the others of its sweep, such as `tokenizer.variant=prologue`; empty if nothing.
    public var cell: String
    /// The resolved configuration, every default filled in.
    public var config: JSONValue
    /// SHA-256 of what of the configuration names the run, in canonical JSON; nil in records of earlier versions.
    public var identity: String?
    /// The seed of the run, and those of its parts, by name.
    public var seeds: [String: Int]
    /// The ids of the stages this run is made of, by role: `tokenizer`, `prior`, `scores`, …
    public var stages: [String: String]
    public var codeVersion: CodeVersion
    public var machine: Machine
    public var created: Date

    /// - Parameters:
    ///   - seed: the one seed the cell was repeated with; `seeds["run"]`.
    ///   - identity: what of the configuration names the run; nil for all of it.
    ///   - id: of a run that is there already, under a name that an earlier version gave it.
    public init(
        sweep: String, cell: String, seed: Int, seeds: [String: Int] = [:], config: JSONValue, identity: JSONValue? = nil,
        stages: [String: String] = [:], codeVersion: CodeVersion, machine: Machine, name: String? = nil,
        id: String? = nil, created: Date = Date()
    ) {
        self.id = id ?? Self.makeID(sweep: sweep, cell: cell, seed: seed, identity: identity ?? config)
        self.identity = Self.digest(of: identity ?? config)
        self.name = name ?? (cell.isEmpty ? sweep : "\(sweep) \(cell)")
        self.sweep = sweep
        self.cell = cell
        self.config = config
        self.seeds = seeds.merging(["run": seed]) { _, new in new }
        self.stages = stages
        self.codeVersion = codeVersion
        self.machine = machine
        self.created = created
    }

    public var seed: Int { seeds["run"] ?? 0 }

    /// `<sweep>-<cell>-s<seed>-<12 digits of the identity's hash>`: the same cell of the same sweep is the same run.
    ///
    /// - Parameter digits: earlier versions took 6, with which two settings of a large sweep could share a name.
    public static func makeID(sweep: String, cell: String, seed: Int, identity: JSONValue, digits: Int = Self.digits) -> String {
        [slug(sweep, limit: 32), slug(cell, limit: 48), "s\(seed)", String(digest(of: identity).prefix(digits))]
            .filter { !$0.isEmpty }.joined(separator: "-")
    }

    /// How many digits of the hash an id has, and had in earlier versions.
    public static let digits = 12, earlierDigits = 6

    public static func digest(of identity: JSONValue) -> String { sha256(Data(identity.withPlainNumbers.canonical.utf8)) }

    /// Lower-case letters, digits and single hyphens, short enough for a folder name.
    private static func slug(_ text: String, limit: Int) -> String {
        let words = text.lowercased().split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }
        return String(words.joined(separator: "-").prefix(limit)).trimmingCharacters(in: ["-"])
    }

    enum CodingKeys: String, CodingKey {
        case id, name, sweep, cell, config, identity, seeds, stages, machine, created
        case codeVersion = "code_version"
    }
}

/// Something a run made that people look at.
public struct Artifact: Codable, Equatable, Sendable {
    /// `picture`, `table`, `report`, …
    public var kind: String
    /// Relative to the store.
    public var path: String
    public var description: String

    public init(kind: String, path: String, description: String) {
        self.kind = kind
        self.path = path
        self.description = description
    }
}

/// What people have said about a run: its `annotations.json`.
public struct Annotations: Codable, Equatable, Sendable {
    public struct Note: Codable, Equatable, Sendable {
        public var text: String
        public var written: Date

        public init(text: String, written: Date = Date()) {
            self.text = text
            self.written = written
        }
    }

    public var tags: Set<String> = []
    public var notes: [Note] = []

    public init() {}

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(tags.sorted(), forKey: .tags)
        try container.encode(notes, forKey: .notes)
    }

    enum CodingKeys: String, CodingKey { case tags, notes }
}
