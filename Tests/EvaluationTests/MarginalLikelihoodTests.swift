import Evaluation
import Foundation
import TestSupport
import Testing

/// Sums over all values of a hidden variable, against sums that can be written out.
@Suite struct MarginalLikelihoodTests {
    /// log p(s, v) of every s of three positions with six codes, peaked, for several v; and what scipy sums them to.
    private struct Tables {
        let joint: [[Double]]
        let exact: [Double]

        init() throws {
            let told = try pythonJSON(
                """
                import numpy as np
                from scipy.special import logsumexp
                random = np.random.default_rng(3)
                tables = [np.log(0.01) + sharpness * random.normal(size=216) for sharpness in (0.5, 1.5, 3.0, 6.0)]
                print(json.dumps(dict(joint=[t.tolist() for t in tables], exact=[float(logsumexp(t)) for t in tables])))
                """)
            joint = try (0..<4).map { try #require(told["joint"]?.arrayValue)[$0].arrayValue?.compactMap(\.doubleValue) ?? [] }
            exact = try told.numbers("exact")
        }
    }

    private let frequencies = [[3.0, 1, 1, 5, 2, 1], [1, 1, 1, 1, 1, 1], [9, 2, 2, 1, 1, 4]]

    private func estimate(_ table: [Double], own: [Int], draws: Int, seed: UInt64) -> MarginalLikelihood {
        MarginalLikelihood(own: own, frequencies: frequencies, draws: draws, seed: seed) { rows in
            rows.map { table[($0[0] * 6 + $0[1]) * 6 + $0[2]] }
        }
    }

    @Test func estimatesAgreeWithTheWholeSum() throws {
        let tables = try Tables()
        for (table, exact) in zip(tables.joint, tables.exact) {
            // The likeliest s, and one that says little.
            let best = try #require(table.indices.max { table[$0] < table[$1] })
            for place in [best, 100] {
                let own = [place / 36, place / 6 % 6, place % 6]
                let found = estimate(table, own: own, draws: 3000, seed: 7)
                #expect(found.logJoint == table[place] && found.logMarginal >= found.logJoint)
                #expect(abs(found.logMarginal - exact) < 4 * found.standardError + 1e-9, "\(found) instead of \(exact)")
                #expect(found.standardError < 0.3 && found.effectiveDraws > 20 && found.draws == 2000)
                #expect(abs(found.ownShare - exp(table[place] - found.logMarginal)) < 1e-12)
            }
        }
    }

    /// The probability is right on average, and its spread is what it is said to be.
    @Test func probabilitiesAreUnbiased() throws {
        let tables = try Tables()
        let (table, exact) = (tables.joint[1], tables.exact[1])
        let repeats = 400
        let found = (0..<repeats).map { estimate(table, own: [1, 2, 3], draws: 300, seed: UInt64($0)) }
        let ratios = found.map { exp($0.logMarginal - exact) }
        let mean = ratios.reduce(0, +) / Double(repeats)
        let deviation = (ratios.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(repeats - 1)).squareRoot()
        #expect(abs(mean - 1) < 4 * deviation / Double(repeats).squareRoot(), "\(mean) ± \(deviation)")
        let errors = zip(found, ratios).map { $0.standardError * $1 }
        let said = (errors.reduce(0) { $0 + $1 * $1 } / Double(repeats)).squareRoot()
        #expect(said > 0.6 * deviation && said < 1.6 * deviation, "\(said) said, \(deviation) found")
    }

    @Test func withoutAnythingToSumItIsTheJoint() {
        let none = MarginalLikelihood(own: [], frequencies: [], draws: 60, seed: 0) { _ in [-3.5] }
        #expect(none.logMarginal == -3.5 && none.standardError == 0 && none.draws == 0 && none.ownShare == 1)
        let one = MarginalLikelihood(own: [0, 0], frequencies: [[2], [1]], draws: 60, seed: 0) { _ in [-3.5] }
        #expect(one.logMarginal == -3.5)
        // Nothing but the own s has any probability.
        let certain = MarginalLikelihood(own: [1], frequencies: [[1, 1]], draws: 60, seed: 0) { $0.map { $0 == [1] ? -2 : -.infinity } }
        #expect(certain.logMarginal == -2 && certain.standardError == 0)
    }
}
