import Files
import Foundation

/// The same blocks as GitHub Markdown; pictures are files beside it, in `pictures`.
extension ReportDocument {
    /// Writes the Markdown, and the figures to `pictures/` beside it.
    public func writeMarkdown(to file: URL) throws {
        let pictures = file.deletingLastPathComponent().appendingPathComponent("pictures", isDirectory: true)
        try FileManager.default.createDirectory(at: pictures, withIntermediateDirectories: true)
        let earlier = (try? String(contentsOf: file, encoding: .utf8)).map(Self.pictures) ?? []
        for figure in figures {
            let bytes =
                switch figure.content {
                case .svg(let svg): Data(svg.utf8)
                case .png(let bytes): bytes
                }
            try AtomicFile.write(bytes, to: pictures.appendingPathComponent(figure.fileName))
        }
        try AtomicFile.write(Data(markdown(pictures: "pictures").utf8), to: file)
        // Pictures of the last time that are not shown any more; files that are not ours stay.
        for name in earlier.subtracting(figures.map(\.fileName)) { unlink(pictures.appendingPathComponent(name).path) }
    }

    /// The files in `pictures/` that a Markdown text of ours shows.
    private static func pictures(in text: String) -> Set<String> {
        Set(text.matches(of: /\]\(pictures\/([^\/()]+\.(?:svg|png))\)/).map { String($0.1) })
    }

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
