import Files
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

        /// The file's name in a folder, without extension. Other characters than letters, digits and a few signs become dashes.
        public internal(set) var name: String
        /// Empty where the picture says all itself.
        public let caption: String
        public let content: Content

        public init(name: String, caption: String, content: Content) {
            self.name = Self.fileName(for: name)
            self.caption = caption
            self.content = content
        }

        /// What a file may be called on every system, and in a link without quotation; short enough for one.
        private static func fileName(for text: String) -> String {
            let plain = String(text.map { $0.isASCII && ($0.isLetter || $0.isNumber) || "-_.=@,".contains($0) ? $0 : "-" })
            return plain.count <= 120 ? plain : plain.prefix(60) + "-" + sha256(Data(text.utf8)).prefix(8) + "-" + plain.suffix(50)
        }

        var fileName: String {
            switch content {
            case .svg: name + ".svg"
            case .png: name + ".png"
            }
        }
    }

    public let title: String
    public private(set) var blocks: [Block] = []

    public init(title: String) { self.title = title }

    public mutating func add(_ block: Block) { add([block]) }
    public mutating func add(_ more: [Block]) { blocks += more.map { named($0) } }

    /// Names of files that are taken.
    private var taken: Set<String> = []

    /// The block with a number behind the names of its figures that are taken already, in whatever letters.
    private mutating func named(_ block: Block) -> Block {
        switch block {
        case .figures(let figures):
            return .figures(
                figures.map { figure in
                    var (figure, number) = (figure, 1)
                    let name = figure.name
                    while !taken.insert(figure.fileName.lowercased()).inserted {
                        number += 1
                        figure.name = "\(name)-\(number)"
                    }
                    return figure
                })
        case .details(let summary, let inner): return .details(summary, inner.map { named($0) })
        default: return block
        }
    }

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
