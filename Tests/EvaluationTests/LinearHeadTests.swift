import Evaluation
import Files
import Foundation
import TestSupport
import Testing

/// The linear heads beside logistic regression: that of masked autoencoders, ridge regression, one-hot features.
@Suite struct LinearHeadTests {
    private func classes(rows: Int, columns: Int, classes: Int, seed: UInt64) -> (FeatureMatrix, [Int]) {
        RandomData.classes(rows: rows, columns: columns, classes: classes, seed: seed, centres: 98, distance: 0.4) {
            ($0 % 2 == 0 ? 5 : 0.2, 3)
        }
    }

    /// The same initial weights and batches; LARS as in the published code, written here with torch's tensors.
    @Test(arguments: [MAEHead.Optimizer.lars, .sgd])
    func trainsAsInPyTorch(_ optimizer: MAEHead.Optimizer) throws {
        let (n, d, k) = (330, 12, 5)
        var options = MAEHead.Options()
        (options.optimizer, options.epochs, options.warmupEpochs, options.batch) = (optimizer, 7, 2, 64)
        (options.peakRate, options.weightDecay) = optimizer == .lars ? (8, 0.02) : (0.1, 0.02)
        let (train, labels) = classes(rows: n, columns: d, classes: k, seed: 1)
        let (test, _) = classes(rows: 200, columns: d, classes: k, seed: 2)
        var data = RandomData(seed: 3)
        let weights = data.normals(k * d).map { Float(0.01 * $0) }
        let orders = (0..<options.epochs).map { _ in data.generator.permutation(of: n) }
        let head = try MAEHead(fitting: train, labels: labels, classes: k, options: options, from: weights, orders: orders)

        let expected = try pythonJSON(
            """
            import torch
            n, d, k, epochs, warmup, batch = \(n), \(d), \(k), \(options.epochs), \(options.warmupEpochs), \(options.batch)
            x, t = torch.tensor(f32("x", n, d)), torch.tensor(f32("t", -1, d))
            y = torch.tensor(f64("y").astype(int))
            orders = torch.tensor(f64("orders", epochs, n).astype(int))
            norm, linear = torch.nn.BatchNorm1d(d, affine=False, eps=1e-6), torch.nn.Linear(d, k)
            with torch.no_grad():
                linear.weight.copy_(torch.tensor(f32("w", k, d))); linear.bias.zero_()
            decay, top = \(options.weightDecay), \(options.peakRate)
            sgd = torch.optim.SGD(linear.parameters(), lr=0, momentum=0.9, weight_decay=decay)
            velocity = {}
            def lars(rate):
                for p in linear.parameters():
                    step = p.grad
                    if p.ndim > 1:
                        step = step + decay * p
                        a, b = p.norm(), step.norm()
                        step = step * torch.where((a > 0) & (b > 0), 0.001 * a / b, torch.ones_like(a))
                    velocity[p] = velocity.get(p, torch.zeros_like(p)) * 0.9 + step
                    p.data -= rate * velocity[p]
            for epoch in range(epochs):
                for i in range(n // batch):
                    e = epoch + i / (n // batch)
                    rate = top * e / warmup if e < warmup else top * 0.5 * (1 + np.cos(np.pi * (e - warmup) / (epochs - warmup)))
                    rows = orders[epoch, i * batch:(i + 1) * batch]
                    linear.zero_grad()
                    torch.nn.functional.cross_entropy(linear(norm(x[rows])), y[rows]).backward()
                    with torch.no_grad():
                        if \(optimizer == .lars ? "True" : "False"): lars(rate)
                        else:
                            sgd.param_groups[0]["lr"] = rate; sgd.step()
            norm.eval()
            with torch.no_grad(): scores = linear(norm(t))
            print(json.dumps(dict(
                weights=linear.weight.flatten().tolist(), biases=linear.bias.tolist(), scores=scores.flatten().tolist(),
                moved=float((linear.weight - torch.tensor(f32("w", k, d))).abs().max()))))
            """, floats: ["x": train.values, "t": test.values, "w": weights],
            doubles: ["y": labels.map(Double.init), "orders": orders.flatMap { $0.map(Double.init) }])

        #expect(try expected.number("moved") > 0.01)
        func largestError(_ values: [Float], _ name: String) throws -> Double {
            let theirs = try expected.numbers(name)
            #expect(values.count == theirs.count)
            return zip(values, theirs).map { abs(Double($0) - $1) }.max()! / theirs.map(abs).max()!
        }
        #expect(try largestError(head.weights, "weights") < 1e-4)
        #expect(try largestError(head.biases, "biases") < 1e-4)
        #expect(try largestError(head.scores(test).values, "scores") < 1e-4)
    }

