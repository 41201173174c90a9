import Experiment
import Files
import Foundation
import Metrics
import RunStore
import TestSupport
import Testing

/// Scores in the features of Inception, measured by the stages of a run, against PyTorch and numpy. Weights are random ones.
@Suite struct InceptionSpaceTests {
    private static let files = """
        import numpy as np, sys
        sys.dont_write_bytecode = True
        sys.path.insert(0, sys.argv[1])
        import inception
        from safetensors.torch import save_file
        network = inception.randomize(inception.Inception())
        save_file(network.state_dict(), sys.argv[2] + "/weights.safetensors")
        g = np.random.default_rng(3)
        images = g.integers(0, 256, (14, 16, 16, 3), dtype=np.uint8)
        # Stored statistics are others than those of the images, so that it shows which are taken.
        np.savez(sys.argv[2] + "/reference.npz", arr_0=images, mu=g.normal(size=2048), sigma=np.eye(2048), mu_s=g.normal(size=2023),
                 sigma_s=2 * np.eye(2023))
        """

    private static let peer = """
        import h5py, json, numpy as np, sys, torch
        sys.dont_write_bytecode = True
        sys.path.insert(0, sys.argv[1])
        import inception
        from image_ops import planes, resize
        network = inception.randomize(inception.Inception())
        def run(images):
            x = (resize(torch.from_numpy(images).double(), 299, 299) - 128) / 128
            with torch.no_grad(): return [t.double().numpy() for t in network(planes(x).float())]
        drawn = h5py.File(sys.argv[3])["images"][:]
        reference = np.load(sys.argv[2] + "/reference.npz")
        pool, spatial, logits = run(drawn)
        real, _, _ = run(reference["arr_0"])
        def frechet(x, mean, scale):
            # Of a multiple of the identity: tr (S·s)^½ is √s times the sum of the roots of S's eigenvalues.
            singular = np.linalg.svd((x - x.mean(0)) / (len(x) - 1) ** 0.5, compute_uv=False)
            return ((x.mean(0) - mean) ** 2).sum() + (singular ** 2).sum() + scale * len(mean) - 2 * scale ** 0.5 * singular.sum()
        def inside(points, balls, k=3):
            d = lambda a, b: ((a[:, None] - b[None]) ** 2).sum(-1)
            return (d(points, balls) <= np.sort(d(balls, balls), 1)[:, k][None]).any(1).mean()
        p = np.exp(logits - logits.max(1, keepdims=True)); p /= p.sum(1, keepdims=True)
        n = len(p)
        parts = [p[i * n // 10:(i + 1) * n // 10] for i in range(10)]
        values = {
            "gfid": frechet(pool, reference["mu"], 1.0), "sfid": frechet(spatial, reference["mu_s"], 2.0),
            "is": np.mean([np.exp((q * np.log(q / q.mean(0))).sum(1).mean()) for q in parts]),
            "precision": inside(pool, real), "recall": inside(real, pool),
        }
        print(json.dumps(values))
        """

    @Test func stagesScoreAsInPyTorch() throws {
        let place = try Place()
        let reference = packageRoot.appendingPathComponent("Tests/reference").path
        _ = try python(Self.files, reference, place.folder.path)
        let set = [
            "features.network=inception", "features.weights=\(place.folder.path)/weights.safetensors",
            "scores.reference=\(place.folder.path)/reference.npz", "data.test_count=16", "sampling.settings.cool=null",
            "sampling.count=16", "tuning={enabled: true, scales: [1], count: 4, report_count: 6}",
        ]
        let runner = try place.runner(set: set)
        let outcome = try runner.run()
        #expect(outcome.failed.isEmpty, "\(outcome.failed)")
        let ids = try place.ids(set: set)
        let samples = place.store.stage(id: try #require(ids["samples.nocfg"])).url("samples.h5").path
        let expected = try JSONValue(parsing: Data(python(Self.peer, reference, place.folder.path, samples).utf8))
        let results = try SweepResults(runner.sweep, in: place.store)
        let metrics = try #require(results.arms.first?.runs.first?.metrics)
        for score in ["gfid", "sfid", "is", "precision", "recall"] {
            let (value, peer) = (metrics["\(score)@inception-2015.nocfg"]?.value, expected[score]?.doubleValue)
            let (found, wanted) = (try #require(value, "\(score)"), try #require(peer, "\(score)"))
            #expect(abs(found - wanted) < 1e-3 * abs(wanted) + 1e-9, "\(score): \(found), \(wanted)")
        }
        // Reconstructions are there, since images are; what has no class to compare by is not said.
        for name in ["rfid@inception-2015", "prior_gap@inception-2015.nocfg", "kid@inception-2015.nocfg", "gfid@inception-2015.tuned"] {
            #expect(metrics[name]?.value != nil, "\(name)")
        }
        for name in ["class_agreement@inception-2015.nocfg", "gfid_floor@inception-2015.nocfg", "gfid@shapes-cnn.nocfg"] {
            #expect(metrics[name] == nil, "\(name)")
        }
        let told = try #require(metrics["gfid@inception-2015.nocfg"]?.protocol["published"]?.stringValue)
        #expect(told.hasPrefix("not comparable: 16 samples, not 50000; ") && told.contains("images of 16×16×3"), "\(told)")
        #expect(!told.contains("held-out"), "\(told)")
        #expect(metrics["gfid@inception-2015.nocfg"]?.protocol["reference_count"] == 14)
        #expect(try #require(metrics["is_deviation@inception-2015.nocfg"]?.value) > 0)
        let tuned = try #require(metrics["gfid@inception-2015.tuned"]?.protocol["published"]?.stringValue)
        #expect(tuned.hasPrefix("not comparable: 6 samples, not 50000; ") && tuned.contains("one half"), "\(tuned)")
    }

    /// Inception changes what is compared, nothing that is trained or drawn; studies keep a classifier.
    @Test func modelsAreThoseOfTheClassifiersRun() throws {
        let place = try Place()
        _ = try python(Self.files, packageRoot.appendingPathComponent("Tests/reference").path, place.folder.path)
        let set = ["features.network=inception", "features.weights=\(place.folder.path)/weights.safetensors"]
        let (before, after) = (try place.ids(), try place.ids(set: set))
        for role in ["tokenizer", "tokens", "prior", "samples.nocfg", "probe"] { #expect(after[role] == before[role], "\(role)") }
        for role in ["features", "reconstructions", "scores.nocfg"] { #expect(after[role] != before[role], "\(role)") }
        #expect(after["reference"] == nil)
        let studied = try place.ids(set: set + ["semantics.enabled=true"])
        let plain = try place.ids(set: ["semantics.enabled=true"])
        #expect(studied["completions"] == plain["completions"] && studied["features.classifier"] == plain["features"])
        #expect(try place.ids(set: set + ["scores.more_seeds=[0]"])["features.s0"] == before["features"])
    }

    @Test func whatIsMissingIsNamed() throws {
        let place = try Place()
        func message(_ set: [String]) throws -> String {
            let error = #expect(throws: InputError.self) { _ = try place.runner(set: set).run() }
            return error?.message ?? ""
        }
        #expect(try message(["features.network=inception"]).contains("features.weights"))
        #expect(
            try message(["features.network=inception", "features.weights=/none.safetensors"]).contains(
                "features.weights: /none.safetensors"))
        #expect(try message(["scores.reference=/none.npz"]).contains("features.network"))
    }
}
