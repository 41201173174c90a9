import Evaluation
import Files
import Foundation
import TestSupport
import Testing

@Suite struct MetricsPackTests {
    private typealias Tensors = [String: (shape: [Int], values: [Double])]

    private func lookup(_ tensors: Tensors) -> MetricsPack.Lookup {
        { key in
            guard let tensor = tensors[key] else { throw InputError("no tensor \(key)") }
            return tensor
        }
    }

    /// A pack of other sizes, scored by scipy.
    private func madePack() throws -> Tensors {
        var data = RandomData(seed: 51)
        let reference = data.features(rows: 150, columns: 10)
        let samples = data.features(rows: 170, columns: 10, offset: 0.2)
        let few = data.features(rows: 7, columns: 10, offset: -0.1)
        var p: [Double] = []
        for _ in 0..<80 {
            let row = (0..<5).map { _ in data.uniform() + 0.01 }
            p += row.map { $0 / row.reduce(0, +) }
        }
        let scores = try pythonJSON(
            """
            from scipy.special import rel_entr
            r, s, few, p = f64("r", -1, 10), f64("s", -1, 10), f64("few", -1, 10), f64("p", -1, 5)
            def fid(a, b):
                x, y = (a - a.mean(0)) / np.sqrt(len(a) - 1), (b - b.mean(0)) / np.sqrt(len(b) - 1)
                return (((a.mean(0) - b.mean(0)) ** 2).sum() + (x * x).sum() + (y * y).sum()
                        - 2 * np.linalg.svd(x @ y.T, compute_uv=False).sum())
            d2 = lambda a, b: ((a[:, None] - b[None]) ** 2).sum(2)
            radii = lambda a: np.sort(d2(a, a), 1)[:, 3]
            score = lambda q: np.exp(rel_entr(q, q.mean(0)).sum(1).mean())
            print(json.dumps(dict(
                fid=fid(s, r), fid_same=fid(r, r), fid_few=fid(few, r),
                precision=(d2(s, r) <= radii(r)[None]).any(1).mean(), recall=(d2(r, s) <= radii(s)[None]).any(1).mean(),
                inception_score_split_n4=np.mean([score(p[i:i + 20]) for i in range(0, 80, 20)]),
                inception_score_one_split=score(p))))
            """, doubles: ["r": reference.values, "s": samples.values, "few": few.values, "p": p])
        var tensors: Tensors = [
            "reference": ([150, 10], reference.values), "samples": ([170, 10], samples.values),
            "few_samples": ([7, 10], few.values), "probabilities": ([80, 5], p),
        ]
        for (key, value) in try #require(scores.objectValue) { tensors[key] = ([1], [try #require(value.doubleValue)]) }
        return tensors
    }

    @Test func packOfScipyPassesAndADisturbedOneFails() throws {
        let pack = try madePack()
        let checks = try MetricsPack.verify(lookup(pack))
        #expect(checks.count == 7)
        for check in checks { #expect(check.passed, "\(check.key): \(check.error)") }
        for key in checks.map(\.key) {
            var disturbed = pack
            let value = try #require(pack[key]).values[0]
            disturbed[key] = ([1], [value * (1 + 3e-6) + (key == "fid_same" ? 3e-6 : 0)])
            let failed = try MetricsPack.verify(lookup(disturbed)).filter { !$0.passed }.map(\.key)
            #expect(failed == [key])
        }
        var broken = pack
        broken["fid"] = ([1], [.nan])
        #expect(try MetricsPack.verify(lookup(broken)).filter { !$0.passed }.map(\.key) == ["fid"])
        broken["fid"] = nil
        #expect { try MetricsPack.verify(lookup(broken)) } throws: { "\($0)".contains("fid") }
        broken["reference"] = ([1500], [Double](repeating: 0, count: 1500))
        #expect { try MetricsPack.verify(lookup(broken)) } throws: { "\($0)".contains("reference has shape [1500]") }
    }

    static let sharedPack: URL? = {
        let shared =
            ProcessInfo.processInfo.environment["PROLOGUE_SHARED"].map { URL(fileURLWithPath: $0) }
            ?? packageRoot.deletingLastPathComponent().appendingPathComponent("shared")
        let pack = shared.appendingPathComponent("reference/metrics.safetensors")
        return FileManager.default.fileExists(atPath: pack.path) ? pack : nil
    }()

    @Test(.enabled(if: sharedPack != nil)) func publishedPackPasses() throws {
        let pack = try #require(Self.sharedPack)
        let tensors = try pythonJSON(
            """
            from safetensors.numpy import load_file
            print(json.dumps({k: dict(shape=v.shape, values=v.ravel().tolist()) for k, v in load_file("\(pack.path)").items()}))
            """)
        let checks = try MetricsPack.verify { key in
            guard let shape = tensors[key]?["shape"] else { throw InputError("no tensor \(key)") }
            return (shape.arrayValue?.compactMap(\.intValue) ?? [], try tensors.numbers("\(key).values"))
        }
        for check in checks { #expect(check.passed, "\(check.key): \(check.error)") }
    }
}
