import Files
import Foundation
import Testing

/// Scores of a finished run, computed again by torch and numpy from the weights and samples in the store.
@Suite struct SampleScoreTests {
    private static let peer = """
        import h5py, json, numpy as np, sys, torch
        import torch.nn.functional as F
        from safetensors.torch import load_file

        def network(path):
            w = load_file(path)
            def run(images):
                x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
                maps = []
                for i in range(3):
                    k = w[f"conv{i}.weight"]
                    k = k.reshape(len(k), 3, 3, -1).permute(0, 3, 1, 2)
                    x = F.relu(F.conv2d(x, k, w[f"conv{i}.bias"], stride=2, padding=1))
                    maps.append(x)
                pooled = F.relu(F.linear(x.permute(0, 2, 3, 1).flatten(1), w["hidden.weight"], w["hidden.bias"]))
                logits = F.linear(pooled, w["head.weight"], w["head.bias"])
                second = maps[1][:, :7]
                spatial = F.adaptive_avg_pool2d(second, [min(8, s) for s in second.shape[2:]]).permute(0, 2, 3, 1)
                return pooled.double().numpy(), spatial.flatten(1).double().numpy(), logits.double().softmax(1).numpy()
            return run

        def frechet(x, mean, covariance):
            mu, s = x.mean(0), np.cov(x, rowvar=False)
            # The trace of a root is the sum of the roots of the eigenvalues, which rounding may leave below zero.
            roots = np.sqrt(np.clip(np.linalg.eigvals(s @ covariance).real, 0, None))
            return ((mu - mean) ** 2).sum() + np.trace(s + covariance) - 2 * roots.sum()

        def inside(points, balls, k=3):
            d = lambda a, b: ((a[:, None] - b[None]) ** 2).sum(-1)
            return (d(points, balls) <= np.sort(d(balls, balls), 1)[:, k][None]).any(1).mean()

        def inception(p, splits=10):
            parts = [p[i * len(p) // splits:(i + 1) * len(p) // splits] for i in range(splits)]
            return np.mean([np.exp((q * np.log(q / q.mean(0))).sum(1).mean()) for q in parts])

        """

    @Test(arguments: ["nocfg", "cfg"])
    func scoresOfSamplesAreThoseOfTorchAndNumpy(_ sampler: String) throws {
        let place = try finishedSweep.get().place
        let run = try place.json("runs", "show", "tiny-prologue", "--json")
        let stages = try #require(run["stages"]?.arrayValue)
        func id(_ role: String) throws -> String {
            try #require(stages.first { $0["role"]?.stringValue == role }?["id"]?.stringValue)
        }
        let checked = try place.python(
            Self.peer + """

                stage = lambda id: sys.argv[1] + "/stages/" + id
                run = network(stage("\(try id("features"))") + "/model.safetensors")
                with h5py.File(stage("\(try id("samples.\(sampler)"))") + "/samples.h5") as f: images = f["images"][:]
                with h5py.File(stage("\(try id("reconstructions"))") + "/features.h5") as f:
                    real = f["real/features"][:].astype("f8")
                    ref = {k: f[k][:] for k in ["real/mean", "real/covariance", "real/spatial_mean", "real/spatial_covariance",
                        "reconstruction/mean", "reconstruction/covariance"]}
                assert np.allclose(real.mean(0), ref["real/mean"]) and np.allclose(np.cov(real, rowvar=False), ref["real/covariance"])
                pooled, spatial, p = run(images)
                assert spatial.shape == (len(images), 4 * 4 * 7), spatial.shape
                expected = {
                    "gfid": frechet(pooled, ref["real/mean"], ref["real/covariance"]),
                    "prior_gap": frechet(pooled, ref["reconstruction/mean"], ref["reconstruction/covariance"]),
                    "sfid": frechet(spatial, ref["real/spatial_mean"], ref["real/spatial_covariance"]),
                    "is": inception(p), "precision": inside(pooled, real), "recall": inside(real, pooled),
                }
                content = json.load(open(stage("\(try id("scores.\(sampler)"))") + "/scores/shapes-cnn.\(sampler).json"))
                assert content["protocol"]["splits"] == 10 and content["protocol"]["neighbours"] == 3
                for name, value in expected.items():
                    found = content["values"][name + "@shapes-cnn.\(sampler)"]
                    # A neighbour on the edge of a ball may fall to either side in float32.
                    near = 0.03 if name in ("precision", "recall") else 1e-3 * abs(value) + 1e-6
                    assert abs(found - value) <= near, (name, found, value)
                assert expected["is"] > 1 and expected["sfid"] > 0, expected
                print(len(expected))
                """)
        #expect(checked == "6")
    }

    /// Whatever is measured is compared: by its usual name, with the better end known.
    @Test func theyAreStoredIndexedAndCompared() throws {
        let place = try finishedSweep.get().place
        let run = try place.json("runs", "show", "tiny-prologue", "--json")
        let names = Set(try #require(run["metrics"]?.arrayValue).compactMap { $0["name"]?.stringValue })
        let expected = [
            "is@shapes-cnn.nocfg", "precision@shapes-cnn.nocfg", "recall@shapes-cnn.nocfg", "sfid@shapes-cnn.nocfg",
            "rsfid@shapes-cnn", "l1@pixels", "psnr@pixels", "ssim@pixels", "fid_floor@shapes-cnn", "is_real@shapes-cnn",
        ]
        for name in expected { #expect(names.contains(name), "\(name) in \(names.sorted())") }
        #expect(names.isDisjoint(with: ["l1", "fid_floor"]))
        let compared = try place.run(
            "compare", place.sweep, "--metric", "precision.nocfg", "--metric", "psnr", "--metric", "is.nocfg")
        #expect(compared.code == 0, "\(compared.errors)")
        for part in ["precision", "PSNR", "IS"] { #expect(compared.output.contains(part), "\(compared.output)") }
    }
}
