import Evaluation
import Files
import Foundation
import TestSupport
import Testing

@Suite struct FrechetDistanceTests {
    struct Sizes: CustomTestStringConvertible {
        let a: Int, b: Int, dimensions: Int
        var offset = 0.0
        var deadColumns = 0
        /// Spread of the last column, that of the first being 1.
        var smallest = 1.0
        var testDescription: String {
            "\(a) × \(b) rows, \(dimensions) dimensions, offset \(offset), \(deadColumns) dead, down to \(smallest)"
        }
    }

    @Test(arguments: [
        Sizes(a: 200, b: 300, dimensions: 16),
        Sizes(a: 2500, b: 1025, dimensions: 40),
        Sizes(a: 12, b: 300, dimensions: 24),
        Sizes(a: 300, b: 12, dimensions: 24),
        Sizes(a: 6, b: 9, dimensions: 50),
        Sizes(a: 2, b: 3, dimensions: 5),
        Sizes(a: 400, b: 400, dimensions: 20, offset: 1000),
        Sizes(a: 90, b: 80, dimensions: 30, deadColumns: 7),
        // Squared singular values reach from 1 to 10⁻⁸, and to 10⁻²⁴, which a root of an eigenvalue does not resolve.
        Sizes(a: 300, b: 320, dimensions: 40, smallest: 1e-2),
        Sizes(a: 300, b: 320, dimensions: 40, smallest: 1e-6),
    ])
    func agreesWithNumpy(_ sizes: Sizes) throws {
        var data = RandomData(seed: 5)
        func kill(_ m: DoubleFeatureMatrix) -> DoubleFeatureMatrix {
            let values = m.values.enumerated().map { place, value in
                let column = place % m.columns
                let spread = pow(sizes.smallest, Double(column) / Double(m.columns - 1))
                return column < sizes.deadColumns ? 0 : value * spread
            }
            return DoubleFeatureMatrix(rows: m.rows, columns: m.columns, values: values)
        }
        let a = kill(data.features(rows: sizes.a, columns: sizes.dimensions, offset: sizes.offset))
        let b = kill(data.features(rows: sizes.b, columns: sizes.dimensions, offset: sizes.offset + 0.3, scale: 1.2))
        let expected = try pythonJSON(
            """
            # tr (S1 S2)^½ as the nuclear norm of the centred samples' product, which needs no covariance.
            a, b = f64("a", \(sizes.a), -1), f64("b", \(sizes.b), -1)
            ca, cb = a - a.mean(0), b - b.mean(0)
            cross = np.linalg.svd(ca @ cb.T, compute_uv=False).sum() / np.sqrt((len(a) - 1) * (len(b) - 1))
            print(json.dumps(float(((a.mean(0) - b.mean(0)) ** 2).sum() + a.var(0, ddof=1).sum()
                                   + b.var(0, ddof=1).sum() - 2 * cross)))
            """, doubles: ["a": a.values, "b": b.values]
        ).doubleValue
        let distance = try frechetDistance(FeatureStatistics(of: a), FeatureStatistics(of: b))
        #expect(relativeError(distance, try #require(expected)) < 1e-9)
    }

    @Test func agreesWithMatrixRootOfScipy() throws {
        var data = RandomData(seed: 6)
        let a = data.features(rows: 500, columns: 12)
        let b = data.features(rows: 400, columns: 12, offset: 0.1, scale: 0.8)
        let expected = try pythonJSON(
            """
            from scipy.linalg import sqrtm
            a, b = f64("a", 500, 12), f64("b", 400, 12)
            s, t = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
            root = sqrtm(s @ t).real
            print(json.dumps(float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s + t - 2 * root))))
            """, doubles: ["a": a.values, "b": b.values]
        ).doubleValue
        let distance = try frechetDistance(FeatureStatistics(of: a), FeatureStatistics(of: b))
        #expect(relativeError(distance, try #require(expected)) < 1e-9)
    }

