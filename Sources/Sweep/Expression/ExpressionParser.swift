import Files

/// Recursive descent over the tokens of a condition.
///
///     condition := conjunction { or conjunction }
///     conjunction := negation { and negation }
///     negation := not negation | ( condition ) | test
///     test := operand [ comparator operand | is [not] null
///                     | [not] ( in ( literal, … ) | like text | between operand and operand ) ]
struct ExpressionParser {
    let text: String
    private let tokens: [ExpressionToken]
    private var index = 0
    private var depth = 0

    static let keywords: Set<String> = [
        "and", "or", "not", "in", "is", "null", "true", "false", "order", "by", "asc", "desc", "limit",
        "like", "between",
    ]
    /// Deeper nesting is refused rather than run out of stack.
    private static let deepest = 200
    private static let longest = 10_000

    init(_ text: String) throws {
        self.text = text
        tokens = try ExpressionLexer.tokens(of: text)
        guard tokens.count <= Self.longest else {
            throw InputError("the condition has \(tokens.count) words and signs; at most \(Self.longest) are read")
        }
    }

    var current: ExpressionToken { tokens[index] }

    mutating func parseCondition() throws -> Expression {
        var terms = [try parseConjunction()]
        while accept(keyword: "or") { terms.append(try parseConjunction()) }
        return Self.joined(terms[...], Expression.or)
    }

    private mutating func parseConjunction() throws -> Expression {
        var terms = [try parseNegation()]
        while accept(keyword: "and") { terms.append(try parseNegation()) }
        return Self.joined(terms[...], Expression.and)
    }

    /// Halves of halves, so that a long chain makes no deep tree; of what is joined by `or` alone, or by `and`, any grouping
    /// means the same.
    private static func joined(
        _ terms: ArraySlice<Expression>, _ join: (Expression, Expression) -> Expression
    ) -> Expression {
        guard terms.count > 1 else { return terms[terms.startIndex] }
        let middle = terms.startIndex + (terms.count + 1) / 2
        return join(joined(terms[..<middle], join), joined(terms[middle...], join))
    }

    private mutating func parseNegation() throws -> Expression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.deepest else { throw error("nested more than \(Self.deepest) deep") }
        if accept(keyword: "not") { return .not(try parseNegation()) }
        if accept(sign: "(") {
            let inner = try parseCondition()
            guard accept(sign: ")") else { throw error("expected ')', 'and' or 'or', found \(found)") }
            return inner
        }
        return try parseTest()
    }

    private mutating func parseTest() throws -> Expression {
        let start = current
        let left = try parseOperand("a key or a value")
        if case .sign(let sign) = current.kind, let comparator = Self.comparators[sign] {
            index += 1
            if current.kind == .sign("=") { throw error("'\(sign) =' means nothing; write '\(sign)='") }
            let right = try parseOperand("a value after '\(sign)'")
            if left == .literal(.null) || right == .literal(.null) {
                throw ExpressionLexer.error(
                    "nothing is \(sign) null; write 'is null' or 'is not null'", in: text, at: start.offset)
            }
            return .compare(left, comparator, right)
        }
        if accept(keyword: "is") {
            let negated = accept(keyword: "not")
            guard accept(keyword: "null") else { throw error("expected 'null' after 'is', found \(found)") }
            return .null(left, negated: negated)
        }
        let negated = accept(keyword: "not")
        if accept(keyword: "in") { return .within(left, try parseList(), negated: negated) }
        if accept(keyword: "like") {
            guard case .literal(.string(let pattern)) = current.kind else {
                throw error("expected a text after 'like', found \(found)")
            }
            index += 1
            return .like(left, pattern, negated: negated)
        }
        if accept(keyword: "between") {
            let low = try parseBound("a value after 'between'")
            guard accept(keyword: "and") else { throw error("expected 'and' and the upper end, found \(found)") }
            let high = try parseBound("the upper end after 'and'")
            let inside = Expression.and(.compare(left, .greaterOrEqual, low), .compare(left, .lessOrEqual, high))
            return negated ? .not(inside) : inside
        }
        if negated { throw error("expected 'in', 'like' or 'between' after 'not', found \(found)") }
        if case .literal(let value) = left, value.boolValue == nil {
            throw ExpressionLexer.error(
                "a value alone is no condition; compare it with a key", in: text, at: start.offset)
        }
        return .truth(left)
    }

    private mutating func parseBound(_ expected: String) throws -> Expression.Operand {
        let start = current
        let bound = try parseOperand(expected)
        guard bound != .literal(.null) else {
            throw ExpressionLexer.error("nothing is between nulls; write 'is null'", in: text, at: start.offset)
        }
        return bound
    }

    private mutating func parseList() throws -> [JSONValue] {
        guard accept(sign: "(") else { throw error("expected '(' after 'in', found \(found)") }
        var values: [JSONValue] = []
        repeat {
            let start = current
            guard case .literal(let value) = try parseOperand("a value") else {
                throw ExpressionLexer.error(
                    "the list after 'in' holds values, not keys; texts stand in quotes", in: text, at: start.offset)
            }
            values.append(value)
        } while accept(sign: ",")
        guard accept(sign: ")") else { throw error("expected ',' or ')', found \(found)") }
        return values
    }

    private mutating func parseOperand(_ expected: String) throws -> Expression.Operand {
        let token = current
        switch token.kind {
        case .literal(let value):
            index += 1
            return .literal(value)
        case .word(let word):
            let literals: [String: JSONValue] = ["null": .null, "true": true, "false": false]
            if let literal = literals[word.lowercased()] {
                index += 1
                return .literal(literal)
            }
            return .key(try parseKey(expected))
        default:
            throw error("expected \(expected), found \(found)")
        }
    }

    mutating func parseKey(_ expected: String) throws -> Expression.Key {
        guard case .word(let word) = current.kind, !Self.keywords.contains(word.lowercased()) else {
            throw error("expected \(expected), found \(found)")
        }
        let parts = word.split(separator: ".", omittingEmptySubsequences: false)
        guard !parts.contains("") else { throw error("the key '\(word)' has an empty part") }
        let offset = current.offset
        index += 1
        return Expression.Key(path: word, offset: offset)
    }

    mutating func parseCount() throws -> Int {
        guard case .literal(.int(let count)) = current.kind, count >= 1 else {
            throw error("expected a whole number from 1 on, found \(found)")
        }
        index += 1
        return count
    }

    mutating func accept(keyword: String) -> Bool {
        guard current.keyword == keyword else { return false }
        index += 1
        return true
    }

    mutating func accept(sign: String) -> Bool {
        guard current.kind == .sign(sign) else { return false }
        index += 1
        return true
    }

    func expectEnd(_ expected: String = "'and', 'or' or the end") throws {
        guard current.kind == .end else { throw error("expected \(expected), found \(found)") }
    }

    func error(_ message: String) -> InputError { ExpressionLexer.error(message, in: text, at: current.offset) }

    var found: String {
        switch current.kind {
        case .word(let word): "'\(word)'"
        case .literal(let value): value.canonical
        case .sign(let sign): "'\(sign)'"
        case .end: "the end"
        }
    }

    private static let comparators: [String: Expression.Comparator] = [
        "=": .equal, "==": .equal, "!=": .notEqual, "<>": .notEqual,
        "<": .less, "<=": .lessOrEqual, ">": .greater, ">=": .greaterOrEqual,
    ]
}
