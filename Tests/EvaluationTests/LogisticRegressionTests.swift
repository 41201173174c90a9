import Evaluation
import Files
import Foundation
import TestSupport
import Testing

@Suite struct LogisticRegressionTests {
    private func classes(rows: Int, columns: Int, classes: Int, seed: UInt64) -> (FeatureMatrix, [Int]) {
        RandomData.classes(rows: rows, columns: columns, classes: classes, seed: seed, centres: 99, distance: 0.25) {
            ($0 % 3 == 0 ? 4 : 0.5, Double($0 % 5))
        }
    }

    @Test(arguments: [true, false])
    func agreesWithScikitLearn(standardised: Bool) throws {
        let (n, d, k, penalty) = (10_000, 40, 10, 1e-3)
        let (train, trainLabels) = classes(rows: n, columns: d, classes: k, seed: 1)
        let (test, testLabels) = classes(rows: n, columns: d, classes: k, seed: 2)
        let fit = try LogisticRegression(
            fitting: train, labels: trainLabels, classes: k, options: .init(penalty: penalty, standardised: standardised))
        let converged = fit.converged
        #expect(converged)
        let report = try ClassificationReport(scores: fit.scores(test), labels: testLabels)

        let expected = try pythonJSON(
            """
            from sklearn.linear_model import LogisticRegression
            from sklearn.preprocessing import StandardScaler
            from sklearn.metrics import confusion_matrix, log_loss, top_k_accuracy_score
            n, d, k = \(n), \(d), \(k)
            x, t = f32("train", n, d).astype(float), f32("test", n, d).astype(float)
            y, u = f64("y").astype(int), f64("u").astype(int)
            if \(standardised ? "True" : "False"):
                scaler = StandardScaler().fit(x)
                x, t = scaler.transform(x), scaler.transform(t)
            m = LogisticRegression(C=1 / (n * \(penalty)), solver="newton-cg", tol=1e-6).fit(x, y)
            p = m.predict_proba(t)
            c = confusion_matrix(u, p.argmax(1))
            print(json.dumps(dict(
                top1=float((p.argmax(1) == u).mean()), top5=float(top_k_accuracy_score(u, p, k=5)),
                objective=float(log_loss(y, m.predict_proba(x)) + \(penalty) / 2 * (m.coef_ ** 2).sum()),
                predictions=p.argmax(1).tolist(), diagonal=np.diag(c).tolist(), perclass=(np.diag(c) / c.sum(1)).tolist())))
            """, floats: ["train": train.values, "test": test.values],
            doubles: ["y": trainLabels.map(Double.init), "u": testLabels.map(Double.init)])

        #expect(abs(report.top1 - (try expected.number("top1"))) < 0.001)
        #expect(abs(report.top5 - (try expected.number("top5"))) < 0.001)
        #expect(relativeError(fit.objective, try expected.number("objective")) < 1e-6)
        #expect(report.top1 > 0.3 && report.top1 < 0.95)
        let theirs = try expected.numbers("predictions").map { Int($0) }
        let differing = zip(fit.predictions(test), theirs).count { $0 != $1 }
        #expect(differing <= n / 1000)
        for (c, accuracy) in try expected.numbers("perclass").enumerated() {
            #expect(abs(try #require(report.perClass[c]) - accuracy) < 0.005)
            #expect(abs(Double(report.confusion[c][c]) - (try expected.numbers("diagonal")[c])) <= 5)
        }
    }

