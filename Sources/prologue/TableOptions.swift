import ArgumentParser
import Files
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
            case .latex: "Print a LaTeX tabular (packages booktabs and graphicx)."
            }
        }
    }

    @Flag(exclusivity: .exclusive) var format: Format?

    /// Prints a table to standard output.
    ///
    /// - Parameter json: what programs get to read instead of the table's rows, where it holds more than fits a table.
    func show(_ table: Table, json: JSONValue? = nil) {
        let text =
            switch format {
            case nil: table.forTerminal
            case .json: (json ?? table.json).pretty
            case .csv: table.csv()
            case .markdown: table.markdown()
            case .latex: table.latex()
            }
        print(text, terminator: "")
    }
}

extension Table {
    /// As wide as the terminal and in its colours, where there is one.
    var forTerminal: String { text(width: Terminal.width(), isColoured: Terminal.isColoured) }
}
