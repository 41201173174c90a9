import Files
import Foundation
import TestSupport
import Testing

/// Images scored through the Inception network, against PyTorch and numpy.
@Suite struct InceptionScoreTests {
    /// Writes weights, a reference with images and stored statistics, samples in two forms; prints what they score.
    private static let peer = """
        import h5py, numpy as np, sys, torch
        sys.dont_write_bytecode = True
        sys.path.insert(0, "REFERENCE")
        import inception
        from image_ops import planes, resize
        from safetensors.torch import save_file
        network = inception.randomize(inception.Inception())
        save_file(network.state_dict(), "weights.safetensors")
        g = np.random.default_rng(1)
        def draw(n, top):
            coarse = torch.from_numpy(g.integers(0, top, (n, 5, 5, 3), dtype=np.uint8).astype("f8"))
            return resize(coarse, 20, 20).numpy().astype("u1")
        def run(images):
            x = (resize(torch.from_numpy(images).double(), 299, 299) - 128) / 128
            with torch.no_grad(): return [t.double().numpy() for t in network(planes(x).float())]
        real, drawn = draw(6, 256), draw(12, 200)
        (pool_r, spatial_r, _), (pool, spatial, logits) = run(real), run(drawn)
        shifted = pool_r.mean(0) + 0.01
        np.savez("reference.npz", arr_0=real, mu=shifted, sigma=np.cov(pool_r, rowvar=False), mu_s=spatial_r.mean(0),
                 sigma_s=np.cov(spatial_r, rowvar=False))
        np.savez_compressed("samples.npz", arr_0=drawn)
        with h5py.File("samples.h5", "w") as f: f["images"] = drawn
        def frechet(x, mean, y):
            # tr (S T)^½ is the sum of the singular values of the product of the centred features.
            a, b = ((v - v.mean(0)) / (len(v) - 1) ** 0.5 for v in (x, y))
            return ((x.mean(0) - mean) ** 2).sum() + (a ** 2).sum() + (b ** 2).sum() - 2 * np.linalg.svd(a @ b.T)[1].sum()
        def inside(points, balls, k=3):
            d = lambda a, b: ((a[:, None] - b[None]) ** 2).sum(-1)
            return (d(points, balls) <= np.sort(d(balls, balls), 1)[:, k][None]).any(1).mean()
        p = np.exp(logits - logits.max(1, keepdims=True)); p /= p.sum(1, keepdims=True)
        parts = [p[i * 12 // 10:(i + 1) * 12 // 10] for i in range(10)]
        print(frechet(pool, shifted, pool_r), frechet(spatial, spatial_r.mean(0), spatial_r))
        print(np.mean([np.exp((q * np.log(q / q.mean(0))).sum(1).mean()) for q in parts]))
        print(inside(pool, pool_r), inside(pool_r, pool))
        """

    @Test func imagesScoreAsInPyTorch() throws {
        let place = try Workplace()
        let reference = packageRoot.appendingPathComponent("Tests/reference").path
        let expected = try place.python(Self.peer.replacing("REFERENCE", with: reference))
            .split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
        try #require(expected.count == 5)
        let weights = sha256(try Data(contentsOf: place.folder.appendingPathComponent("weights.safetensors")))
        // Without precision and recall the reference's images are not looked at, its statistics are.
        for (samples, options) in [("samples.npz", []), ("samples.h5", ["--without-precision-recall"])] {
            let result = try place.json(
                ["score", "reference.npz", samples, "--inception", "weights.safetensors", "--quiet", "--json"] + options)
            let row = try #require(result["rows"]?.arrayValue?.first)
            for (key, value) in zip(["frechet", "spatial_frechet", "inception_score"], expected) {
                let found = try #require(row[key]?.doubleValue, "\(key)")
                #expect(abs(found - value) < 1e-3 * value, "\(samples) \(key): \(found), \(value)")
            }
            let isWhole = options.isEmpty
            #expect(row["precision"]?.doubleValue == (isWhole ? expected[3] : nil))
            #expect(row["recall"]?.doubleValue == (isWhole ? expected[4] : nil))
            #expect(row["count"]?.intValue == 12 && row["reference_count"]?.intValue == (isWhole ? 6 : nil))
            #expect(result[path: "protocol.inception.sha256"]?.stringValue == weights)
            #expect(result[path: "protocol.reference.statistics"]?.stringValue == "stored")
        }

        let without = try place.run("score", "reference.npz", "samples.npz")
        #expect(without.code == 2 && without.errors.contains("--inception"), "\(without.errors)")
        let wrong = try place.run("score", "reference.npz", "samples.npz", "--inception", "none.safetensors")
        #expect(wrong.code == 2 && wrong.errors.contains("none.safetensors"), "\(wrong.errors)")
    }
}
