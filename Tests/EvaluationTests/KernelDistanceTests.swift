import Evaluation
import Files
import TestSupport
import Testing

@Suite struct KernelDistanceTests {
    private func distance(
        _ samples: DoubleFeatureMatrix, _ reference: DoubleFeatureMatrix, strata: [Int]? = nil
    ) throws -> KernelDistance {
        try KernelDistance(KernelSet(samples), to: KernelSet(reference), strata: strata)
    }

    /// More rows than are compared at a time, in one set and in both.
    @Test(arguments: [(45, 38), (530, 70), (515, 1030)]) func agreesWithScikitLearn(_ n: Int, _ m: Int) throws {
        var data = RandomData(seed: 41)
        let samples = data.features(rows: n, columns: 6, offset: 0.3, scale: 1.2), reference = data.features(rows: m, columns: 6)
        let expected = try pythonJSON(
            """
            from sklearn.metrics.pairwise import polynomial_kernel
            x, y = f64("x", -1, 6), f64("y", -1, 6)
            def mmd(x, y):
                n, m = len(x), len(y)
                a, b, c = (polynomial_kernel(*p, degree=3, gamma=1 / 6, coef0=1) for p in ((x, x), (y, y), (x, y)))
                return (a.sum() - np.trace(a)) / n / (n - 1) + (b.sum() - np.trace(b)) / m / (m - 1) - 2 * c.mean()
            def error(strata):
                n = len(x)
                out = np.array([mmd(np.delete(x, i, 0), y) for i in range(n)])
                parts = [out[strata == h] for h in np.unique(strata)]
                return ((n - 1) ** 2 / n ** 2 * sum(len(p) * p.var(ddof=1) * 1.0 for p in parts)) ** 0.5
            few = len(x) < 100
            print(json.dumps(dict(value=mmd(x, y), plain=error(np.zeros(len(x))) if few else 0,
                                  stratified=error(np.arange(len(x)) % 3) if few else 0)))
            """, doubles: ["x": samples.values, "y": reference.values])
        let found = try distance(samples, reference)
        #expect(relativeError(found.value, try expected.number("value")) < 1e-9)
        guard n < 100 else { return }
        let stratified = try distance(samples, reference, strata: (0..<n).map { $0 % 3 })
        #expect(stratified.value == found.value)
        #expect(relativeError(try #require(found.standardError), try expected.number("plain")) < 1e-6)
        #expect(relativeError(try #require(stratified.standardError), try expected.number("stratified")) < 1e-6)
    }

    /// What it says of the noise is what the noise is, over many draws of a sampler that takes classes in turn; too careful, by
    /// √2 at most, where there is no distance but that noise.
    @Test(arguments: [(0.8, 0.9...1.15), (0.0, 1.0...1.5)]) func itsErrorIsTheSpreadOfOtherSamples(
        _ offset: Double, _ allowed: ClosedRange<Double>
    ) throws {
        var data = RandomData(seed: 42)
        let classes = 4
        func drawn(_ count: Int, offset: Double) -> DoubleFeatureMatrix {
            let plain = data.features(rows: count, columns: 3, offset: offset)
            return DoubleFeatureMatrix(
                rows: count, columns: 3, values: plain.values.enumerated().map { $1 + Double($0 / 3 % classes) * 1.5 })
        }
        let reference = try KernelSet(drawn(200, offset: 0))
        let strata = (0..<80).map { $0 % classes }
        let sets = try (0..<300).map { _ in try KernelSet(drawn(80, offset: offset)) }
        let repeats = try sets.map { try KernelDistance($0, to: reference, strata: strata) }
        let spread = try #require(Estimate(of: repeats.map(\.value))?.standardDeviation)
        let said = try #require(Estimate(of: repeats.map { $0.standardError ?? .nan })).mean
        // 300 draws give a spread to 4 %.
        #expect(allowed.contains(said / spread), "said \(said), is \(spread)")
        let plain = try #require(Estimate(of: sets.map { try KernelDistance($0, to: reference).standardError ?? .nan })).mean
        #expect(plain > 1.3 * spread, "without strata \(plain) is the noise of another sampler")
    }

    @Test func isZeroOnAverageForOneDistribution() throws {
        var data = RandomData(seed: 43)
        let values = try (0..<200).map { _ in
            try distance(data.features(rows: 20, columns: 4), data.features(rows: 30, columns: 4)).value
        }
        let estimate = try #require(Estimate(of: values, confidence: 0.999)?.interval)
        #expect(estimate.low < 0 && estimate.high > 0)
        #expect(values.contains { $0 < 0 })
    }

    @Test func refusesWhatCannotBeCompared() throws {
        var data = RandomData(seed: 44)
        let a = data.features(rows: 5, columns: 3)
        #expect { try distance(a, data.features(rows: 5, columns: 2)) } throws: { "\($0)".contains("of 3 and of 2") }
        #expect { try distance(data.features(rows: 2, columns: 3), a) } throws: { "\($0)".contains("3 samples") }
        let bad = DoubleFeatureMatrix(rows: 3, columns: 1, values: [1, .nan, 2])
        #expect { try KernelSet(bad) } throws: { "\($0)".contains("row 1") }
        #expect(try distance(a, a, strata: [0, 0, 1, 1, 2]).standardError == nil)
    }
}
