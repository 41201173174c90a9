import Files
import Settings

/// `--set key=value` from the command line.
enum Overrides {
    /// Applies the overrides over the file's settings, later ones over earlier; returns the paths they set.
    static func apply(_ texts: [String], to document: inout SweepDocument) throws -> Set<String> {
        var paths: Set<String> = []
        var errors = AllErrors()
        for text in texts { _ = try errors.attempt { try apply(text, to: &document, &paths) } }
        try errors.throwAny()
        return paths
    }

    private static func apply(_ text: String, to document: inout SweepDocument, _ paths: inout Set<String>) throws {
        let place = Place(file: "--set", line: nil)
        guard let sign = text.firstIndex(of: "="), sign > text.startIndex else {
            throw place.error("'\(text)' must be key=value, such as prior.steps=500")
        }
        let key = text[..<sign].trimmingCharacters(in: .whitespaces)
        let value = try YAMLReader.parse(String(text[text.index(after: sign)...]), source: .argument("--set"))
        if key == "seeds" || key == "name" {
            document.override(key, with: value)
            return
        }
        if SweepDocument.grammarKeys[key] != nil {
            throw place.error("\(key) belongs in the sweep file; --set takes settings, seeds and name")
        }
        let patch = try Checker.check(Checker.nest(key, value), against: SweepDocument.sections)
        document.settings = patch.merged(over: document.settings)
        paths.formUnion(Checker.leafPaths(of: patch).map(\.path))
    }
}
