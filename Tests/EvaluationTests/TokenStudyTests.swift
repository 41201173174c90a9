import Evaluation
import Files
import Foundation
import TestSupport
import Testing

/// What the studies compute of sets of tokens, against scikit-learn and scipy.
@Suite struct TokenStudyTests {
    /// Six positions of five codes that depend on a class of three and on each other.
    private static let data = """
        import numpy as np
        random = np.random.default_rng(11)
        n, k, codes, classes = 600, 6, 5, 3
        y = np.arange(n) % classes
        x = np.zeros((n, k), int)
        x[:, 0] = (y + (random.random(n) < 0.5) * random.integers(0, codes, n)) % codes
        for j in range(1, k):
            x[:, j] = np.where(random.random(n) < 0.15 * j, x[:, j - 1], random.integers(0, codes, n))
        x[:, 4] = np.where(random.random(n) < 0.4, y + 1, x[:, 4])
        fit, held = slice(0, 400), slice(400, n)

        """

    private struct Told {
        let json: JSONValue

        init(_ script: String) throws { json = try pythonJSON(TokenStudyTests.data + script) }

        func columns(_ name: String) throws -> [[Int32]] {
            try #require(json[name]?.arrayValue).map { $0.arrayValue?.compactMap { $0.intValue.map(Int32.init) } ?? [] }
        }
        func integers(_ name: String) throws -> [Int] { try #require(json[name]?.arrayValue).compactMap(\.intValue) }
    }

    @Test func theTreeCodeAgreesWithScipy() throws {
        let told = try Told(
            """
            from scipy.sparse.csgraph import minimum_spanning_tree, breadth_first_order
            from sklearn.metrics import mutual_info_score
            information = np.array([[mutual_info_score(x[fit, a], x[fit, b]) for b in range(k)] for a in range(k)])
            cost = np.triu(10 - information, 1)
            tree = minimum_spanning_tree(cost).toarray()
            order, parent = breadth_first_order(tree + tree.T, 0, directed=False)
            bits, prior = 0.0, 16.0
            for j in range(k):
                own = (np.bincount(x[fit, j], minlength=codes) + 1) / (400 + codes)
                if j == 0:
                    bits -= np.log2(own[x[held, 0]]).mean()
                    continue
                p = parent[j]
                table = np.zeros((codes, codes)); np.add.at(table, (x[fit, p], x[fit, j]), 1)
                table = (table + prior * own) / (table.sum(1, keepdims=True) + prior)
                bits -= np.log2(table[x[held, p], x[held, j]]).mean()
            print(json.dumps(dict(fit=x[fit].T.tolist(), held=x[held].T.tolist(), bits=bits, parents=[-1] + [int(p) for p in parent[1:]])))
            """)
        let tree = TokenTree(try told.columns("fit"), codes: Array(repeating: 5, count: 6), prior: 16)
        #expect(try tree.parents == told.integers("parents"))
        #expect(try abs(tree.bits(try told.columns("held")) - told.json.number("bits")) < 1e-9)
        // The strength that is chosen is no worse than all but luck, and no code is shorter than what chance leaves.
        let chosen = TokenTree(try told.columns("fit"), codes: Array(repeating: 5, count: 6))
        #expect(try [1, 4, 16, 64, 256].contains(chosen.prior) && chosen.bits(told.columns("held")) < 6 * log2(5))
    }

    @Test func nearestTokensAgreeWithNumpy() throws {
        let told = try Told(
            """
            votes = []
            for row in x[held]:
                distance = (x[fit] != row).sum(1)
                reach = np.sort(distance)[6]
                votes += np.bincount(y[fit][distance <= reach], minlength=classes).tolist()
            print(json.dumps(dict(fit=x[fit].T.tolist(), held=x[held].T.tolist(), labels=y[fit].tolist(), votes=votes)))
            """)
        let nearest = NearestTokens(try told.columns("fit"), labels: try told.integers("labels"), classes: 3, neighbours: 7)
        #expect(try nearest.votes(try told.columns("held")).values == told.integers("votes").map(Float.init))
    }

    @Test func greedyTokensAgreeWithNaiveBayesOfScikitLearn() throws {
        let told = try Told(
            """
            from sklearn.naive_bayes import CategoricalNB
            late = np.arange(n) % 5 == 4
            chosen = []
            while len(chosen) < 4:
                def right(j):
                    at = chosen + [j]
                    m = CategoricalNB(alpha=1, min_categories=codes).fit(x[~late][:, at], y[~late])
                    return (m.predict(x[late][:, at]) == y[late]).sum()
                rest = [j for j in range(k) if j not in chosen]
                scores = [right(j) for j in rest]
                chosen.append(rest[int(np.argmax(scores))])
            print(json.dumps(dict(columns=x.T.tolist(), labels=y.tolist(), chosen=chosen)))
            """)
        let chosen = greedyTokens(try told.columns("columns"), codes: 5, labels: try told.integers("labels"), classes: 3, count: 4)
        #expect(try chosen == told.integers("chosen"))
    }