    /// Without information the probabilities of the minimum are the class frequencies, whatever the penalty.
    @Test func constantFeaturesGiveClassFrequencies() throws {
        let labels = (0..<600).map { $0 % 6 < 3 ? 0 : $0 % 6 < 5 ? 1 : 2 }
        let features = FeatureMatrix(rows: 600, columns: 2, values: (0..<1200).map { $0 % 2 == 0 ? 7.3 : 0 })
        for standardised in [true, false] {
            let fit = try LogisticRegression(
                fitting: features, labels: labels, classes: 3, options: .init(penalty: 0.1, standardised: standardised))
            let scores = fit.scores(features).values.prefix(3).map { exp(Double($0)) }
            let sum = scores.reduce(0, +)
            for (score, share) in zip(scores, [1.0 / 2, 1.0 / 3, 1.0 / 6]) { #expect(abs(score / sum - share) < 1e-4) }
            #expect(relativeError(fit.objective, log(2) / 2 + log(3) / 3 + log(6) / 6) < 1e-5)
        }
    }

    @Test func startingPointDoesNotChangeTheMinimum() throws {
        let (features, labels) = classes(rows: 700, columns: 12, classes: 4, seed: 3)
        let options = LogisticRegression.Options(penalty: 1e-3)
        let cold = try LogisticRegression(fitting: features, labels: labels, classes: 4, options: options)
        let strong = try LogisticRegression(fitting: features, labels: labels, classes: 4, options: .init(penalty: 1))
        let warm = try LogisticRegression(
            fitting: features, labels: labels, classes: 4, options: options, startingFrom: strong)
        let converged = cold.converged && warm.converged
        #expect(converged)
        #expect(relativeError(warm.objective, cold.objective) < 1e-7)
        #expect(strong.objective > cold.objective)
    }

    /// Columns that say nearly the same: with their correlations known, the fit takes few steps to a minimum that is
    /// recognised by its gradient.
    @Test func correlatedFeaturesTakeFewIterations() throws {
        let (plain, labels) = classes(rows: 2000, columns: 30, classes: 6, seed: 6)
        var data = RandomData(seed: 7)
        let mixing = (0..<30).flatMap { _ in data.normals(40).enumerated().map { $1 * exp(-0.25 * Double($0)) } }
        var values: [Float] = []
        for r in 0..<2000 {
            for c in 0..<40 {
                values.append(Float((0..<30).reduce(0.0) { $0 + Double(plain.values[r * 30 + $1]) * mixing[$1 * 40 + c] }))
            }
        }
        let mixed = FeatureMatrix(rows: 2000, columns: 40, values: values)
        let fit = try LogisticRegression(
            fitting: mixed, labels: labels, classes: 6, options: .init(penalty: 1e-4, standardised: false))
        let (converged, iterations) = (fit.converged, fit.iterations)
        #expect(converged)
        #expect(iterations < 150)
    }

    /// Features in other units with the penalty in theirs are the same problem: the same minimum, recognised in any unit.
    @Test(arguments: [1e-3, 1, 1e3]) func unitsOfFeaturesDecideNothing(_ unit: Float) throws {
        let (plain, labels) = classes(rows: 800, columns: 12, classes: 4, seed: 8)
        func fit(_ unit: Float) throws -> LogisticRegression {
            let features = FeatureMatrix(rows: plain.rows, columns: plain.columns, values: plain.values.map { $0 * unit })
            return try LogisticRegression(
                fitting: features, labels: labels, classes: 4,
                options: .init(penalty: 1e-3 * Double(unit) * Double(unit), standardised: false, gradientTolerance: 1e-12))
        }
        let (scaled, usual) = (try fit(unit), try fit(1))
        #expect(scaled.converged && usual.converged)
        #expect(relativeError(scaled.objective, usual.objective) < 1e-6)
    }

    @Test func aFitThatIsCutShortHasNotConverged() throws {
        let (features, labels) = classes(rows: 700, columns: 12, classes: 4, seed: 3)
        let options = LogisticRegression.Options(penalty: 1e-5, maximumIterations: 2)
        let fit = try LogisticRegression(fitting: features, labels: labels, classes: 4, options: options)
        #expect(!fit.converged && fit.iterations == 2)
    }

    /// float32 keeps nothing of a spread of 1 beside an offset of 10⁹; float64 features are rounded after their mean is off.
    @Test func offsetsOfDoublesDecideNothing() throws {
        let (plain, labels) = classes(rows: 600, columns: 8, classes: 3, seed: 9)
        func doubles(_ offset: Double) -> DoubleFeatureMatrix {
            DoubleFeatureMatrix(rows: 600, columns: 8, values: plain.values.map { Double($0) + offset })
        }
        let direct = try LinearProbe(fitting: plain, labels: labels, classes: 3).model
        for offset in [0.0, 1e9] {
            let probe = try LinearProbe(fitting: doubles(offset), labels: labels, classes: 3).model
            #expect(probe.converged && relativeError(probe.objective, direct.objective) < 1e-5)
            let differing = zip(probe.predictions(doubles(offset)), direct.predictions(plain)).count { $0 != $1 }
            #expect(differing <= 3)
        }
    }

    @Test func reportOfKnownScores() throws {
        let scores = FeatureMatrix(
            rows: 4, columns: 6,
            values: [
                9, 1, 2, 3, 4, 5,
                0, 1, 2, 3, 4, 5,
                5, 5, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 1,
            ])
        // Right; last of six; second of a tie; second.
        let report = try ClassificationReport(scores: scores, labels: [0, 0, 1, 0])
        #expect(report.hits == [true, false, false, false])
        #expect(report.top1 == 0.25 && report.top5 == 0.75)
        #expect(report.perClass == [1.0 / 3, 0, nil, nil, nil, nil])
        #expect(report.confusion[0] == [1, 0, 0, 0, 0, 2])
        #expect(report.confusion[1] == [1, 0, 0, 0, 0, 0])
    }

    @Test func refusesWhatCannotBeFitted() throws {
        let features = FeatureMatrix(rows: 2, columns: 1, values: [0, 1])
        #expect { try LogisticRegression(fitting: features, labels: [0, 3], classes: 3) } throws: {
            "\($0)".contains("label 3 of row 1")
        }
        #expect { try LogisticRegression(fitting: features, labels: [0], classes: 3) } throws: {
            "\($0)".contains("1 labels for 2 rows")
        }
        let bad = FeatureMatrix(rows: 2, columns: 1, values: [0, .infinity])
        #expect { try LogisticRegression(fitting: bad, labels: [0, 1], classes: 2) } throws: { "\($0)".contains("row 1") }
        #expect(throws: InputError.self) {
            try LogisticRegression(fitting: FeatureMatrix(rows: 0, columns: 1, values: []), labels: [], classes: 2)
        }
        // Named by its number among all rows, whichever part is fitted first.
        var values = [Float](repeating: 1, count: 50)
        values[37] = .nan
        #expect {
            try LinearProbe(
                fitting: FeatureMatrix(rows: 50, columns: 1, values: values), labels: (0..<50).map { $0 % 2 }, classes: 2)
        } throws: { "\($0)".contains("row 37") }
        let scores = FeatureMatrix(rows: 1, columns: 2, values: [0, .nan])
        #expect(throws: InputError.self) { try ClassificationReport(scores: scores, labels: [0]) }
    }

    @Suite struct Probe {
        @Test func choosesOnHeldOutRows() throws {
            // Many features, few rows: a weak penalty overfits.
            let (features, labels) = LogisticRegressionTests().classes(rows: 300, columns: 120, classes: 5, seed: 4)
            let probe = try LinearProbe(
                fitting: features, labels: labels, classes: 5, penalties: [1e-5, 1e-3, 1e-1, 1e3], seed: 7)
            #expect(probe.trials.map(\.penalty) == [1e3, 1e-1, 1e-3, 1e-5])
            let best = try #require(probe.trials.map(\.validationTop1).max())
            let chosen = try #require(probe.trials.first { $0.validationTop1 == best })
            #expect(probe.model.options.penalty == chosen.penalty)
            let converged = probe.model.converged
            #expect(converged)
            // The final fit is the one of all rows, not of the part.
            let direct = try LogisticRegression(
                fitting: features, labels: labels, classes: 5, options: .init(penalty: chosen.penalty))
            #expect(relativeError(probe.model.objective, direct.objective) < 1e-4)
        }

        @Test func seedDecidesTheSplit() throws {
            let (features, labels) = LogisticRegressionTests().classes(rows: 200, columns: 30, classes: 4, seed: 5)
            func trials(_ seed: UInt64) throws -> [LinearProbe.Trial] {
                try LinearProbe(fitting: features, labels: labels, classes: 4, seed: seed).trials
            }
            #expect(try trials(1) == trials(1))
            #expect(try trials(1) != trials(2))
        }

        @Test func refusesTooFewRows() {
            let features = FeatureMatrix(rows: 2, columns: 1, values: [0, 1])
            #expect { try LinearProbe(fitting: features, labels: [0, 1], classes: 2) } throws: {
                "\($0)".contains("too few")
            }
        }
    }
}
