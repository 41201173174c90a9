import Foundation

/// A code for sets of tokens: each token told given one other, along the tree that tells most (Chow and Liu 1968).
///
/// Its length on rows that it was not made from is bits that somebody could really send the tokens in, and so no less than
/// their entropy; unlike a plug-in estimate of the joint entropy it is not bounded by the number of rows.
public struct TokenTree: Sendable {
    /// Of each position the position that it is told after; −1 for the first.
    public let parents: [Int]
    /// Rows that a token's own frequencies weigh against those beside its parent's code.
    public let prior: Double
    private let codes: [Int]
    /// Shares of codes at each position, [positions, codes].
    private let shares: [[Double]]
    /// At each position how often a code stands beside a code of the parent, and how often the latter is there.
    private let pairs: [[Int64: Double]]
    private let parentCounts: [[Double]]

    /// Strengths of the prior that are tried.
    private static let priors = [1.0, 4, 16, 64, 256]

    /// - Parameters:
    ///   - columns: the codes of each position, one a row.
    ///   - codes: how many there are at each position.
    ///   - prior: nil: of 1, 4, 16, 64, 256 the one by which every fifth row is told best from the others.
    public init(_ columns: [[Int32]], codes: [Int], prior: Double? = nil) {
        precondition(columns.count == codes.count && !columns.isEmpty, "\(columns.count) columns, \(codes.count) numbers of codes")
        let parents = Self.tree(columns)
        self.init(columns, codes: codes, parents: parents, prior: prior ?? Self.choose(columns, codes, parents))
    }

    private init(_ columns: [[Int32]], codes: [Int], parents: [Int], prior: Double) {
        (self.codes, self.parents, self.prior) = (codes, parents, prior)
        let rows = Double(columns[0].count)
        let counts = zip(columns, codes).map { column, codes in
            column.reduce(into: [Double](repeating: 0, count: codes)) { $0[Int($1)] += 1 }
        }
        shares = zip(counts, codes).map { counts, codes in counts.map { ($0 + 1) / (rows + Double(codes)) } }
        pairs = parents.enumerated().map { position, parent in
            guard parent >= 0 else { return [:] }
            return zip(columns[position], columns[parent]).reduce(into: [:]) { $0[Self.key($1.0, $1.1), default: 0] += 1 }
        }
        parentCounts = parents.map { $0 < 0 ? [] : counts[$0] }
    }

    /// Mean bits of a row.
    public func bits(_ columns: [[Int32]]) -> Double {
        precondition(columns.count == parents.count, "\(columns.count) columns for a tree of \(parents.count)")
        let rows = columns[0].count
        var nats = 0.0
        for (position, parent) in parents.enumerated() {
            for row in 0..<rows {
                let (code, own) = (columns[position][row], shares[position][Int(columns[position][row])])
                guard parent >= 0 else {
                    nats -= log(own)
                    continue
                }
                let beside = columns[parent][row]
                let seen = pairs[position][Self.key(code, beside)] ?? 0
                nats -= log((seen + prior * own) / (parentCounts[position][Int(beside)] + prior))
            }
        }
        return nats / Double(rows) / log(2)
    }

    private static func key(_ code: Int32, _ beside: Int32) -> Int64 { Int64(code) << 32 | Int64(beside) }

    /// The spanning tree of most mutual information, grown from the first position (Prim).
    private static func tree(_ columns: [[Int32]]) -> [Int] {
        var parents = [Int](repeating: -1, count: columns.count)
        var best = [(information: Double, from: Int)](repeating: (-.infinity, -1), count: columns.count)
        var (last, open) = (0, Set(columns.indices.dropFirst()))
        while !open.isEmpty {
            for position in open {
                let information = MutualInformation(columns[position], columns[last]).plugIn
                if information > best[position].information { best[position] = (information, last) }
            }
            guard let next = open.sorted().max(by: { best[$0].information < best[$1].information }) else { break }
            parents[next] = best[next].from
            open.remove(next)
            last = next
        }
        return parents
    }

    private static func choose(_ columns: [[Int32]], _ codes: [Int], _ parents: [Int]) -> Double {
        func rows(_ isHeld: Bool) -> [[Int32]] {
            columns.map { column in column.indices.filter { ($0 % 5 == 4) == isHeld }.map { column[$0] } }
        }
        let (fitted, held) = (rows(false), rows(true))
        guard held[0].count > 0 else { return priors[2] }
        return priors.map { ($0, TokenTree(fitted, codes: codes, parents: parents, prior: $0).bits(held)) }
            .min { $0.1 < $1.1 }?.0 ?? priors[2]
    }
}