    @Test func headLearnsAndSaysWhatItCannotTake() throws {
        let (train, labels) = classes(rows: 900, columns: 16, classes: 4, seed: 4)
        let (test, truth) = classes(rows: 900, columns: 16, classes: 4, seed: 5)
        let head = try MAEHead(fitting: train, labels: labels, classes: 4)
        let logistic = try LogisticRegression(fitting: train, labels: labels, classes: 4)
        let (ours, best) = try (
            ClassificationReport(scores: head.scores(test), labels: truth).top1,
            ClassificationReport(scores: logistic.scores(test), labels: truth).top1
        )
        #expect(ours > best - 0.05 && best > 0.5)
        #expect(try MAEHead(fitting: train, labels: labels, classes: 4).scores(test) == head.scores(test))
        #expect(throws: InputError.self) { try MAEHead(fitting: train, labels: labels, classes: 3) }
        #expect { try MAEHead(fitting: FeatureMatrix(rows: 2, columns: 1, values: [.nan, 0]), labels: [0, 1], classes: 2) } throws: {
            "\($0)".contains("row 0")
        }
    }

    @Test func ridgeAgreesWithScikitLearn() throws {
        let (n, m, d, t, penalty) = (1500, 400, 30, 4, 0.03)
        var data = RandomData(seed: 6)
        let mixing = data.normals(d * t)
        func rows(_ count: Int) -> (FeatureMatrix, FeatureMatrix) {
            var (x, y): ([Float], [Float]) = ([], [])
            for _ in 0..<count {
                let row = (0..<d).map { $0 == 7 ? 2.5 : data.normal() * Double($0 % 3 + 1) + 4 }
                x += row.map(Float.init)
                for k in 0..<t { y.append(Float((0..<d).reduce(3 * data.normal()) { $0 + 0.3 * mixing[$1 * t + k] * row[$1] })) }
            }
            return (FeatureMatrix(rows: count, columns: d, values: x), FeatureMatrix(rows: count, columns: t, values: y))
        }
        let (train, targets) = rows(n)
        let (test, truth) = rows(m)
        let ridge = try RidgeRegression(fitting: train, to: targets, penalty: penalty)
        let (share, interval) = try ridge.explained(test, truth)
        let expected = try pythonJSON(
            """
            from sklearn.linear_model import Ridge
            from sklearn.metrics import r2_score
            n, d, t = \(n), \(d), \(t)
            x, y, v, u = f32("x", n, d).astype(float), f32("y", n, t), f32("v", -1, d).astype(float), f32("u", -1, t)
            mean, deviation = x.mean(0), x.std(0, ddof=1)
            deviation[deviation == 0] = 1
            m = Ridge(alpha=\(penalty) * (n - 1)).fit((x - mean) / deviation, y)
            p = m.predict((v - mean) / deviation)
            print(json.dumps(dict(p=p.flatten().tolist(), r2=float(r2_score(u, p, multioutput="variance_weighted")))))
            """, floats: ["x": train.values, "y": targets.values, "v": test.values, "u": truth.values])
        let theirs = try expected.numbers("p")
        #expect(zip(ridge.predictions(test).values, theirs).allSatisfy { abs(Double($0) - $1) < 1e-3 })
        #expect(abs(share - (try expected.number("r2"))) < 1e-5)
        let around = try #require(interval)
        #expect(around.low < share && share < around.high && share > 0.3 && share < 0.95)
        // Chosen on held-out rows, the penalty is neither of two bad ones.
        let chosen = try RidgeRegression(fitting: train, to: targets, penalties: [1e3, 1e-3, 1e2])
        #expect(chosen.penalty == 1e-3)
    }

    /// Codes of 49 tokens of 512 codes each: 25 088 columns, which a dense matrix of this many rows could hold only in 200 MB.
    @Test func oneHotFeaturesOfAllTokensAgreeWithScikitLearn() throws {
        let (n, m, tokens, codes, k, penalty) = (2000, 600, 49, 512, 10, 1e-2)
        var data = RandomData(seed: 7)
        func rows(_ count: Int) -> (OneHotMatrix, [Int]) {
            var (places, labels): ([Int32], [Int]) = ([], [])
            for _ in 0..<count {
                let label = data.generator.index(below: k)
                labels.append(label)
                for token in 0..<tokens {
                    // A few codes of each token are the class's own; the others come to all.
                    let code = data.uniform() < 0.06 ? label * 7 + token % 7 : data.generator.index(below: codes)
                    places.append(Int32(token * codes + code))
                }
            }
            return (OneHotMatrix(columns: tokens * codes, ones: tokens, places: places), labels)
        }
        let (train, labels) = rows(n)
        let (test, truth) = rows(m)
        let fit = try LogisticRegression(fitting: train, labels: labels, classes: k, options: .init(penalty: penalty))
        let converged = fit.converged
        #expect(converged)
        let report = try ClassificationReport(scores: fit.scores(test), labels: truth)
        let expected = try pythonJSON(
            """
            import scipy.sparse as sparse
            from sklearn.linear_model import LogisticRegression
            from sklearn.metrics import log_loss
            from sklearn.preprocessing import StandardScaler
            n, t, d = \(n), \(tokens), \(tokens * codes)
            def matrix(name):
                places = f64(name, -1, t).astype(int)
                rows = np.repeat(np.arange(len(places)), t)
                return sparse.csr_matrix((np.ones(places.size), (rows, places.ravel())), (len(places), d))
            x, v, y, u = matrix("x"), matrix("v"), f64("y").astype(int), f64("u").astype(int)
            # Centring moves the unpenalised intercept alone, so it may be left out here.
            scaler = StandardScaler(with_mean=False).fit(x)
            m = LogisticRegression(C=1 / (n * \(penalty)), tol=1e-7, max_iter=2000).fit(scaler.transform(x), y)
            p = m.predict(scaler.transform(v))
            print(json.dumps(dict(top1=float((p == u).mean()), predictions=p.tolist(),
                objective=float(log_loss(y, m.predict_proba(scaler.transform(x))) + \(penalty) / 2 * (m.coef_ ** 2).sum()))))
            """,
            doubles: [
                "x": train.places.map(Double.init), "v": test.places.map(Double.init), "y": labels.map(Double.init),
                "u": truth.map(Double.init),
            ])
        #expect(relativeError(fit.objective, try expected.number("objective")) < 1e-3)
        #expect(abs(report.top1 - (try expected.number("top1"))) < 0.005)
        #expect(report.top1 > 0.3 && report.top1 < 0.98)
        let theirs = try expected.numbers("predictions").map { Int($0) }
        #expect(zip(fit.predictions(test), theirs).count { $0 != $1 } <= m / 100)
    }

    @Test func oneHotFeaturesAreDenseOnesNotWrittenOut() throws {
        var data = RandomData(seed: 8)
        let (n, k) = (300, 3)
        let labels = (0..<n).map { _ in data.generator.index(below: k) }
        // The last code of each token never comes, the first token always has code 0.
        let places = labels.flatMap { label -> [Int32] in
            [0, 4 + Int32((label + data.generator.index(below: 2)) % 3), 8 + Int32(data.generator.index(below: 3))]
        }
        let sparse = OneHotMatrix(columns: 12, ones: 3, places: places)
        var values = [Double](repeating: -1, count: n * 12)
        values.withUnsafeMutableBufferPointer { sparse.copy(rows: 0..<n, into: $0.baseAddress!) }
        let dense = FeatureMatrix(rows: n, columns: 12, values: values.map(Float.init))
        #expect(values.reduce(0, +) == Double(3 * n))
        for standardised in [true, false] {
            let options = LogisticRegression.Options(penalty: 1e-2, standardised: standardised)
            let (a, b) = try (
                LogisticRegression(fitting: sparse, labels: labels, classes: k, options: options),
                LogisticRegression(fitting: dense, labels: labels, classes: k, options: options)
            )
            #expect(relativeError(a.objective, b.objective) < 1e-6)
            #expect(zip(a.scores(sparse).values, b.scores(dense).values).allSatisfy { abs($0 - $1) < 1e-2 })
        }
        let probe = try LinearProbe(fitting: sparse, labels: labels, classes: k)
        #expect(try ClassificationReport(scores: probe.model.scores(sparse), labels: labels).top1 > 0.5)
    }
}
