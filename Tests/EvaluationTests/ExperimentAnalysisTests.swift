import Evaluation
import Foundation
import TestSupport
import Testing

/// Families of tests, equivalence, blocks, and where variance comes from.
@Suite struct ExperimentAnalysisTests {
    @Test func holmAgreesWithItsDefinition() throws {
        let values = [0.01, 0.04, 0.03, 0.005, 0.5, 0.03]
        let expected = try pythonJSON(
            """
            p = f64("p")
            order = np.argsort(p, kind="stable")
            out = np.empty_like(p)
            out[order] = np.minimum(1, np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order]))
            print(json.dumps(dict(adjusted=out.tolist())))
            """, doubles: ["p": values]
        ).numbers("adjusted")
        for (found, wanted) in zip(holmAdjusted(values), expected) { #expect(abs(found - wanted) < 1e-15) }
        #expect(holmAdjusted([]) == [] && holmAdjusted([0.04]) == [0.04])
        #expect(holmAdjusted([0.03, 0.03]) == [0.06, 0.06])
        #expect(holmAdjusted([0.9, 0.8]) == [1, 1])
    }

    @Test(arguments: [0.3, 1.2, 4.0]) func equivalenceAgreesWithScipy(_ margin: Double) throws {
        let arm = [9.1, 8.7, 10.2, 9.9, 9.0, 8.8], baseline = [8.0, 8.8, 9.1, 9.2, 8.1, 9.0]
        let expected = try pythonJSON(
            """
            from scipy import stats
            a, b, m = f64("a"), f64("b"), \(margin)
            def tost(test): return max(test(a + m, b, "greater"), test(a - m, b, "less"))
            ci = stats.ttest_rel(a, b).confidence_interval(0.9)
            print(json.dumps(dict(
                paired=tost(lambda x, y, k: stats.ttest_rel(x, y, alternative=k).pvalue), low=ci.low, high=ci.high,
                welch=tost(lambda x, y, k: stats.ttest_ind(x, y, equal_var=False, alternative=k).pvalue))))
            """, doubles: ["a": arm, "b": baseline])
        let paired = try #require(ArmComparison(paired: arm, baseline: baseline).flatMap { EquivalenceTest($0, margin: margin) })
        #expect(relativeError(paired.pValue, try expected.number("paired")) < 1e-9)
        #expect(relativeError(paired.interval.low, try expected.number("low")) < 1e-9)
        #expect(relativeError(paired.interval.high, try expected.number("high")) < 1e-9)
        #expect((paired.pValue <= 0.05) == (paired.interval.low > -margin && paired.interval.high < margin))
        let welch = try #require(ArmComparison(unpaired: arm, baseline: baseline).flatMap { EquivalenceTest($0, margin: margin) })
        #expect(relativeError(welch.pValue, try expected.number("welch")) < 1e-9)
    }

    @Test func equivalenceNeedsASpread() throws {
        #expect(ArmComparison(paired: [1], baseline: [2]).flatMap { EquivalenceTest($0, margin: 5) } == nil)
        let equal = try #require(ArmComparison(paired: [1, 2], baseline: [1, 2]).flatMap { EquivalenceTest($0, margin: 1) })
        #expect(equal.pValue == 0 && equal.interval == Interval(low: 0, high: 0))
    }

    @Test(arguments: [(3, 12), (2, 5), (5, 3)]) func blocksAgreeWithScipy(_ arms: Int, _ seeds: Int) throws {
        var data = RandomData(seed: 61)
        // Rounded, so that ranks are tied here and there.
        let values = (0..<seeds).map { _ in
            let block = 3 * data.normal()
            return (0..<arms).map { ((block + data.normal() + 0.6 * Double($0)) * 2).rounded() / 2 }
        }
        let expected = try pythonJSON(
            """
            from scipy import stats
            x = f64("x", \(seeds), \(arms))
            n, k = x.shape
            arm, block, all = x.mean(0), x.mean(1, keepdims=True), x.mean()
            between = n * ((arm - all) ** 2).sum() / (k - 1)
            error = ((x - arm - block + all) ** 2).sum() / (k - 1) / (n - 1)
            ranks = np.apply_along_axis(stats.rankdata, 1, x)
            chi = (stats.friedmanchisquare(*x.T).statistic if k > 2 else
                   (k - 1) * ((ranks.sum(0) - n * (k + 1) / 2) ** 2).sum() / ((ranks - (k + 1) / 2) ** 2).sum())
            print(json.dumps(dict(f=between / error, p=stats.f.sf(between / error, k - 1, (k - 1) * (n - 1)), chi=chi,
                                  q=stats.f.sf((n - 1) * chi / (n * (k - 1) - chi), k - 1, (k - 1) * (n - 1)))))
            """, doubles: ["x": values.flatMap { $0 }])
        let found = try #require(BlockAnalysis(values))
        #expect(relativeError(found.f, try expected.number("f")) < 1e-9)
        #expect(relativeError(found.pValue, try expected.number("p")) < 1e-9)
        #expect(relativeError(try #require(found.friedman), try expected.number("chi")) < 1e-9)
        #expect(relativeError(try #require(found.friedmanP), try expected.number("q")) < 1e-9)
        if arms == 2 {
            let pair = try pythonJSON(
                "from scipy import stats\nx = f64('x', \(seeds), 2)\nprint(json.dumps(dict(p=stats.ttest_rel(*x.T).pvalue)))",
                doubles: ["x": values.flatMap { $0 }])
            #expect(relativeError(found.pValue, try pair.number("p")) < 1e-9)
        }
    }

    @Test func blocksOfNothingAreNone() {
        #expect(BlockAnalysis([[1, 2]]) == nil && BlockAnalysis([[1], [2]]) == nil && BlockAnalysis([]) == nil)
        #expect(BlockAnalysis([[1, 1], [3, 3]]) == nil)
        let clear = BlockAnalysis([[1, 2], [3, 4]])
        #expect(clear?.f == .infinity && clear?.pValue == 0 && clear?.explained == 1)
    }

    // MARK: Variance

    private static let levels = ["tokenizer", "prior", "sampler"]

    /// Two arms, `tokenizers` of each, with priors and samplers within them, in two feature networks.
    private func drawn(
        _ data: inout RandomData, tokenizers: Int, priors: (Int) -> Int, samplers: Int, sd: [Double], networks: Int = 2
    ) -> [NestedVariance.Observation] {
        let shifts = (0..<networks).map { _ in sd[3] * data.normal() }
        var found: [NestedVariance.Observation] = []
        for arm in ["a", "b"] {
            for t in 0..<tokenizers {
                let tokenizer = (arm == "a" ? 5.0 : 9) + sd[0] * data.normal()
                for p in 0..<priors(t) {
                    let prior = tokenizer + sd[1] * data.normal()
                    for s in 0..<samplers {
                        let sampler = prior + sd[2] * data.normal()
                        found.append(
                            .init(
                                group: arm, path: ["\(t)", "\(p)", "\(s)"],
                                values: shifts.map { sampler + $0 + sd[4] * data.normal() }))
                    }
                }
            }
        }
        return found
    }

    @Test func componentsAgreeWithTheTextbookOnes() throws {
        var data = RandomData(seed: 62)
        let runs = drawn(&data, tokenizers: 4, priors: { _ in 3 }, samplers: 2, sd: [3, 2, 1, 4, 0.5])
        let expected = try pythonJSON(
            """
            x = np.array(json.load(open("input"))).reshape(2, 4, 3, 2, 2)     # arm, tokenizer, prior, sampler, network
            A, T, P, S, K = x.shape
            m = lambda *axes: x.mean(axis=axes, keepdims=True)
            ms_t = P * S * K * ((m(2, 3, 4) - m(1, 2, 3, 4)) ** 2).sum() / (A * (T - 1))
            ms_p = S * K * ((m(3, 4) - m(2, 3, 4)) ** 2).sum() / (A * T * (P - 1))
            ms_s = K * ((m(4) - m(3, 4)) ** 2).sum() / (A * T * P * (S - 1))
            n = A * T * P * S
            ms_f = n * ((m(0, 1, 2, 3) - x.mean()) ** 2).sum() / (K - 1)
            ms_e = ((x - m(4) - m(1, 2, 3) + m(1, 2, 3, 4)) ** 2).sum() / ((n - A) * (K - 1))
            v = [(ms_t - ms_p) / (P * S * K), (ms_p - ms_s) / (S * K), (ms_s - ms_e) / K, (ms_f - ms_e) / n, ms_e]
            print(json.dumps(dict(v=np.maximum(0, v).tolist())))
            """, input: "\(runs.map(\.values))"
        ).numbers("v")
        let found = try #require(NestedVariance(runs, levels: Self.levels, crossed: "features"))
        #expect(found.components.map(\.name) == ["tokenizer", "prior", "sampler", "features", "rest"])
        #expect(found.components.map(\.degreesOfFreedom) == [6, 16, 24, 1, 46] && found.fixed.isEmpty)
        for (component, wanted) in zip(found.components, expected) {
            #expect(relativeError(component.variance, wanted) < 1e-9, "\(component.name)")
            #expect(abs(component.share - wanted / expected.reduce(0, +)) < 1e-9)
            #expect(component.interval.low <= component.share && component.share <= component.interval.high)
        }
    }

    /// Unequal numbers of priors: right on average, and the intervals hold the truth as often as they say.
    @Test func componentsOfUnequalGroupsAreRightOnAverage() throws {
        var data = RandomData(seed: 63)
        let sd = [2.0, 1.5, 1, 0, 0], truth = sd.prefix(3).map { $0 * $0 }
        let repeats = try (0..<300).map { _ in
            let runs = drawn(&data, tokenizers: 6, priors: { 1 + $0 % 3 }, samplers: 2, sd: sd, networks: 1)
            return try #require(NestedVariance(runs, levels: Self.levels, crossed: "features", draws: 400)).components
        }
        #expect(repeats[0].map(\.name) == ["tokenizer", "prior", "sampler"])
        for (place, wanted) in truth.enumerated() {
            let estimate = try #require(Estimate(of: repeats.map { $0[place].variance }, confidence: 0.999))
            // What would come out below 0 is 0, which adds a little.
            #expect(abs(estimate.mean - wanted) < (estimate.margin ?? 0) + 0.05 * wanted, "\(estimate.mean), should be \(wanted)")
            let share = wanted / truth.reduce(0, +)
            let held = repeats.count { $0[place].interval.low <= share && share <= $0[place].interval.high }
            #expect(held >= 270, "\(repeats[0][place].name): \(held) of 300 intervals of 95 % hold the truth")
        }
    }

    @Test func whatIsNotVariedApartIsSaid() throws {
        func run(_ path: [String], _ value: Double) -> NestedVariance.Observation { .init(group: "a", path: path, values: [value]) }
        let together = try #require(
            NestedVariance(
                [run(["0", "0", "0"], 1), run(["1", "1", "1"], 3), run(["2", "2", "2"], 2)], levels: Self.levels, crossed: "features",
                draws: 100))
        #expect(together.components.map(\.name) == ["tokenizer + prior + sampler"] && together.components[0].share == 1)
        let one = try #require(
            NestedVariance(
                [run(["0", "0", "0"], 1), run(["0", "0", "1"], 3), run(["0", "1", "0"], 2), run(["0", "1", "1"], 2.5)],
                levels: Self.levels, crossed: "features", draws: 100))
        #expect(one.fixed == ["tokenizer"] && one.components.map(\.name) == ["prior", "sampler"])
        #expect(NestedVariance([run(["0", "0", "0"], 1)], levels: Self.levels, crossed: "features") == nil)
        #expect(NestedVariance([], levels: Self.levels, crossed: "features") == nil)
    }
}
