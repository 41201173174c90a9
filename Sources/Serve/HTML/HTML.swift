import Report

/// Text of a page. What is put into it is escaped, unless it is `HTML` itself:
///
///     let cell: HTML = "<td>\(run.message)</td>"
struct HTML: ExpressibleByStringInterpolation, Sendable {
    private(set) var text: String

    /// Markup that is known to be whole and safe, such as a table of `Report`.
    init(markup: String) { text = markup }
    init(stringLiteral value: String) { text = value }
    init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }

    static let empty = HTML(markup: "")

    static func + (left: HTML, right: HTML) -> HTML { HTML(markup: left.text + right.text) }
    static func += (left: inout HTML, right: HTML) { left.text += right.text }

    struct StringInterpolation: StringInterpolationProtocol {
        var text = ""

        init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity) }
        mutating func appendLiteral(_ literal: String) { text += literal }
        mutating func appendInterpolation(_ value: String) { text += escapedForXML(value) }
        mutating func appendInterpolation(_ value: Substring) { text += escapedForXML(String(value)) }
        mutating func appendInterpolation(_ value: Int) { text += String(value) }
        mutating func appendInterpolation(_ html: HTML) { text += html.text }
        mutating func appendInterpolation(_ html: HTML?) { text += html?.text ?? "" }
        mutating func appendInterpolation(_ parts: [HTML]) { for part in parts { text += part.text } }
    }
}

extension [HTML] {
    func joined(by separator: HTML = .empty) -> HTML { HTML(markup: map(\.text).joined(separator: separator.text)) }
}

/// A part of a path, such as the name of a run.
func pathPart(_ text: String) -> String {
    var plain = CharacterSetASCII.unreserved
    plain.insert("=")
    return text.utf8.map { byte in
        let character = Character(Unicode.Scalar(byte))
        return byte < 0x80 && plain.contains(character) ? String(character) : "%" + hexadecimal(byte)
    }.joined()
}

/// A value in a query.
func queryPart(_ text: String) -> String {
    text.utf8.map { byte in
        let character = Character(Unicode.Scalar(byte))
        return byte < 0x80 && CharacterSetASCII.unreserved.contains(character) ? String(character) : "%" + hexadecimal(byte)
    }.joined()
}

private func hexadecimal(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true) }

private enum CharacterSetASCII {
    static let unreserved = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~,")
}
