import Files
import Foundation
import Settings

extension SweepFile {
    /// The text of a sweep file that means what the one at `url` means now, with all that it is based on taken in. Overrides
    /// can be applied to it as to the original.
    public static func standalone(_ url: URL) throws -> String {
        let document = try SweepDocument(loading: url)
        let grammar = document.grammar.filter { $0.key != "base" && !$0.value.isNull }.sorted { $0.key < $1.key }
        let sections = document.settings.entries ?? []
        return (grammar.map { ($0.key, $0.value) } + sections.map { ($0.key, $0.value) })
            .map { "\(JSONValue.string($0).canonical): \($1.yaml)\n" }.joined()
    }
}

extension SourceValue {
    /// The value in one line of YAML: keys in their order, numbers as they were written.
    fileprivate var yaml: String {
        switch content {
        case .plain(.string(let text)): JSONValue.string(text).canonical
        case .plain(let value): written ?? value.canonical
        case .list(let items): "[\(items.map(\.yaml).joined(separator: ", "))]"
        case .map(let entries): "{\(entries.map { "\(JSONValue.string($0.key).canonical): \($0.value.yaml)" }.joined(separator: ", "))}"
        }
    }
}
