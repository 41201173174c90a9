/// How neatly tokens and factors go together (InfoMEC, Hsu et al. 2023), from mutual informations as shares of the factors'
/// entropies.
public struct Disentanglement: Sendable, Equatable {
    /// Whether each token tells of one factor only: 1; of all alike: 0.
    public let modularity: Double
    /// Whether each factor is told by one token only: 1; by all alike: 0.
    public let compactness: Double

    /// Nil where there are fewer than two factors, or fewer than two tokens that vary.
    ///
    /// - Parameters: one value a row of each factor and token. A factor or token that never varies is left out.
    public init?(factors: [[Int32]], tokens: [[Int32]]) {
        let (factors, tokens) = (factors.filter { Set($0).count > 1 }, tokens.filter { Set($0).count > 1 })
        guard factors.count > 1, tokens.count > 1 else { return nil }
        let shares = factors.map { factor in
            tokens.map { token in
                let information = MutualInformation(factor, token)
                return max(0, information.plugIn) / information.a.plugIn
            }
        }
        func neatness(_ values: [Double]) -> Double? {
            let sum = values.reduce(0, +)
            return sum > 0 ? (values.max() ?? 0) / sum : nil
        }
        func scaled(_ all: [Double?], _ chance: Double) -> Double {
            let known = all.map { $0 ?? chance }
            return (known.reduce(0, +) / Double(known.count) - chance) / (1 - chance)
        }
        modularity = scaled(tokens.indices.map { token in neatness(shares.map { $0[token] }) }, 1 / Double(factors.count))
        compactness = scaled(shares.map(neatness), 1 / Double(tokens.count))
    }
}
