/// The same blocks as GitHub Markdown; pictures are files beside it, in `pictures`.
extension ReportDocument {
    /// - Parameter pictures: folder of the figures' files, relative to the Markdown file.
    public func markdown(pictures: String) -> String {
        "# \(Self.escaped(title))\n\n" + Self.markdown(blocks, pictures).joined(separator: "\n\n") + "\n"
    }

    private static func markdown(_ blocks: [Block], _ pictures: String) -> [String] {
        blocks.flatMap { block -> [String] in
            switch block {
            case .heading(let text): ["## \(escaped(text))"]
            case .subheading(let text): ["### \(escaped(text))"]
            case .paragraph(let text): [escaped(text)]
            case .list(let items): [items.map { "- \(escaped($0))" }.joined(separator: "\n")]
            case .table(let table): [String(table.markdown().dropLast())]
            case .facts(let facts): [facts.map { "- \(escaped($0.name)): \(escaped($0.value))" }.joined(separator: "\n")]
            case .figures(let figures):
                figures.map { figure in
                    let picture = "![\(escaped(figure.caption))](\(pictures)/\(figure.fileName))"
                    return figure.caption.isEmpty ? picture : picture + "\n\n" + escaped(figure.caption)
                }
            case .details(let summary, let inner):
                ["<details><summary>\(escapedForXML(summary))</summary>"] + markdown(inner, pictures) + ["</details>"]
            }
        }
    }

    private static func escaped(_ text: String) -> String { escapedForMarkdown(text) }
}