    @Test func kMeansAgreesWithScikitLearn() throws {
        let told = try Told(
            """
            from sklearn.cluster import KMeans
            p = np.concatenate([random.normal(size=(100, 7)) + 2 * random.normal(size=7) for _ in range(6)]).astype("f4")
            m = KMeans(9, init=p[:9], n_init=1, max_iter=30, tol=0, algorithm="lloyd").fit(p)
            print(json.dumps(dict(points=p.ravel().tolist(), places=m.labels_.tolist(), centres=m.cluster_centers_.ravel().tolist())))
            """)
        let points = FeatureMatrix(rows: 600, columns: 7, values: try told.json.numbers("points").map(Float.init))
        let means = KMeans(points, from: points.selecting(Array(0..<9)))
        #expect(try means.nearest(points).map(Int.init) == told.integers("places"))
        #expect(zip(means.centres.values, try told.json.numbers("centres")).allSatisfy { abs(Double($0) - $1) < 1e-4 })
    }

    @Test func theOnlineCodeAgreesWithScikitLearn() throws {
        let told = try Told(
            """
            from sklearn.linear_model import LogisticRegression
            from sklearn.preprocessing import StandardScaler
            hot = np.eye(codes)[x].reshape(n, -1)
            ends = [12, 24, 48, 96, 192, 384, 600]
            bits = ends[0] * np.log2(classes)
            for a, b in zip(ends, ends[1:]):
                s = StandardScaler().fit(hot[:a])
                m = LogisticRegression(C=1 / (0.01 * a), max_iter=10000, tol=1e-8).fit(s.transform(hot[:a]), y[:a])
                bits -= np.log2(m.predict_proba(s.transform(hot[a:b]))[np.arange(b - a), y[a:b]]).sum()
            print(json.dumps(dict(columns=x.T.tolist(), labels=y.tolist(), bits=bits / n)))
            """)
        let columns = try told.columns("columns")
        let places = columns[0].indices.flatMap { row in columns.enumerated().map { Int32($0 * 5) + $1[row] } }
        let labels = try told.integers("labels")
        let bits = try onlineCodeLength(OneHotMatrix(columns: 30, ones: 6, places: places), labels: labels, classes: 3)
        #expect(try abs(bits - told.json.number("bits")) < 1e-3, "\(bits)")
        // Features that say nothing are no help: about log₂ 3 and what overfitting costs; those that say all are worth the first block.
        let all = OneHotMatrix(columns: 3, ones: 1, places: labels.map(Int32.init))
        #expect(try onlineCodeLength(all, labels: labels, classes: 3) < 0.1)
    }

    @Test func agreementOfLabellingsAgreesWithScikitLearn() throws {
        let told = try Told(
            """
            from sklearn.metrics import adjusted_mutual_info_score
            from scipy.optimize import linear_sum_assignment
            pairs = [(x[:, a], x[:, b]) for a in range(k) for b in range(a, k)] + [(y, x[:, 0]), (random.integers(0, 40, n), random.integers(0, 9, n))]
            values = random.normal(size=(5, 8))
            rows, columns = linear_sum_assignment(values, maximize=True)
            print(json.dumps(dict(a=[p[0].tolist() for p in pairs], b=[p[1].tolist() for p in pairs],
                scores=[float(adjusted_mutual_info_score(*p)) for p in pairs], values=values.ravel().tolist(), best=columns.tolist())))
            """)
        for ((a, b), expected) in zip(zip(try told.columns("a"), try told.columns("b")), try told.json.numbers("scores")) {
            #expect(abs(adjustedMutualInformation(a, b) - expected) < 1e-9)
        }
        #expect(adjustedMutualInformation([1, 1, 2, 2], [7, 7, 3, 3]) == 1 && adjustedMutualInformation([1, 1], [2, 2]) == 1)
        let values = try told.json.numbers("values")
        let matching = bestMatching((0..<5).map { Array(values[$0 * 8..<($0 + 1) * 8]) })
        #expect(try matching == told.integers("best"))
        #expect(bestMatching([[1, 5], [2, 9]]) == [0, 1] && bestMatching([]) == [])
    }