    /// Statistics of fewer directions than dimensions, computed in float32: rounding makes eigenvalues negative, and is no reason
    /// to refuse them.
    @Test func float32StatisticsAreThoseOfNumpyWithoutNegativeEigenvalues() throws {
        let d = 200
        let cases = try #require(
            try pythonJSON(
                """
                def stats(seed):
                    r = np.random.default_rng(seed)
                    x = r.normal(size=(500, 12)).astype('f4') @ r.normal(size=(12, \(d))).astype('f4') + np.float32(.3)
                    c = x - x.mean(0)
                    return x.mean(0).astype('f8'), ((c.T @ c) / np.float32(499)).astype('f8')
                def case(seed):
                    (m, s), (n, t) = stats(seed), stats(seed + 100)
                    w, v = np.linalg.eigh(s)
                    r = (v * np.sqrt(w.clip(0))) @ v.T
                    cross = np.sqrt(np.linalg.eigvalsh(r @ t @ r).clip(0)).sum()
                    return dict(m=m.tolist(), s=s.ravel().tolist(), n=n.tolist(), t=t.ravel().tolist(), lowest=float(w[0]),
                                scale=float(np.trace(s + t)), distance=float(((m - n) ** 2).sum() + np.trace(s + t) - 2 * cross))
                print(json.dumps([case(seed) for seed in range(4)]))
                """
            ).arrayValue)
        for values in cases {
            let a = try Gaussian(mean: values.numbers("m"), covariance: values.numbers("s"))
            let b = try Gaussian(mean: values.numbers("n"), covariance: values.numbers("t"))
            #expect(try values.number("lowest") < 0)
            #expect(abs(try frechetDistance(a, b) - values.number("distance")) < 1e-4 * (try values.number("scale")))
        }
    }

    @Test func roundingOnEitherSideOfTheDiagonalIsAveraged() throws {
        let a = try Gaussian(mean: [0, 0], covariance: [1, 0.5, 0.5 + 1e-6, 1])
        #expect(a.covariance[1] == a.covariance[2] && abs(a.covariance[1] - 0.5) < 1e-6)
    }

    @Test func knownInOneDimension() throws {
        // (μ₁ − μ₂)² + (σ₁ − σ₂)²
        let a = try Gaussian(mean: [1], covariance: [4]), b = try Gaussian(mean: [3.5], covariance: [25])
        #expect(abs(try frechetDistance(a, b) - (6.25 + 9)) < 1e-12)
    }

    @Test func constantFeaturesAgainstSpreadOnes() throws {
        let point = try Gaussian(mean: [1, 2], covariance: [0, 0, 0, 0])
        let spread = try Gaussian(mean: [1, 0], covariance: [2, 0.5, 0.5, 3])
        #expect(abs(try frechetDistance(point, spread) - 9) < 1e-12)
        #expect(try frechetDistance(point, point) == 0)
    }

    @Test func ofASetToItselfIsZeroUpToRounding() throws {
        var data = RandomData(seed: 7)
        for (rows, columns) in [(300, 20), (10, 30)] {
            let statistics = try FeatureStatistics(of: data.features(rows: rows, columns: columns))
            #expect(try frechetDistance(statistics, statistics) < 1e-11)
        }
    }

    @Test func streamedAndMergedStatisticsEqualThoseOfTheWhole() throws {
        var data = RandomData(seed: 8)
        let whole = data.features(rows: 1500, columns: 9, offset: 500)
        func part(_ range: Range<Int>) -> DoubleFeatureMatrix {
            DoubleFeatureMatrix(
                rows: range.count, columns: 9, values: Array(whole.values[range.lowerBound * 9..<range.upperBound * 9]))
        }
        var streamed = FeatureStatistics(columns: 9)
        for range in [0..<1, 1..<700, 700..<700, 700..<1500] { try streamed.add(part(range)) }
        var merged = try FeatureStatistics(of: part(0..<400))
        merged.merge(FeatureStatistics(columns: 9))
        merged.merge(try FeatureStatistics(of: part(400..<1500)))
        var intoEmpty = FeatureStatistics(columns: 9)
        intoEmpty.merge(try FeatureStatistics(of: whole))

        let expected = try pythonJSON(
            "a = f64('a', -1, 9); print(json.dumps(dict(mean=a.mean(0).tolist(), cov=np.cov(a, rowvar=False).ravel().tolist())))",
            doubles: ["a": whole.values])
        for statistics in [streamed, merged, intoEmpty] {
            let gaussian = try statistics.gaussian()
            #expect(statistics.count == 1500)
            for (found, wanted) in zip(gaussian.mean, try expected.numbers("mean")) {
                #expect(relativeError(found, wanted) < 1e-13)
            }
            for (found, wanted) in zip(gaussian.covariance, try expected.numbers("cov")) {
                #expect(abs(found - wanted) < 1e-11)
            }
        }
    }

    @Test func float32FeaturesAreWidenedExactly() throws {
        let values: [Float] = [0.1, 2.5, -3.25, 7.125, 0.3, -0.7]
        let narrow = try FeatureStatistics(of: FeatureMatrix(rows: 3, columns: 2, values: values)).gaussian()
        let wide = try FeatureStatistics(of: DoubleFeatureMatrix(rows: 3, columns: 2, values: values.map(Double.init)))
        #expect(try narrow == wide.gaussian())
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity])
    func refusesValuesThatAreNotFinite(_ bad: Double) throws {
        let features = DoubleFeatureMatrix(rows: 3, columns: 2, values: [1, 2, 3, 4, 5, bad])
        #expect { try FeatureStatistics(of: features) } throws: { "\($0)".contains("row 2, column 1") }
        #expect { try Gaussian(mean: [1, bad], covariance: [1, 0, 0, 1]) } throws: { "\($0)".contains("mean[1]") }
        #expect { try Gaussian(mean: [1, 2], covariance: [1, 0, 0, bad]) } throws: { "\($0)".contains("covariance[1, 1]") }
    }

    @Test func refusesWhatHasNoDistance() throws {
        let narrow = try Gaussian(mean: [0], covariance: [1])
        let wide = try Gaussian(mean: [0, 0], covariance: [1, 0, 0, 1])
        #expect { try frechetDistance(narrow, wide) } throws: { "\($0)".contains("1 and of 2") }
        #expect(throws: InputError.self) { try FeatureStatistics(columns: 3).gaussian() }
        #expect(throws: InputError.self) {
            try FeatureStatistics(of: FeatureMatrix(rows: 1, columns: 2, values: [1, 2])).gaussian()
        }
        #expect { try Gaussian(mean: [0, 0], covariance: [1, 0.5, 0, 1]) } throws: { "\($0)".contains("symmetric") }
        #expect(throws: InputError.self) { try Gaussian(mean: [0, 0], covariance: [1, 0]) }
        let indefinite = try Gaussian(mean: [0, 0], covariance: [1, 2, 2, 1])
        #expect { try frechetDistance(indefinite, wide) } throws: { "\($0)".contains("semidefinite") }
        // One eigenvalue of −1 % of the largest is no rounding.
        let slightly = try Gaussian(mean: [0, 0], covariance: [1, 0, 0, -0.01])
        #expect { try frechetDistance(wide, slightly) } throws: { "\($0)".contains("-0.01") }
        let negative = try Gaussian(mean: [0], covariance: [-1])
        #expect { try frechetDistance(negative, narrow) } throws: { "\($0)".contains("semidefinite") }
        let huge = try Gaussian(mean: [1e300], covariance: [1])
        #expect { try frechetDistance(huge, narrow) } throws: { "\($0)".contains("overflow") }
    }
}
