import ArgumentParser
import Report

/// How a command prints its table: for people by default, else in the form that was asked for.
struct TableOptions: ParsableArguments {
    enum Format: String, EnumerableFlag {
        case json, csv, markdown, latex

        static func help(for format: Format) -> ArgumentHelp? {
            switch format {
            case .json: "Print JSON: every digit, missing values as null."
            case .csv: "Print CSV with a header line: every digit, missing values empty."
            case .markdown: "Print a Markdown table."
            case .latex: "Print a LaTeX tabular."
            }
        }
    }

    @Flag(exclusivity: .exclusive) var format: Format?

    /// The table as text in the form asked for, ending with a newline.
    func render(_ table: Table) -> String {
        switch format {
        case nil: table.text()
        case .json: table.json.pretty
        case .csv: table.csv()
        case .markdown: table.markdown()
        case .latex: table.latex()
        }
    }

    /// Prints the table to standard output.
    func show(_ table: Table) { print(render(table), terminator: "") }
}
