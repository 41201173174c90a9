import Files

/// A word, number, text or sign of a condition, with its place.
struct ExpressionToken: Equatable {
    enum Kind: Equatable {
        /// A key or a keyword.
        case word(String)
        case literal(JSONValue)
        /// An operator, bracket or comma.
        case sign(String)
        case end
    }

    let kind: Kind
    /// In characters from the start of the text.
    let offset: Int

    /// The word in lower case, for keywords; nil for anything else.
    var keyword: String? { if case .word(let text) = kind { text.lowercased() } else { nil } }
}

/// Splits a condition into tokens.
struct ExpressionLexer {
    private let characters: [Character]
    private var position = 0

    static func tokens(of text: String) throws -> [ExpressionToken] {
        var lexer = ExpressionLexer(characters: Array(text))
        var result: [ExpressionToken] = []
        repeat { result.append(try lexer.next()) } while result.last?.kind != .end
        return result
    }

    /// The error at a place of `text`: the message, the text, and a caret below.
    static func error(_ message: String, in text: String, at offset: Int) -> InputError {
        // Line breaks would move the caret away from its place.
        let line = String(text.map { $0.isNewline || $0 == "\t" ? " " : $0 })
        return InputError("\(message)\n  \(line)\n  \(String(repeating: " ", count: offset))^")
    }

    private init(characters: [Character]) { self.characters = characters }

    private mutating func next() throws -> ExpressionToken {
        while let character = peek, character.isWhitespace { position += 1 }
        let start = position
        guard let first = peek else { return ExpressionToken(kind: .end, offset: start) }
        let kind: ExpressionToken.Kind
        if first == "'" || first == "\"" {
            kind = .literal(.string(try text(quotedBy: first)))
        } else if first.isLetter || first == "_" {
            kind = .word(take { $0.isLetter || $0.isNumber || "_.-@/".contains($0) })
        } else if first.isNumber || "+-.".contains(first) {
            kind = .literal(try number())
        } else {
            kind = .sign(try sign())
        }
        return ExpressionToken(kind: kind, offset: start)
    }

    private var peek: Character? { position < characters.count ? characters[position] : nil }

    private mutating func take(while holds: (Character) -> Bool) -> String {
        let start = position
        while let character = peek, holds(character) { position += 1 }
        return String(characters[start..<position])
    }

    /// A quote inside is written twice.
    private mutating func text(quotedBy quote: Character) throws -> String {
        let start = position
        position += 1
        var result = ""
        while let character = peek {
            position += 1
            if character == quote {
                guard peek == quote else { return result }
                position += 1
            }
            result.append(character)
        }
        throw Self.error("the text that begins here has no closing \(quote)", in: String(characters), at: start)
    }

    private mutating func number() throws -> JSONValue {
        let start = position
        let text = take { $0.isNumber || $0.isLetter || "+-.".contains($0) }
        guard text.wholeMatch(of: /[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?/) != nil,
            let value = Double(text), value.isFinite
        else {
            throw Self.error("'\(text)' is not a number; quote it if it is text", in: String(characters), at: start)
        }
        return Int(text).map(JSONValue.int) ?? .normalized(value)
    }

    private mutating func sign() throws -> String {
        for sign in ["==", "!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", ","]
        where characters[position...].starts(with: sign) {
            position += sign.count
            return sign
        }
        let advice = ["&": "; write and", "|": "; write or", "!": "; write not"][characters[position]] ?? ""
        throw Self.error("'\(characters[position])' means nothing here\(advice)", in: String(characters), at: position)
    }
}
