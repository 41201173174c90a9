import Files
import Foundation
import Settings

/// A YAML file that is one section of settings, checked like those of a sweep file.
public enum SettingsFile {
    /// - Parameter kind: what errors call such a file, with its article.
    /// - Throws: an `InputError` naming file, line, key and the nearest valid one.
    public static func read<Section: SettingsSection>(_ url: URL, called kind: String) throws -> Section {
        let root = try YAMLReader.read(url)
        let schema = Section.schema(defaults: Section())
        guard root.isNull || root.entries != nil else { throw root.place.error("\(kind) is a map of keys, not \(root.shown)") }
        // The checker would look for the word among the settings of runs.
        let keys = schema.members.map(\.key)
        _ = try (root.entries ?? []).mapAll { entry in
            guard !keys.contains(entry.key) else { return }
            let meant = Schema.hint(for: entry.key, among: keys)
            throw entry.place.error(
                "unknown key \(entry.key)\(meant.isEmpty ? "; keys of \(kind): \(keys.joined(separator: ", "))" : meant)")
        }
        return try Section(Checker.check(root, against: schema))
    }
}
