import Files
import Foundation

/// How often each code is used at each token position, gathered over a data set.
public struct CodebookUsage: Sendable, Equatable {
    public let codebookSize: Int
    public let positions: Int
    /// [positions, codebookSize] row-major.
    public private(set) var counts: [Int]
    /// Token sequences counted so far.
    public private(set) var sequences = 0

    public init(codebookSize: Int, positions: Int) {
        precondition(codebookSize > 0 && positions > 0, "\(positions) positions of \(codebookSize) codes")
        self.codebookSize = codebookSize
        self.positions = positions
        counts = [Int](repeating: 0, count: positions * codebookSize)
    }

    /// Counts token ids, [sequences, positions] row-major, each in 0..<codebookSize.
    /// Throws `InputError`, before counting anything, if one is outside.
    public mutating func add(_ tokens: [Int32]) throws {
        precondition(tokens.count % positions == 0, "\(tokens.count) tokens are no whole sequences of \(positions)")
        if let bad = tokens.firstIndex(where: { $0 < 0 || $0 >= codebookSize }) {
            throw InputError(
                "token \(tokens[bad]) of sequence \(bad / positions), position \(bad % positions) is outside a codebook "
                    + "of \(codebookSize) (expected 0…\(codebookSize - 1))")
        }
        for (i, token) in tokens.enumerated() { counts[i % positions * codebookSize + Int(token)] += 1 }
        sequences += tokens.count / positions
    }

    public struct Summary: Sendable, Equatable, Codable {
        /// Codes seen at least once.
        public let used: Int
        /// Share of the codebook seen at least once.
        public let usage: Double
        /// −Σ p log p of the empirical distribution, in nats.
        public let entropy: Double
        /// exp(entropy): the number of equally likely codes that would have this entropy.
        public let perplexity: Double
    }

    /// Of one position. Nil while nothing has been counted.
    public func summary(position: Int) -> Summary? {
        precondition(position >= 0 && position < positions, "position \(position) of \(positions)")
        return summarise(counts[position * codebookSize..<(position + 1) * codebookSize])
    }

    /// Of all positions together. Nil while nothing has been counted.
    public func summary() -> Summary? {
        var total = [Int](repeating: 0, count: codebookSize)
        for (i, count) in counts.enumerated() { total[i % codebookSize] += count }
        return summarise(total[...])
    }

    private func summarise(_ counts: ArraySlice<Int>) -> Summary? {
        let total = counts.reduce(0, +)
        guard total > 0 else { return nil }
        let used = counts.count { $0 > 0 }
        let entropy = counts.reduce(0.0) { sum, count in
            let p = Double(count) / Double(total)
            return p > 0 ? sum - p * log(p) : sum
        }
        return Summary(
            used: used, usage: Double(used) / Double(codebookSize), entropy: entropy, perplexity: exp(entropy))
    }
}
