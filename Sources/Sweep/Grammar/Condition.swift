import Files
import Settings

/// A condition on cells, as `exclude` and `only` have it, with all its keys known.
struct Condition {
    private let expression: Expression

    /// `what` and `place` say in errors where `text` stands.
    init(_ text: String, called what: String, at place: Place, axes: [Axis]) throws {
        do {
            expression = try Expression(parsing: text)
            let names = axes.flatMap { $0.values[0].choices.map(\.axis) } + ["label"]
            for key in expression.keys where Schema.node(at: key.path) == nil && !names.contains(key.path) {
                let hint = Schema.hint(Schema.suggestion(for: key.path, others: names))
                throw ExpressionLexer.error("unknown key \(key.path)\(hint)", in: text, at: key.offset)
            }
            if let mismatch = expression.mismatch({ path in
                names.contains(path) && Schema.node(at: path) == nil
                    ? .text(choices: Self.values(of: path, axes)) : Schema.setting(at: path).map { ValueType($0.kind) }
            }) {
                throw ExpressionLexer.error(mismatch.message, in: text, at: mismatch.key.offset)
            }
        } catch let error as InputError {
            throw place.error(what.isEmpty ? error.message : "\(what): \(error.message)")
        }
    }

    /// The names of a named axis' values; none for what can be any text.
    private static func values(of name: String, _ axes: [Axis]) -> [String] {
        axes.filter { $0.name == name }.flatMap { $0.values.compactMap { $0.choices[0].value.stringValue } }
    }

    func matches(_ cell: Cell) -> Bool { expression.matches(cell.lookup) }
}
