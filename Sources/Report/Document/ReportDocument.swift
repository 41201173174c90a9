import Foundation

/// A report as a list of blocks, to be written as one self-contained HTML file or as Markdown beside its pictures.
///
/// All texts are plain: each writer escapes them for its own format.
public struct ReportDocument: Sendable {
    public indirect enum Block: Sendable {
        case heading(String)
        case subheading(String)
        case paragraph(String)
        case list([String])
        case table(Table)
        /// Names with their values, such as what the report was made from.
        case facts([(name: String, value: String)])
        case figures([Figure])
        /// Folded away in HTML until it is asked for.
        case details(String, [Block])
    }

    /// A picture with what is to be seen on it.
    public struct Figure: Sendable {
        public enum Content: Sendable {
            /// An `<svg>` element.
            case svg(String)
            /// The bytes of a PNG file. Its pixels are shown as squares, not smoothed: small images stay readable.
            case png(Data)
        }

        /// The file's name in a folder, without extension; unique within a document.
        public let name: String
        /// Empty where the picture says all itself.
        public let caption: String
        public let content: Content

        public init(name: String, caption: String, content: Content) {
            self.name = name
            self.caption = caption
            self.content = content
        }

        var fileName: String {
            switch content {
            case .svg: name + ".svg"
            case .png: name + ".png"
            }
        }
    }

    public let title: String
    public var blocks: [Block] = []

    public init(title: String) { self.title = title }

    public mutating func add(_ block: Block) { blocks.append(block) }
    public mutating func add(_ more: [Block]) { blocks += more }

    /// All figures, those within details included.
    public var figures: [Figure] { Self.figures(blocks) }

    private static func figures(_ blocks: [Block]) -> [Figure] {
        blocks.flatMap { block -> [Figure] in
            switch block {
            case .figures(let figures): figures
            case .details(_, let inner): figures(inner)
            default: []
            }
        }
    }
}