    @Test func disentanglementAgreesWithItsDefinition() throws {
        let told = try Told(
            """
            from sklearn.metrics import mutual_info_score
            factors = np.stack([y, x[:, 0], random.integers(0, 4, n)])
            tokens = x[:, 1:5].T
            share = np.array([[mutual_info_score(f, t) / mutual_info_score(f, f) for t in tokens] for f in factors])
            m = ((share.max(0) / share.sum(0)).mean() - 1 / 3) / (1 - 1 / 3)
            c = ((share.max(1) / share.sum(1)).mean() - 1 / 4) / (1 - 1 / 4)
            print(json.dumps(dict(factors=factors.tolist(), tokens=tokens.tolist(), m=m, c=c)))
            """)
        let (factors, tokens) = (try told.columns("factors"), try told.columns("tokens"))
        let found = try #require(Disentanglement(factors: factors, tokens: tokens))
        #expect(try abs(found.modularity - told.json.number("m")) < 1e-9)
        #expect(try abs(found.compactness - told.json.number("c")) < 1e-9)
        // One token for each factor; one token for both.
        let (a, b): ([Int32], [Int32]) = ((0..<64).map { $0 % 4 }, (0..<64).map { $0 / 4 % 4 })
        let neat = Disentanglement(factors: [a, b], tokens: [b, a])
        #expect(neat.map { abs($0.modularity - 1) < 1e-12 && abs($0.compactness - 1) < 1e-12 } == true)
        let mixed = Disentanglement(factors: [a, b], tokens: [zip(a, b).map { $0 + 4 * $1 }, zip(a, b).map { $1 + 4 * $0 }])
        #expect(mixed.map { abs($0.modularity) < 1e-12 && abs($0.compactness) < 1e-12 } == true)
        #expect(Disentanglement(factors: [a, a.map { _ in 0 }], tokens: [a, b]) == nil)
    }

    @Test func effectsOfInterventionsAgreeWithNumpy() throws {
        let told = try Told(
            """
            def facts(): return dict(p=random.integers(0, 3, 40).tolist(), t=random.normal(size=(40, 12)).astype("f4").tolist(),
                c=random.normal(size=(40, 3)).astype("f4").tolist())
            before, after, source, target = facts(), facts(), facts(), facts()
            labels = random.integers(0, 3, 40)
            P = lambda f: np.array(f["p"])
            same = lambda a, b: np.mean([np.corrcoef(u, v)[0, 1] for u, v in zip(a["t"], b["t"])])
            far = lambda a, b: np.abs(np.array(a["c"], float) - np.array(b["c"], float)).mean()
            change = [(P(before) != P(after)).mean(), 1 - same(before, after), far(before, after) / far(source, target)]
            whole = [(P(after) == labels).mean() - (P(before) == labels).mean(), same(after, target) - same(before, target),
                (far(before, target) - far(after, target)) / far(source, target)]
            effects = random.random((5, 3))
            relative = effects / effects.mean(0)
            selectivity = ((relative.max(1) / relative.sum(1)).mean() - 1 / 3) / (1 - 1 / 3)
            print(json.dumps(dict(before=before, after=after, source=source, target=target, labels=labels.tolist(), change=change,
                whole=whole, effects=effects.ravel().tolist(), selectivity=selectivity)))
            """)
        func facts(_ name: String) throws -> ImageFacts {
            let json = try #require(told.json[name])
            func matrix(_ key: String) -> FeatureMatrix {
                let rows = json[key]?.arrayValue?.map { $0.arrayValue?.compactMap { $0.doubleValue.map(Float.init) } ?? [] } ?? []
                return FeatureMatrix(rows: rows.count, columns: rows.first?.count ?? 0, values: rows.flatMap { $0 })
            }
            return ImageFacts(
                predictions: json["p"]?.arrayValue?.compactMap { $0.intValue.map(Int32.init) } ?? [], thumbnails: matrix("t"),
                colours: matrix("c"))
        }
        func agrees(_ found: InterventionEffects, _ name: String) throws -> Bool {
            zip([found.class, found.layout, found.colour], try told.json.numbers(name)).allSatisfy { abs($0 - $1) < 1e-6 }
        }
        let (before, after) = (try facts("before"), try facts("after"))
        let (source, target) = (try facts("source"), try facts("target"))
        #expect(try agrees(.change(before, after, unrelated: (from: source, to: target)), "change"))
        let labels = try told.integers("labels").map(Int32.init)
        #expect(try agrees(.completeness(before, after, sources: source, targets: target, labels: labels), "whole"))
        let effects = try told.json.numbers("effects")
        let tokens = (0..<5).map { InterventionEffects(class: effects[3 * $0], layout: effects[3 * $0 + 1], colour: effects[3 * $0 + 2]) }
        #expect(try abs((InterventionEffects.selectivity(tokens) ?? .nan) - told.json.number("selectivity")) < 1e-9)
        // Tokens that change one thing each; tokens that change all things alike.
        let single = [(1.0, 0.0, 0.0), (0, 1, 0), (0, 0, 1)].map { InterventionEffects(class: $0.0, layout: $0.1, colour: $0.2) }
        #expect(InterventionEffects.selectivity(single) == 1)
        #expect(InterventionEffects.selectivity(Array(repeating: single[0], count: 2)) == nil)
        let alike = Array(repeating: InterventionEffects(class: 0.2, layout: 0.7, colour: 0.1), count: 4)
        #expect(abs(InterventionEffects.selectivity(alike) ?? 1) < 1e-12)
    }
}
