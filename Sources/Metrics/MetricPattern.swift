/// How names of a measure are written: `gfid@{features}.{sampler}` with what varies in braces.
struct MetricPattern: Sendable {
    private enum Piece: Sendable {
        case literal(String)
        case field(MetricField)
    }

    private let pieces: [Piece]
    let fields: Set<MetricField>

    init(_ text: String) {
        var pieces: [Piece] = []
        for part in text.split(separator: "{", omittingEmptySubsequences: false) {
            let halves = part.split(separator: "}", maxSplits: 1, omittingEmptySubsequences: false)
            if halves.count == 2 {
                guard let field = MetricField(rawValue: String(halves[0])) else {
                    preconditionFailure("no field \(halves[0]) in the form \(text)")
                }
                pieces.append(.field(field))
            }
            if let literal = halves.last, !literal.isEmpty { pieces.append(.literal(String(literal))) }
        }
        self.init(pieces: pieces)
    }

    /// The same without the feature space, which people may leave out.
    var short: MetricPattern {
        MetricPattern(
            pieces: zip(pieces, pieces.dropFirst() + [.literal("")]).compactMap { piece, next in
                switch (piece, next) {
                case (.field(.features), _): nil
                case (.literal(let text), .field(.features)): .literal(String(text.dropLast()))
                default: piece
                }
            })
    }

    private init(pieces: [Piece]) {
        self.pieces = pieces
        fields = Set(pieces.compactMap { if case .field(let field) = $0 { field } else { nil } })
    }

    /// What varies in `text`; nil where it has another form.
    func match(_ text: Substring) -> [MetricField: String]? { match(text, pieces[...]) }

    private func match(_ text: Substring, _ pieces: ArraySlice<Piece>) -> [MetricField: String]? {
        guard let first = pieces.first else { return text.isEmpty ? [:] : nil }
        let rest = pieces.dropFirst()
        switch first {
        case .literal(let literal):
            return text.hasPrefix(literal) ? match(text.dropFirst(literal.count), rest) : nil
        case .field(let field):
            // The shortest first: what follows says where it ends.
            for end in sequence(first: text.startIndex, next: { $0 < text.endIndex ? text.index(after: $0) : nil }) {
                guard field.accepts(text[..<end]), var found = match(text[end...], rest) else { continue }
                found[field] = String(text[..<end])
                return found
            }
            return nil
        }
    }

    /// Whether a name of this form can be written with `values`.
    func accepts(_ values: [MetricField: String]) -> Bool {
        Set(values.keys).union([.bound]) == fields.union([.bound])
            && values.allSatisfy { fields.contains($0) && $0.accepts($1[...]) || $1.isEmpty }
    }

    func text(_ values: [MetricField: String]) -> String {
        pieces.map { piece in
            switch piece {
            case .literal(let text): text
            case .field(let field): values[field] ?? ""
            }
        }.joined()
    }
}
