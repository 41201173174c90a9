import Evaluation
import Files
import TestSupport
import Testing

@Suite struct IntervalTests {
    private let arm = [9.1, 8.7, 10.2, 9.9, 9.0], baseline = [8.0, 8.8, 9.1, 9.2, 8.1]

    @Test func estimateAgreesWithScipy() throws {
        var data = RandomData(seed: 21)
        let values = data.normals(1000).map { 40 + 3 * $0 }
        let counts = [2, 3, 5, 30, 1000], confidences = [0.5, 0.95, 0.999]
        let expected = try pythonJSON(
            """
            from scipy import stats
            def one(x, confidence):
                low, high = stats.t.interval(confidence, len(x) - 1, x.mean(), stats.sem(x))
                return dict(mean=x.mean(), sd=x.std(ddof=1), low=low, high=high)
            print(json.dumps([one(f64("x")[:n], c) for n in \(counts) for c in \(confidences)]))
            """, doubles: ["x": values])
        let cases = counts.flatMap { count in confidences.map { (count, $0) } }
        let answers = try #require(expected.arrayValue)
        #expect(answers.count == cases.count)
        for ((count, confidence), answer) in zip(cases, answers) {
            let estimate = try #require(Estimate(of: Array(values[..<count]), confidence: confidence))
            let interval = try #require(estimate.interval)
            #expect(relativeError(estimate.mean, try answer.number("mean")) < 1e-13)
            #expect(relativeError(try #require(estimate.standardDeviation), try answer.number("sd")) < 1e-12)
            #expect(relativeError(interval.low, try answer.number("low")) < 1e-9)
            #expect(relativeError(interval.high, try answer.number("high")) < 1e-9)
            #expect(relativeError(2 * (try #require(estimate.margin)), interval.high - interval.low) < 1e-12)
        }
    }

    @Test func whatCannotBeEstimatedIsMissing() {
        #expect(Estimate(of: []) == nil)
        #expect(Estimate(of: [1, .nan]) == nil)
        let one = Estimate(of: [4])
        #expect(one?.mean == 4 && one?.count == 1 && one?.standardDeviation == nil && one?.interval == nil)
        #expect(ArmComparison(paired: [], baseline: []) == nil)
        #expect(ArmComparison(unpaired: [1, 2], baseline: []) == nil)
        let single = ArmComparison(unpaired: [3], baseline: [1, 2])
        #expect(single?.difference.mean == 1.5 && single?.difference.interval == nil)
        // Three divisions into one and two, two of which are as far apart.
        #expect(single?.test.pValue == 2.0 / 3)
    }

    @Test func pairedComparisonAgreesWithScipy() throws {
        let expected = try pythonJSON(
            """
            from scipy import stats
            a, b = f64("a"), f64("b")
            ci = stats.ttest_rel(a, b).confidence_interval()
            p = stats.permutation_test((a, b), lambda x, y: (x - y).mean(), permutation_type="samples",
                                       n_resamples=np.inf).pvalue
            print(json.dumps(dict(low=ci.low, high=ci.high, p=p)))
            """, doubles: ["a": arm, "b": baseline])
        let comparison = try #require(ArmComparison(paired: arm, baseline: baseline))
        let interval = try #require(comparison.difference.interval)
        #expect(comparison.pairing == .paired)
        #expect(relativeError(interval.low, try expected.number("low")) < 1e-9)
        #expect(relativeError(interval.high, try expected.number("high")) < 1e-9)
        #expect(relativeError(comparison.test.pValue, try expected.number("p")) < 1e-12)
    }

    @Test func unpairedComparisonAgreesWithScipy() throws {
        let expected = try pythonJSON(
            """
            from scipy import stats
            t = stats.ttest_ind(f64("a"), f64("b"), equal_var=False)
            ci = t.confidence_interval()
            p = stats.permutation_test((f64("a"), f64("b")), lambda x, y: abs(x.mean() - y.mean()), n_resamples=np.inf,
                                       alternative="greater").pvalue
            print(json.dumps(dict(low=ci.low, high=ci.high, p=p)))
            """, doubles: ["a": arm + [12.5], "b": baseline])
        let comparison = try #require(ArmComparison(unpaired: arm + [12.5], baseline: baseline))
        let interval = try #require(comparison.difference.interval)
        #expect(comparison.pairing == .unpaired && comparison.difference.count == 5)
        #expect(relativeError(interval.low, try expected.number("low")) < 1e-9)
        #expect(relativeError(interval.high, try expected.number("high")) < 1e-9)
        #expect(comparison.test.isExact && comparison.test.kind == .permutations)
        #expect(relativeError(comparison.test.pValue, try expected.number("p")) < 1e-12)
    }

