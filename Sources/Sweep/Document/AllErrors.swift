import Files

/// Does several things and throws everything that is wrong with them at once, so that a file is mended in one go.
struct AllErrors {
    private var messages: [String] = []
    private static let most = 30

    /// What `work` gives; nil where it fails, which is kept for `throwAny`.
    mutating func attempt<Value>(_ work: () throws -> Value) throws -> Value? {
        do { return try work() } catch let error as InputError {
            add(error)
            return nil
        }
    }

    var isEmpty: Bool { messages.isEmpty }

    mutating func add(_ error: InputError) {
        if !messages.contains(error.message) { messages.append(error.message) }
    }

    /// Throws what was kept, those of one file in the order of its lines.
    func throwAny() throws {
        guard let first = messages.first else { return }
        guard messages.count > 1 else { throw InputError(first) }
        let places = messages.map { $0.prefixMatch(of: #/([^\n]*?):([0-9]+): /#) }
        let isOneFile = Set(places.map { $0.map { String($0.1) } }).count == 1
        let order = messages.indices.sorted {
            let lines = isOneFile ? [$0, $1].map { places[$0].flatMap { Int($0.2) } ?? 0 } : [0, 0]
            return (lines[0], $0) < (lines[1], $1)
        }
        let shown = order.prefix(Self.most).map { messages[$0] }
        let more = messages.count - shown.count
        throw InputError(shown.joined(separator: "\n") + (more > 0 ? "\n… and \(more) more" : ""))
    }
}

extension Sequence {
    /// What `work` gives for each element; where it fails for some, all errors at once.
    func mapAll<Value>(_ work: (Element) throws -> Value) throws -> [Value] {
        var errors = AllErrors()
        let values = try map { element in try errors.attempt { try work(element) } }
        try errors.throwAny()
        return values.compactMap { $0 }
    }
}
