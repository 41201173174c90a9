import Files

/// A question to the run history: `CONDITION order by KEY [asc|desc], … limit N`, each part optional.
public struct Query: Sendable, Equatable {
    public let filter: Expression?
    public let order: [Order]
    public let limit: Int?
    private let text: String

    public struct Order: Sendable, Equatable {
        public let key: Expression.Key
        public let descending: Bool
    }

    /// Parses `text`; an error shows it with a caret under the offending place. Empty text asks for everything.
    public init(parsing text: String) throws {
        var parser = try ExpressionParser(text)
        let startsWithClause = ["order", "limit"].contains(parser.current.keyword) || parser.current.kind == .end
        filter = startsWithClause ? nil : try parser.parseCondition()

        var order: [Order] = []
        if parser.accept(keyword: "order") {
            guard parser.accept(keyword: "by") else { throw parser.error("expected 'by', found \(parser.found)") }
            repeat {
                let key = try parser.parseKey("a key to order by")
                let descending = parser.accept(keyword: "desc")
                if !descending { _ = parser.accept(keyword: "asc") }
                order.append(Order(key: key, descending: descending))
            } while parser.accept(sign: ",")
        }
        self.order = order
        self.text = text
        limit = parser.accept(keyword: "limit") ? try parser.parseCount() : nil
        let expected = order.isEmpty ? "'and', 'or', 'order by', 'limit' or the end" : "',', 'limit' or the end"
        try parser.expectEnd(limit == nil ? expected : "the end")
    }

    /// The error about a key: the message, the query, and a caret below the key.
    public func error(_ message: String, at key: Expression.Key) -> InputError {
        ExpressionLexer.error(message, in: text, at: key.offset)
    }

    /// All keys, of the condition and of the order.
    public var keys: [Expression.Key] { (filter?.keys ?? []) + order.map(\.key) }
}
