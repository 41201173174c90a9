import Files
import Foundation

/// log Σ p(s, v) over all s, for a v whose s is not looked at: a probability that a model gives only jointly.
///
/// The sum is estimated by importance sampling, the one s that is known to go with v counted exactly and all others drawn:
/// p(v) ≈ p(s₀, v) + mean of p(s, v) / q(s) over draws s ≠ s₀. That mean is unbiased; its logarithm is too low on average, less
/// so with more draws, and never below log p(s₀, v). So −log p(v) is an upper bound in expectation, at most the joint code length.
///
/// q is a mixture of products over positions. The first third of the draws tells which codes go with v; the estimate is made
/// of the others alone, drawn from what was learned mixed with codes as frequent as they are everywhere, so that no s with
/// p(s, v) > 0 is out of reach.
public struct MarginalLikelihood: Sendable, Equatable {
    /// Estimate of log p(v), nats.
    public let logMarginal: Double
    /// log p(s₀, v), nats.
    public let logJoint: Double
    /// Of `logMarginal`, from the spread of the draws' weights.
    public let standardError: Double
    /// (Σ w)² / Σ w² of the draws' weights: so many equally heavy draws would tell as much. 0 where nothing was to be drawn.
    public let effectiveDraws: Double
    /// Draws that the estimate is made of.
    public let draws: Int

    /// p(s₀ | v): how much of v's probability the known s holds.
    public var ownShare: Double { exp(logJoint - logMarginal) }

    /// - Parameters:
    ///   - own: s₀, a code at each position. None at all: p(v) is what `logJoint` says of it.
    ///   - frequencies: of every code at each position, [positions, codes], each at least a little above 0.
    ///   - draws: of both kinds together.
    ///   - logJoint: log p(s, v) of each s, nats; asked for different ones only.
    public init(
        own: [Int], frequencies: [[Double]], draws: Int, seed: UInt64, logJoint evaluate: ([[Int]]) throws -> [Double]
    ) rethrows {
        precondition(own.count == frequencies.count, "\(own.count) positions, frequencies of \(frequencies.count)")
        precondition(draws >= 6, "\(draws) draws")
        precondition(frequencies.allSatisfy { $0.allSatisfy { $0 > 0 } }, "a code of frequency 0 could never be drawn")
        var known: [[Int]: Double] = [:]
        func joint(_ rows: [[Int]]) throws -> [Double] {
            let new = Array(Set(rows.filter { known[$0] == nil })).sorted { $0.lexicographicallyPrecedes($1) }
            if !new.isEmpty { for (row, value) in zip(new, try evaluate(new)) { known[row] = value } }
            return rows.map { known[$0] ?? -.infinity }
        }
        let ownJoint = try joint([own])[0]
        logJoint = ownJoint
        guard frequencies.contains(where: { $0.count > 1 }) else {
            (logMarginal, standardError, effectiveDraws, self.draws) = (ownJoint, 0, 0, 0)
            return
        }
        var generator = SplitMix64(seed: seed)
        let general = frequencies.map { row in row.map { $0 / row.reduce(0, +) } }
        let near = Proposal.product(changing: own, share: min(0.5, 1 / Double(own.count)), general)
        let first = Proposal([
            (0.5, near), (0.25, Proposal.product(changing: own, share: 0.5, general)), (0.25, general),
        ])

        // What goes with v: each code's share of the weight, s₀ with it.
        let exploring = first.draw(draws / 3, besides: own, &generator)
        let explored = try Self.weights(exploring, first, own, joint(exploring))
        var learned = general.map { $0.map { _ in 0.0 } }
        let top = max(ownJoint, explored.max() ?? -.infinity)
        for (s, weight) in zip(exploring + [own], explored.map { $0 - log(Double(exploring.count)) } + [ownJoint]) {
            for (position, code) in s.enumerated() { learned[position][code] += exp(weight - top) }
        }
        learned = zip(learned, general).map { own, general in
            let total = own.reduce(0, +)
            return zip(own, general).map { 0.9 * $0 / total + 0.1 * $1 }
        }

        let proposal = Proposal([(0.7, learned), (0.15, near), (0.15, general)])
        let drawn = proposal.draw(draws - draws / 3, besides: own, &generator)
        let logWeights = try Self.weights(drawn, proposal, own, joint(drawn))
        let largest = max(ownJoint, logWeights.max() ?? -.infinity)
        let (weights, count) = (logWeights.map { exp($0 - largest) }, Double(drawn.count))
        let mean = weights.reduce(0, +) / count
        let squares = weights.reduce(0) { $0 + $1 * $1 }
        let marginal = exp(ownJoint - largest) + mean
        let variance = max(0, squares / count - mean * mean) / (count - 1)
        logMarginal = largest + log(marginal)
        standardError = variance.squareRoot() / marginal
        effectiveDraws = squares > 0 ? mean * mean * count * count / squares : 0
        self.draws = drawn.count
    }

    /// log of p(s, v) / q(s | s ≠ s₀).
    private static func weights(_ rows: [[Int]], _ proposal: Proposal, _ own: [Int], _ joint: [Double]) -> [Double] {
        let others = log1p(-exp(proposal.logDensity(own)))
        return zip(rows, joint).map { $1 + others - proposal.logDensity($0) }
    }
}

/// A mixture of products of distributions over codes.
private struct Proposal {
    private let parts: [(weight: Double, tables: [[Double]])]

    init(_ parts: [(Double, [[Double]])]) { self.parts = parts }

    /// Each position with probability `share` drawn from `general`, else that of `own`.
    static func product(changing own: [Int], share: Double, _ general: [[Double]]) -> [[Double]] {
        zip(own, general).map { code, general in general.indices.map { share * general[$0] + ($0 == code ? 1 - share : 0) } }
    }

    func logDensity(_ s: [Int]) -> Double {
        let logs = parts.map { weight, tables in zip(tables, s).reduce(log(weight)) { $0 + log($1.0[$1.1]) } }
        let largest = logs.max() ?? 0
        return largest + log(logs.reduce(0) { $0 + exp($1 - largest) })
    }

    /// Draws that differ from `own`.
    func draw(_ count: Int, besides own: [Int], _ generator: inout SplitMix64) -> [[Int]] {
        func index(_ shares: some Collection<Double>) -> Int {
            var left = Double(generator.next() >> 11) * 0x1p-53
            for (place, share) in shares.enumerated() {
                left -= share
                if left < 0 { return place }
            }
            // What rounding leaves belongs to the last one.
            return shares.count - 1
        }
        var rows: [[Int]] = []
        while rows.count < count {
            let tables = parts[index(parts.map(\.weight))].tables
            let row = tables.map { index($0) }
            if row != own { rows.append(row) }
        }
        return rows
    }
}
