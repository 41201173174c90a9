import Files
import Foundation
import Testing

/// `prologue study semantics` and `prologue probe --features`.
@Suite struct StudyTests {
    @Test func aStudyWritesItsTablesAndFigures() throws {
        let place = try Workplace()
        let results = place.folder.appendingPathComponent("results")
        let ended = try place.run(
            "study", "semantics", place.sweep, "--output", results.path, "--set", "semantics.groups=6", "--set",
            "semantics.draws=2", "--set", "semantics.prefixes=[0, 1, 2]", "--set", "semantics.attention_images=4")
        #expect(ended.code == 0, "\(ended.errors)")
        let text = try String(contentsOf: results.appendingPathComponent("semantics.md"), encoding: .utf8)
        let pictures = text.matches(of: /\]\((pictures\/[^)]+)\)/).map { String($0.1) }
        for name in [
            "probe-prologues", "probe-baseline", "thumbnail-prologue", "factors-prologue", "completions-noclass-agreement",
            "completions-class-likeness", "information-prologue-prologue", "information-baseline-visual",
            "prologue-cost-prologue", "costs-noclass", "costs-difference",
        ] {
            #expect(pictures.contains("pictures/semantics-\(name).svg"), "\(name)")
        }
        for name in ["attention", "completions"] { #expect(pictures.contains("pictures/semantics-\(name)-prologue.png")) }
        for picture in pictures {
            #expect(FileManager.default.fileExists(atPath: results.appendingPathComponent(picture).path), "\(picture)")
        }
        // Pictures are XML, tables are CSV, as others read them.
        let read = try JSONValue(
            parsing: Data(
                place.python(
                    """
                    import csv, glob, json, xml.etree.ElementTree as tree
                    for f in glob.glob('results/pictures/*.svg'): tree.parse(f)
                    print(json.dumps({f[8:-4]: list(csv.reader(open(f)))[0] for f in glob.glob('results/*.csv')}))
                    """
                ).utf8))
        #expect(read["what-an-image-costs"] == ["part", "baseline", "prologue"])
        #expect(read.objectValue?.count == 8)
        #expect(text.contains("| prologue | probe, codes | random |"))
        // The report has the section too, each of the studies' pictures once.
        let report = try String(contentsOf: place.store.appendingPathComponent("reports/tiny/report.md"), encoding: .utf8)
        #expect(report.contains("What the tokens know") && report.components(separatedBy: "attention to each").count == 1)
        #expect(report.matches(of: /semantics-attention-prologue\.png\)/).count == 1)
    }

    /// Top-1 within 0.3 points of scikit-learn's where both choose the penalty in the same way, on features of a probe's size.
    @Test func aProbeOfAFileAgreesWithScikitLearn() throws {
        let place = try Workplace()
        let expected = try JSONValue(
            parsing: Data(
                place.python(
                    """
                    import h5py, json, numpy as np
                    from sklearn.linear_model import LogisticRegression
                    from sklearn.model_selection import train_test_split
                    from sklearn.preprocessing import StandardScaler
                    random = np.random.default_rng(5)
                    n, tokens, z, codes, k = 10000, 8, 14, 64, 10
                    # Code vectors of eight tokens, whose codes are likelier in some classes than in others.
                    table, liking = random.normal(size=(tokens, codes, z)), random.normal(size=(tokens, k, codes))
                    def half():
                        y = random.integers(0, k, n)
                        weights = np.exp(0.9 * liking[:, y]); weights /= weights.sum(-1, keepdims=True)
                        chosen = (weights.cumsum(-1) > random.random((tokens, n, 1))).argmax(-1)
                        return np.concatenate([table[t, chosen[t]] for t in range(tokens)], 1).astype("f4"), y
                    (x, y), (v, u) = half(), half()
                    with h5py.File("features.h5", "w") as f:
                        f["train_features"], f["train_labels"], f["test_features"], f["test_labels"] = x, y, v, u
                    def fit(x, y, c):
                        s = StandardScaler().fit(x)
                        m = LogisticRegression(C=c / len(x), max_iter=2000).fit(s.transform(x), y)
                        return lambda v: m.predict_proba(s.transform(v))
                    a, b, c, d = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
                    best = max((10.0 ** e for e in range(1, 7)), key=lambda e: ((fit(a, c, e)(b).argmax(1) == d).mean(), -e))
                    p = fit(x, y, best)(v)
                    five = np.argsort(-p, 1)[:, :5]
                    print(json.dumps(dict(top1=float((p.argmax(1) == u).mean()), top5=float((five == u[:, None]).any(1).mean()))))
                    """
                ).utf8))
        let file = place.folder.appendingPathComponent("features.h5").path
        let ours = try place.json("probe", "--features", file, "--json")
        let top1 = try #require(ours["top1"]?.doubleValue)
        #expect(abs(top1 - (expected["top1"]?.doubleValue ?? 0)) < 0.003)
        #expect(abs((ours["top5"]?.doubleValue ?? 0) - (expected["top5"]?.doubleValue ?? 0)) < 0.003)
        #expect(top1 > 0.3 && top1 < 0.98 && ours["classifier"] == "logistic")

        let head = try place.json("probe", "--features", file, "--classifier", "mae", "--json")
        #expect(head["classifier"] == "mae" && head["penalty"] == .null)
        #expect(abs((head["top1"]?.doubleValue ?? 0) - top1) < 0.03)
        let wrong = try place.run("probe", "--features", file, "--classifier", "may")
        #expect(wrong.code == 2 && wrong.errors.contains("mae"))
    }
}
