import Evaluation
import Files
import TestSupport
import Testing

@Suite struct TokenInformationTests {
    /// b agrees with a part of the time; c is independent of both.
    private func draws(_ count: Int) -> (a: [Int32], b: [Int32], c: [Int32]) {
        var data = RandomData(seed: 91)
        let a = (0..<count).map { _ in Int32(data.generator.index(below: 12)) }
        let b = a.map { data.uniform() < 0.6 ? $0 % 5 : Int32(data.generator.index(below: 5)) }
        let c = a.map { _ in Int32(data.generator.index(below: 40)) }
        return (a, b, c)
    }

    @Test func plugInInformationAgreesWithScikitLearn() throws {
        let (a, b, c) = draws(3000)
        let expected = try pythonJSON(
            """
            from sklearn.metrics import mutual_info_score as mi
            a, b, c = (f64(n).astype(int) for n in "abc")
            print(json.dumps(dict(ab=float(mi(a, b)), ac=float(mi(a, c)))))
            """, doubles: ["a": a.map(Double.init), "b": b.map(Double.init), "c": c.map(Double.init)])
        #expect(relativeError(MutualInformation(a, b).plugIn, try expected.number("ab")) < 1e-9)
        #expect(relativeError(MutualInformation(a, c).plugIn, try expected.number("ac")) < 1e-9)
    }

    @Test func theCorrectionRemovesMostOfTheBiasOfIndependentVariables() {
        let (a, _, c) = draws(3000)
        let information = MutualInformation(a, c)
        // (12 − 1)(40 − 1) / 2n = 0.0715 nats of pure chance.
        #expect(information.plugIn > 0.05)
        #expect(abs(information.corrected) < 0.015)
        #expect(MutualInformation(a, a).plugIn == EntropyEstimate(of: a).plugIn)
    }

    @Test func prefixEntropiesAgreeWithCountingTuples() throws {
        var data = RandomData(seed: 92)
        let tokens = (0..<500 * 4).map { _ in Int32(data.generator.index(below: 3)) }
        let expected = try pythonJSON(
            """
            from scipy.stats import entropy
            t = f64("t", -1, 4).astype(int)
            print(json.dumps(dict(all=[float(entropy(np.unique(t[:, :k], axis=0, return_counts=True)[1])) for k in (1, 2, 3, 4)])))
            """, doubles: ["t": tokens.map(Double.init)])
        let found = prefixEntropies(tokens, length: 4)
        let values = try expected.numbers("all")
        #expect(values.count == 4)
        for (estimate, value) in zip(found, values) { #expect(relativeError(estimate.plugIn, value) < 1e-12) }
        #expect(found[0].support == 3 && found.allSatisfy { $0.count == 500 })
    }

    @Test func quantileBinsHoldEquallyMany() {
        #expect(quantileBins([5, 1, 4, 2, 3, 0], count: 3) == [2, 0, 2, 1, 1, 0])
        #expect(quantileBins([1, 1, 1, 2], count: 2) == [0, 0, 0, 1])
    }
}

@Suite struct GroupSimilarityTests {
    private func features(_ pull: Float) -> FeatureMatrix {
        var data = RandomData(seed: 93)
        var values: [Float] = []
        for _ in 0..<20 {
            let centre = (0..<7).map { _ in Float(data.uniform()) * pull }
            for _ in 0..<5 { values += centre.map { $0 + Float(data.uniform()) } }
        }
        return FeatureMatrix(rows: 100, columns: 7, values: values)
    }

    @Test(arguments: [Float(0), 0.5, 3])
    func agreesWithNumpy(pull: Float) throws {
        let matrix = features(pull)
        let expected = try pythonJSON(
            """
            x = f32("x", 100, 7).astype(float)
            group = np.arange(100) // 5
            same = group[:, None] == group[None]
            pairs = same & ~np.eye(100, dtype=bool)
            def parts(c): return [float(c[pairs].mean()), float(c[~same].mean())]
            u = x - x.mean(0); u /= np.linalg.norm(u, axis=1, keepdims=True)
            g = x.reshape(20, 5, 7)
            within = sum(((g - g.mean(1, keepdims=True)) ** 2).sum((0, 1))) / 80
            between = sum((5 * (g.mean(1) - x.mean(0)) ** 2).sum(0)) / 19
            explained = max(0, (between - within) / 5)
            print(json.dumps(dict(cosine=parts(u @ u.T), correlation=parts(np.corrcoef(x)), share=float(within / (within + explained)))))
            """, floats: ["x": matrix.values])
        let cosine = GroupSimilarity(centred: matrix, groupSize: 5)
        let correlation = GroupSimilarity(correlating: matrix, groupSize: 5)
        for (found, name) in [(cosine, "cosine"), (correlation, "correlation")] {
            let values = try expected.numbers(name)
            #expect(abs(found.within - values[0]) < 1e-9 && abs(found.across - values[1]) < 1e-9, "\(name)")
        }
        #expect(
            abs(GroupSimilarity.varianceWithin(matrix, groupSize: 5) - (try expected.number("share"))) < 1e-9)
        let interval = try #require(cosine.interval(seed: 1))
        #expect(interval.low <= cosine.within && cosine.within <= interval.high)
    }
}
