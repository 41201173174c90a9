import Files
import Foundation
import Settings

/// A sweep file, read, checked and resolved into the runs it asks for. See `docs/sweeps.md` for the grammar.
///
/// ```swift
/// let sweep = try SweepFile(loading: file, overrides: ["prior.steps=500"], only: "seed = 0")
/// for cell in sweep.cells { print(cell.label, cell.seed, cell.settings.tokenizer.variant) }
/// ```
public struct SweepFile: Sendable {
    /// Short name, under which runs are recorded.
    public let name: String
    /// What the sweep is to find out, for its report.
    public let question: String?
    /// The runs, in the order of the file: the first axis changes slowest, seeds fastest. Never empty.
    public let cells: [Cell]
    public let compare: Comparison
    /// What it says of seeds that may not be what was meant.
    private let seedNotes: [String]

    /// Reads the file at `url` with its bases.
    ///
    /// - Parameters:
    ///   - overrides: `key=value` texts of `--set`; the value is YAML.
    ///   - only: a condition; cells that do not meet it are left out.
    /// - Throws: `InputError` naming file, line, dotted path, and the nearest valid choice.
    public init(loading url: URL, overrides: [String] = [], only: String? = nil) throws {
        var document = try SweepDocument(loading: url)
        let overridden = try Overrides.apply(overrides, to: &document)

        var errors = AllErrors()
        let given = (
            name: try errors.attempt { try Self.readName(document) },
            question: try errors.attempt { try document.texts("question").first?.text },
            axes: try errors.attempt { try Axis.all(of: document) },
            seeds: try errors.attempt { try SeedChoice.read(document["seeds"]) }
        )
        try errors.throwAny()
        guard let name = given.name, let axes = given.axes else { throw InputError(file: document.file, "cannot be read") }
        self.name = name
        question = given.question ?? nil
        seedNotes = SeedChoice.notes(document["seeds"])
        let all = try CellBuilder(document: document, name: name, axes: axes, overridden: overridden).build()
        compare = try Comparison(document, axes: axes, cells: all)

        var conditions = try document.texts("only").map {
            try Condition($0.text ?? "", called: "only", at: $0.place, axes: axes)
        }
        if let only {
            conditions.append(try Condition(only, called: "", at: Place(file: "--only", line: nil), axes: axes))
        }
        cells = all.filter { cell in conditions.allSatisfy { $0.matches(cell) } }
        guard !cells.isEmpty else {
            throw InputError(
                file: only == nil ? document.file : "--only",
                "no cell meets the condition; cells: "
                    + all.map(\.name).prefix(12).joined(separator: "; ") + (all.count > 12 ? "; …" : ""))
        }
    }

    /// What is to be known before it is run, a sentence each: what may not be what was meant, and scores of different cells that
    /// will not compare.
    public var notes: [String] { seedNotes + ComparedMetrics.notes(self) }

    private static func readName(_ document: SweepDocument) throws -> String {
        guard let written = document["name"] else {
            throw InputError(
                file: document.file, "name is missing: give the sweep a short name, such as name: prologue-length")
        }
        guard let name = written.name, Schema.isName(name) else {
            throw written.place.error("name is \(written.shown), but must be letters, digits, - and _")
        }
        guard name.count <= Schema.longestName else {
            throw written.place.error("name has \(name.count) characters; at most \(Schema.longestName)")
        }
        return name
    }
}
