import Evaluation
import Files
import Foundation
import TestSupport
import Testing

/// What follows from distances being those of finite sets: extrapolation, floors, noise.
@Suite struct FiniteSampleTests {
    /// [rows, 3]: classes in turn, far apart.
    private func stratified(_ data: inout RandomData, rows: Int, classes: Int = 4, apart: Double = 2) -> DoubleFeatureMatrix {
        let plain = data.features(rows: rows, columns: 3)
        return DoubleFeatureMatrix(
            rows: rows, columns: 3, values: plain.values.enumerated().map { $1 + Double($0 / 3 % classes) * apart })
    }

    private static let distances = """
        from scipy.linalg import sqrtm
        def moments(x): return x.mean(0), np.cov(x.T)
        def frechet(a, b):
            (m, s), (n, t) = a, b
            return float(((m - n) ** 2).sum() + np.trace(s + t - 2 * np.real(sqrtm(s @ t))))

        """

    @Test func extrapolationAgreesWithNumpy() throws {
        var data = RandomData(seed: 51)
        let samples = data.features(rows: 103, columns: 4, offset: 0.4), reference = data.features(rows: 400, columns: 4)
        let expected = try pythonJSON(
            Self.distances + """
                x, r = f64("x", -1, 4), moments(f64("r", -1, 4))
                parts = range(1, 6)
                means = [np.mean([frechet(moments(x[i::k]), r) for i in range(k)]) for k in parts]
                slope, value = np.polyfit([k / len(x) for k in parts], means, 1)
                strata = np.arange(len(x)) % 3
                order = np.argsort(strata, kind="stable")
                halves = np.mean([frechet(moments(x[np.sort(order[i::2])]), r) for i in range(2)])
                print(json.dumps(dict(value=value, slope=slope, halves=halves)))
                """, doubles: ["x": samples.values, "r": reference.values])
        let gaussian = try FeatureStatistics(of: reference).gaussian()
        let found = try ExtrapolatedDistance(samples, to: gaussian)
        #expect(found.points.count == 5)
        #expect(relativeError(found.value, try expected.number("value")) < 1e-6)
        #expect(relativeError(found.slope, try expected.number("slope")) < 1e-6)
        let balanced = try ExtrapolatedDistance(samples, to: gaussian, strata: (0..<103).map { $0 % 3 })
        #expect(relativeError(balanced.points[1].distance, try expected.number("halves")) < 1e-6)
    }

    /// Two sets of one distribution: the distance of 500 grows with the dimensions, what is extrapolated does not.
    @Test func extrapolationTakesTheBiasAway() throws {
        var data = RandomData(seed: 52)
        let reference = try FeatureStatistics(of: data.features(rows: 60_000, columns: 12)).gaussian()
        let repeats = try (0..<12).map { _ in
            let samples = data.features(rows: 500, columns: 12)
            return (
                plain: try frechetDistance(FeatureStatistics(of: samples).gaussian(), reference),
                extrapolated: try ExtrapolatedDistance(samples, to: reference).value
            )
        }
        let plain = try #require(Estimate(of: repeats.map(\.plain))), rest = try #require(Estimate(of: repeats.map(\.extrapolated)))
        #expect(plain.mean > 0.1)
        #expect(abs(rest.mean) < 0.15 * plain.mean, "\(rest.mean) is left of \(plain.mean)")
    }

    @Test func tooFewSamplesAreNotExtrapolated() throws {
        var data = RandomData(seed: 53)
        let reference = try FeatureStatistics(of: data.features(rows: 50, columns: 4)).gaussian()
        #expect { try ExtrapolatedDistance(data.features(rows: 15, columns: 4), to: reference) } throws: {
            "\($0)".contains("15 samples are too few") && "\($0)".contains("need 16")
        }
        #expect(try ExtrapolatedDistance(data.features(rows: 16, columns: 4), to: reference).points.map(\.count) == [16, 8])
    }

    /// The answer by brute force: what numpy finds between fresh draws of these numbers.
    @Test(arguments: [(60, true), (200, true), (1000, true), (200, false)]) func floorsAreWhatPerfectSamplersGet(
        _ samples: Int, _ takesClassesInTurn: Bool
    ) throws {
        let count = 400
        let expected = try pythonJSON(
            Self.distances + """
                rng = np.random.default_rng(7)
                def draw(n, inTurn):
                    c = np.arange(n) % 4 if inTurn else rng.integers(0, 4, n)
                    x = rng.standard_normal((n, 3))
                    return x @ np.array([[1, .5, .25], [0, 1, .5], [0, 0, 1]]) + 2 * c[:, None]
                inTurn = \(takesClassesInTurn ? "True" : "False")
                print(json.dumps(dict(mean=float(np.mean([frechet(moments(draw(\(samples), inTurn)), moments(draw(\(count), inTurn)))
                                                          for _ in range(1500)])))))
                """)
        var data = RandomData(seed: 54)
        let floors = try (0..<30).map { _ in
            let reference = stratified(&data, rows: count)
            return try frechetFloor(
                of: reference, samples: samples, strata: takesClassesInTurn ? (0..<count).map { $0 % 4 } : nil, repeats: 4
            ) { data.generator.index(below: $0) }
        }
        let found = try #require(Estimate(of: floors, confidence: 0.999))
        let wanted = try expected.number("mean")
        #expect(abs(found.mean - wanted) < (found.margin ?? 0) + 0.06 * wanted, "\(found.mean), should be \(wanted)")
    }

    /// Classes in turn: other samples differ by less than resamples of all classes together do.
    @Test func noiseIsTheSpreadOfOtherSamples() throws {
        var data = RandomData(seed: 55)
        let reference = try FeatureStatistics(of: stratified(&data, rows: 2000)).gaussian()
        let shift = 0.5
        func drawn() -> DoubleFeatureMatrix {
            let own = stratified(&data, rows: 200)
            return DoubleFeatureMatrix(rows: 200, columns: 3, values: own.values.map { $0 + shift })
        }
        let strata = (0..<200).map { $0 % 4 }
        let sets = (0..<400).map { _ in drawn() }
        let spread = try #require(
            Estimate(of: sets.map { try frechetDistance(FeatureStatistics(of: $0).gaussian(), reference) })?.standardDeviation)
        func said(_ strata: [Int]?) throws -> Double {
            let values = try sets.prefix(12).map { set in
                try frechetNoise(of: set, to: reference, strata: strata, resamples: 60) { data.generator.index(below: $0) }
            }
            return values.reduce(0, +) / Double(values.count)
        }
        let (right, wrong) = (try said(strata), try said(nil))
        #expect(abs(right / spread - 1) < 0.15, "said \(right), is \(spread)")
        #expect(wrong > 1.5 * spread, "resampled without classes: \(wrong)")
        #expect {
            try frechetNoise(of: sets[0], to: reference, strata: [9] + strata.dropFirst()) { data.generator.index(below: $0) }
        } throws: { "\($0)".contains("a single sample") }
    }
}
