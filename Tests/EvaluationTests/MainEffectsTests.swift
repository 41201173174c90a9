import Evaluation
import Files
import TestSupport
import Testing

@Suite struct MainEffectsTests {
    /// An unbalanced design with a factor that another one tells.
    private let variant: [String], size: [Int], seed: [Int], family: [String], values: [Double]

    init() {
        var data = RandomData(seed: 5)
        let noise = data.normals(60)
        let picks = (0..<60).filter { $0 % 7 != 3 }
        variant = picks.map { ["a", "b", "c"][$0 % 3] }
        size = picks.map { $0 / 3 % 4 }
        seed = picks.map { $0 / 12 }
        family = variant.map { $0 == "c" ? "two" : "one" }
        values = picks.map { 3 + Double($0 % 3) * 0.9 + [0, 0.3, 0.1, 0.8][$0 / 3 % 4] + 0.6 * noise[$0] }
    }

    private func factors(withFamily: Bool) -> [MainEffects.Factor] {
        [
            .init(name: "variant", levels: variant), .init(name: "size", levels: size.map(String.init)),
            .init(name: "seed", levels: seed.map(String.init)),
        ]
            + (withFamily ? [.init(name: "family", levels: family)] : [])
    }

    /// Shares against least squares of numpy, p-values against the F distribution, which permutations of normal residuals follow.
    @Test func sharesAgreeWithLeastSquares() throws {
        let answer = try pythonJSON(
            """
            from scipy import stats
            columns = [\(variant.map { "'\($0)'" }), \(size), \(seed)]
            y = f64("y")
            def design(factors): return np.column_stack([np.ones(len(y))] + [np.array([v == l for v in f], float) for f in factors for l in sorted(set(f))])
            def fit(factors):
                x = design(factors)
                _, _, rank, _ = np.linalg.lstsq(x, y, rcond=None)
                return np.sum((y - x @ np.linalg.pinv(x) @ y) ** 2), rank
            total, (whole, rank) = np.sum((y - y.mean()) ** 2), fit(columns)
            found = []
            for i in range(3):
                without, less = fit(columns[:i] + columns[i + 1:])
                f = (without - whole) / (rank - less) / (whole / (len(y) - rank))
                found.append(dict(share=(without - whole) / total, freedom=int(rank - less), p=stats.f.sf(f, rank - less, len(y) - rank)))
            print(json.dumps(dict(effects=found, rest=whole / total, freedom=int(len(y) - rank))))
            """, doubles: ["y": values])
        let effects = try #require(MainEffects(values, by: factors(withFamily: false), permutations: 9999))
        #expect(relativeError(effects.rest, try answer.number("rest")) < 1e-10)
        #expect(Double(effects.restDegreesOfFreedom) == (try answer.number("freedom")))
        let expected = try #require(answer["effects"]?.arrayValue)
        #expect(effects.effects.map(\.name) == ["variant", "size", "seed"])
        for (effect, other) in zip(effects.effects, expected) {
            #expect(relativeError(effect.share, try other.number("share")) < 1e-10)
            #expect(Double(effect.degreesOfFreedom) == (try other.number("freedom")))
            let p = try #require(effect.pValue)
            #expect(abs(p - (try other.number("p"))) < 0.03, "\(effect)")
        }
        // Not all alike, or the comparison says nothing.
        #expect(effects.effects[0].pValue ?? 1 < 0.001 && effects.effects[2].pValue ?? 0 > 0.05)
    }

    @Test func whatCannotBeToldApartHasNoShare() throws {
        let effects = try #require(MainEffects(values, by: factors(withFamily: true), permutations: 99))
        #expect(effects.effects[3].degreesOfFreedom == 0 && effects.effects[3].pValue == nil && effects.effects[3].share == 0)
        // What is told twice is in neither share, except what one of the two tells alone.
        #expect(effects.effects[0].degreesOfFreedom == 1)
        #expect(MainEffects([2, 2, 2], by: [.init(name: "x", levels: ["a", "b", "c"])]) == nil)
        #expect(MainEffects([], by: []) == nil)
        // As many levels as values: nothing is left to test against.
        let full = try #require(MainEffects([1, 2, 4], by: [.init(name: "x", levels: ["a", "b", "c"])]))
        #expect(full.effects[0].pValue == nil && abs(full.effects[0].share - 1) < 1e-12 && full.rest < 1e-12)
    }

    /// In a full grid the shares and the rest are everything.
    @Test func sharesOfAGridAddUp() throws {
        var data = RandomData(seed: 6)
        let values = data.normals(24)
        let factors = [
            MainEffects.Factor(name: "x", levels: (0..<24).map { String($0 % 2) }),
            .init(name: "y", levels: (0..<24).map { String($0 / 2 % 3) }),
            .init(name: "z", levels: (0..<24).map { String($0 / 6) }),
        ]
        let effects = try #require(MainEffects(values, by: factors, permutations: 9))
        #expect(abs(effects.effects.reduce(effects.rest) { $0 + $1.share } - 1) < 1e-12)
    }
}
