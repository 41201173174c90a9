import Evaluation
import Files
import TestSupport
import Testing

@Suite struct InceptionScoreTests {
    private func probabilities(rows: Int, classes: Int) -> DoubleFeatureMatrix {
        var data = RandomData(seed: 11)
        var values: [Double] = []
        for _ in 0..<rows {
            let row = (0..<classes).map { _ in data.uniform() < 0.3 ? 0 : data.uniform() + 0.01 } + [0.05]
            let sum = row.reduce(0, +)
            values += row.map { $0 / sum }
        }
        return DoubleFeatureMatrix(rows: rows, columns: classes + 1, values: values)
    }

    @Test func agreesWithScipy() throws {
        let p = probabilities(rows: 103, classes: 6)
        let expected = try pythonJSON(
            """
            from scipy.special import rel_entr
            p = f64("p", 103, 7)
            score = lambda q: float(np.exp(rel_entr(q, q.mean(0)).sum(1).mean()))
            scores = {k: [score(p[i * 103 // k:(i + 1) * 103 // k]) for i in range(k)] for k in (1, 2, 7)}
            print(json.dumps({**scores, **{f"std {k}": [np.std(v)] for k, v in scores.items()}}))
            """, doubles: ["p": p.values])
        for splits in [1, 2, 7] {
            let wanted = try expected.numbers("\(splits)")
            let score = try InceptionScore(probabilities: p, splits: splits)
            #expect(score.splits.count == splits && wanted.count == splits)
            for (found, wanted) in zip(score.splits, wanted) { #expect(relativeError(found, wanted) < 1e-12) }
            #expect(relativeError(score.mean, wanted.reduce(0, +) / Double(splits)) < 1e-12)
            if splits == 1 {
                #expect(score.deviation == nil)
            } else {
                #expect(try relativeError(#require(score.deviation), expected.numbers("std \(splits)")[0]) < 1e-12)
            }
        }
    }

    @Test func countsClassesOfCertainPredictions() throws {
        let identity = (0..<40).flatMap { i in (0..<4).map { $0 == i % 4 ? 1.0 : 0 } }
        let p = DoubleFeatureMatrix(rows: 40, columns: 4, values: identity)
        #expect(abs(try InceptionScore(probabilities: p, splits: 1).mean - 4) < 1e-12)
    }

    @Test func refusesWhatIsNoDistribution() {
        let logits = DoubleFeatureMatrix(rows: 2, columns: 2, values: [0.5, 0.5, 2, 3])
        #expect { try InceptionScore(probabilities: logits, splits: 1) } throws: { "\($0)".contains("image 1 add up to 5") }
        let bad = DoubleFeatureMatrix(rows: 1, columns: 2, values: [.nan, 1])
        #expect { try InceptionScore(probabilities: bad, splits: 1) } throws: { "\($0)".contains("class 0 of image 0") }
        let negative = DoubleFeatureMatrix(rows: 1, columns: 2, values: [1.5, -0.5])
        #expect(throws: InputError.self) { try InceptionScore(probabilities: negative, splits: 1) }
        let fine = DoubleFeatureMatrix(rows: 2, columns: 1, values: [1, 1])
        #expect(throws: InputError.self) { try InceptionScore(probabilities: fine, splits: 3) }
    }
}

@Suite struct PrecisionRecallTests {
    private func expected(_ reference: [Double], _ samples: [Double], columns: Int, k: Int) throws -> JSONValue {
        try pythonJSON(
            """
            r, s, k = f64("r", -1, \(columns)), f64("s", -1, \(columns)), \(k)
            d2 = lambda a, b: ((a[:, None] - b[None]) ** 2).sum(2)
            def radii(a):
                d = d2(a, a)
                np.fill_diagonal(d, np.inf)
                return np.sort(d, 1)[:, k - 1]
            d = d2(s, r)
            print(json.dumps(dict(precision=float((d <= radii(r)[None]).any(1).mean()),
                                  recall=float((d.T <= radii(s)[None]).any(1).mean()))))
            """, doubles: ["r": reference, "s": samples])
    }

    @Test(arguments: [1, 7, 64, 1024], [1, 3])
    func agreesWithNumpy(blockRows: Int, neighbours: Int) throws {
        var data = RandomData(seed: 12)
        let reference = data.features(rows: 130, columns: 5), samples = data.features(rows: 111, columns: 5, scale: 1.4)
        let wanted = try expected(reference.values, samples.values, columns: 5, k: neighbours)
        let found = try PrecisionRecall(
            reference: reference, samples: samples, neighbours: neighbours, blockRows: blockRows)
        #expect(found.precision == (try wanted.number("precision")))
        #expect(found.recall == (try wanted.number("recall")))
        #expect(found.precision > 0.2 && found.precision < 0.98)
    }

    /// On a lattice most distances are tied with a radius; an offset far larger than the distances must not blur them.
    @Test(arguments: [0.0, 1e6])
    func tiesBelongToTheBall(offset: Double) throws {
        var data = RandomData(seed: 13)
        func lattice(_ rows: Int, _ size: Int) -> DoubleFeatureMatrix {
            let values = (0..<rows * 3).map { _ in offset + Double(data.generator.index(below: size)) }
            return DoubleFeatureMatrix(rows: rows, columns: 3, values: values)
        }
        let reference = lattice(90, 6), samples = lattice(80, 9)
        let wanted = try expected(reference.values, samples.values, columns: 3, k: 3)
        let found = try PrecisionRecall(reference: reference, samples: samples, blockRows: 32)
        #expect(found.precision == (try wanted.number("precision")))
        #expect(found.recall == (try wanted.number("recall")))
    }

    @Test func boundaryAndDuplicates() throws {
        // Radii of the reference with k = 1: 2, 2, 1, 1 around 0, 2, 10, 11. Samples: on a boundary, just beyond, far.
        let reference = DoubleFeatureMatrix(rows: 4, columns: 1, values: [0, 2, 10, 11])
        let samples = DoubleFeatureMatrix(rows: 4, columns: 1, values: [4, 4.0001, 9, 30])
        #expect(try PrecisionRecall(reference: reference, samples: samples, neighbours: 1).precision == 0.5)
        // Four copies of a point: radius 0, yet each lies in the ball of the others.
        let copies = DoubleFeatureMatrix(rows: 4, columns: 2, values: [0.1, 0.2, 0.1, 0.2, 0.1, 0.2, 0.1, 0.2])
        let same = try PrecisionRecall(reference: copies, samples: copies)
        #expect(same == (try PrecisionRecall(reference: copies, samples: copies, blockRows: 2)))
        #expect(same.precision == 1 && same.recall == 1)
    }

    @Test func refusesWhatCannotBeCompared() {
        let a = DoubleFeatureMatrix(rows: 5, columns: 2, values: [Double](repeating: 1, count: 10))
        let narrow = DoubleFeatureMatrix(rows: 5, columns: 1, values: [Double](repeating: 1, count: 5))
        let few = DoubleFeatureMatrix(rows: 3, columns: 2, values: [Double](repeating: 1, count: 6))
        let bad = DoubleFeatureMatrix(rows: 5, columns: 2, values: [Double](repeating: .nan, count: 10))
        #expect { try PrecisionRecall(reference: a, samples: narrow) } throws: { "\($0)".contains("2 and of 1") }
        #expect { try PrecisionRecall(reference: a, samples: few) } throws: { "\($0)".contains("at least 4") }
        #expect { try PrecisionRecall(reference: a, samples: bad) } throws: { "\($0)".contains("nan") }
        #expect { try PrecisionRecall(reference: bad, samples: a) } throws: { "\($0)".contains("nan") }
    }
}