    @Test func signFlipsAreCountedExactly() {
        // All of one sign: only the observed pattern and its mirror are as extreme.
        #expect(signFlipTest([1, 2, 3, 4]).pValue == 2.0 / 16)
        #expect(signFlipTest([1, 2, 3, 4]).isExact)
        // 0.1 + 0.2 − 0.3 is not zero in floating point; the tie must count all the same.
        #expect(signFlipTest([0.1, 0.2, -0.3]).pValue == 1)
        #expect(signFlipTest([0, 0]).pValue == 1)
        #expect(signFlipTest([5]).pValue == 1)
    }

    @Test func permutationsAreCountedExactly() {
        // Only the observed division and its mirror are as extreme; unequal groups have no mirror.
        #expect(permutationTest([1, 2, 3], [7, 8, 9]).pValue == 2.0 / 20)
        #expect(permutationTest([1, 2], [7, 8, 9]).pValue == 1.0 / 10)
        #expect(permutationTest([1, 2], [7, 8, 9]).smallest == 1.0 / 10)
        #expect(permutationTest([1, 2, 3], [7, 8, 9]).smallest == 2.0 / 20)
        // Sums that are equal but for rounding are ties.
        #expect(permutationTest([0.1, 0.2], [0.3, 0]).pValue == 1)
        #expect(permutationTest([5], [5]).pValue == 1)
    }

    @Test func manyPermutationsAreDrawn() throws {
        var data = RandomData(seed: 24)
        let (a, b) = (data.normals(12).map { $0 + 0.6 }, data.normals(14))
        let test = permutationTest(a, b)
        #expect(!test.isExact)
        let expected = try pythonJSON(
            """
            from scipy import stats
            p = stats.permutation_test((f64("a"), f64("b")), lambda x, y, axis: abs(x.mean(axis) - y.mean(axis)), n_resamples=100000,
                                       alternative="greater", vectorized=True, rng=1).pvalue
            print(json.dumps(dict(p=p)))
            """, doubles: ["a": a, "b": b]
        ).number("p")
        // Both are drawn: their difference has a standard error of sqrt(2 p (1 − p) / 100 000).
        #expect(abs(test.pValue - expected) < 5 * (2 * expected / 100_000).squareRoot())
        #expect(expected > 0.001 && expected < 0.9)
    }

    @Test func manySignFlipsAreDrawn() throws {
        var data = RandomData(seed: 22)
        let few = data.normals(20).map { $0 + 0.45 }
        let exact = signFlipTest(few)
        // A zero more changes nothing but the number of patterns, now too many to count.
        let drawn = signFlipTest(few + [0])
        #expect(exact.isExact && !drawn.isExact)
        #expect(abs(drawn.pValue - exact.pValue) < 4 * (exact.pValue / 100_000).squareRoot())
        #expect(exact.pValue > 0.001 && exact.pValue < 0.9)
    }

    @Test func bootstrapAgreesWithScipy() throws {
        var data = RandomData(seed: 23)
        let values = data.normals(200).map { $0 * $0 }
        let expected = try pythonJSON(
            """
            from scipy import stats
            ci = stats.bootstrap((f64("x"),), np.mean, n_resamples=20000, method="percentile", rng=0).confidence_interval
            print(json.dumps(dict(low=ci.low, high=ci.high)))
            """, doubles: ["x": values])
        let interval = try #require(bootstrapInterval(of: values, resamples: 20_000))
        // Both are random: the bounds' standard error is about 0.02 of the interval's half width.
        let width = interval.high - interval.low
        #expect(abs(interval.low - (try expected.number("low"))) < 0.04 * width)
        #expect(abs(interval.high - (try expected.number("high"))) < 0.04 * width)
        #expect(bootstrapInterval(of: values, seed: 3) == bootstrapInterval(of: values, seed: 3))
        #expect(bootstrapInterval(of: values, seed: 3) != bootstrapInterval(of: values, seed: 4))
        let median = try #require(bootstrapInterval(of: values) { $0.sorted()[$0.count / 2] })
        #expect(median.high < interval.low, "the median of a squared normal lies well below its mean")
        #expect(bootstrapInterval(of: []) == nil)
    }
}
