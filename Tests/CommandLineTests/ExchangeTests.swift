import Files
import Foundation
import Testing

/// Files that come from other programs, and files for other programs.
@Suite struct ExchangeTests {
    /// Two sets of features with known statistics, in every form that is taken.
    private static let makeFeatures = """
        import h5py, numpy, os
        g = numpy.random.default_rng(3)
        mix = g.normal(size=(6, 6))
        real = (g.normal(size=(150, 6)) @ mix).astype("f4")
        drawn = (g.normal(size=(130, 6)) @ mix * 0.8 + 0.3).astype("f4")
        numpy.savez("real.npz", features=real)
        numpy.savez_compressed("drawn.npz", features=drawn.astype("f8"))
        real64 = real.astype("f8")
        mu, sigma = real64.mean(0), numpy.cov(real64, rowvar=False)
        numpy.savez("statistics.npz", arr_0=numpy.zeros((1, 4, 4, 3), "u1"), mu=mu, sigma=sigma)
        with h5py.File("statistics.h5", "w") as f: f["mean"], f["covariance"] = mu, sigma
        with h5py.File("drawn.h5", "w") as f: f["features"] = drawn
        places = [(g.normal(size=(n, 9)) * g.uniform(0.5, 2, 9) + shift).astype("f4") for n, shift in [(150, 0), (130, 0.4)]]
        mu_s, sigma_s = places[0].astype("f8").mean(0), numpy.cov(places[0].astype("f8"), rowvar=False)
        numpy.savez("reference.npz", features=real, mu=mu, sigma=sigma, mu_s=mu_s, sigma_s=sigma_s)
        with h5py.File("reference.h5", "w") as f:
            f["mean"], f["covariance"], f["spatial_mean"], f["spatial_covariance"] = mu, sigma, mu_s, sigma_s
        logits = g.normal(size=(130, 7)) * 2
        numpy.savez("all.npz", features=drawn, spatial=places[1], logits=logits.astype("f4"))
        p = numpy.exp(logits.astype("f4").astype("f8")); p /= p.sum(1, keepdims=True)
        with h5py.File("all.h5", "w") as f: f["features"], f["spatial"], f["probabilities"] = drawn, places[1], p
        """

    /// Fréchet distance by a matrix square root, precision and recall by all distances.
    private static let peer = """
        import numpy, scipy.linalg
        real, drawn = numpy.load("real.npz")["features"].astype("f8"), numpy.load("drawn.npz")["features"]
        step = drawn.mean(0) - real.mean(0)
        a, b = numpy.cov(drawn, rowvar=False), numpy.cov(real, rowvar=False)
        print(step @ step + numpy.trace(a + b - 2 * scipy.linalg.sqrtm(a @ b).real))
        def distances(x, y): return ((x[:, None] - y[None]) ** 2).sum(-1)
        def inside(points, balls): # the row itself is at distance 0, so the third neighbour has index 3
            radii = numpy.sort(distances(balls, balls), 1)[:, 3]
            return (distances(points, balls) <= radii[None]).any(1).mean()
        print(inside(drawn, real)); print(inside(real, drawn))
        """

    @Test func scoresAgreeWithScipyWhateverTheForm() throws {
        let place = try Workplace()
        let expected = try place.python(Self.makeFeatures + "\n" + Self.peer).split(separator: "\n").compactMap { Double($0) }
        try #require(expected.count == 3)
        try #require(expected[1] > 0.1 && expected[1] < 1 && expected[1] != expected[2], "a case that tells them apart")
        for (reference, samples) in [
            ("real.npz", "drawn.npz"), ("real.npz", "drawn.h5"), ("statistics.npz", "drawn.npz"),
            ("statistics.h5", "drawn.h5"),
        ] {
            let result = try place.json("score", reference, samples, "--json")
            let row = try #require(result["rows"]?.arrayValue?.first)
            let distance = try #require(row["frechet"]?.doubleValue)
            #expect(abs(distance - expected[0]) < 1e-6 * expected[0], "\(reference) \(samples): \(distance)")
            if reference == "real.npz" {
                #expect(row["precision"]?.doubleValue == expected[1] && row["recall"]?.doubleValue == expected[2])
            } else {
                #expect(row["precision"] == .null && row["recall"] == .null)
                let notes = try #require(result["footnotes"]?.arrayValue).compactMap(\.stringValue)
                #expect(notes.contains { $0.contains(reference) && $0.contains("statistics only") }, "\(notes)")
            }
            let digest = sha256(try Data(contentsOf: place.folder.appendingPathComponent(reference)))
            #expect(result[path: "protocol.reference.sha256"]?.stringValue == digest)
        }
        let text = try place.run("score", "statistics.npz", "drawn.npz").output
        #expect(text.contains("–") && text.contains("statistics only"), "\(text)")
    }

    /// sFID and inception score, from statistics, features, logits or probabilities.
    @Test func spatialDistanceAndInceptionScoreAgreeWithScipy() throws {
        let place = try Workplace()
        let expected = try place.python(
            Self.makeFeatures + """

                from scipy.linalg import sqrtm
                from scipy.special import rel_entr
                x = places[1].astype("f8")
                s = numpy.cov(x, rowvar=False)
                print(((x.mean(0) - mu_s) ** 2).sum() + numpy.trace(s + sigma_s - 2 * sqrtm(s @ sigma_s).real))
                print(numpy.mean([numpy.exp(rel_entr(q, q.mean(0)).sum(1).mean()) for q in numpy.split(p, 10)]))
                """
        ).split(separator: "\n").compactMap { Double($0) }
        try #require(expected.count == 2)
        for (reference, samples) in [
            ("reference.npz", "all.npz"), ("reference.npz", "all.h5"), ("reference.h5", "all.npz"),
        ] {
            let row = try #require(try place.json("score", reference, samples, "--json")["rows"]?.arrayValue?.first)
            for (key, value) in zip(["spatial_frechet", "inception_score"], expected) {
                let found = try #require(row[key]?.doubleValue)
                #expect(abs(found - value) < 1e-6 * value, "\(reference) \(samples) \(key): \(found), \(value)")
            }
        }
        let without = try place.json("score", "reference.npz", "drawn.npz", "--json")
        let row = try #require(without["rows"]?.arrayValue?.first)
        #expect(row["spatial_frechet"] == .null && row["inception_score"] == .null, "missing is never 0")
        let notes = try #require(without["footnotes"]?.arrayValue).compactMap(\.stringValue)
        #expect(notes.contains { $0.contains("keep places") } && notes.contains { $0.contains("'logits'") }, "\(notes)")
    }

    @Test func filesThatCannotBeScoredAreNamed() throws {
        let place = try Workplace()
        _ = try place.python(
            Self.makeFeatures + """

                numpy.savez("images.npz", arr_0=numpy.zeros((2, 4, 4, 3), "u1"))
                numpy.savez("half.npz", mu=mu)
                numpy.savez("flat.npz", features=numpy.ones(5))
                numpy.savez("complex.npz", features=numpy.ones((5, 6), "c8"))
                numpy.savez("crooked.npz", mu=mu, sigma=sigma[:, :3])
                numpy.savez("narrow.npz", features=real[:, :4])
                numpy.savez("nan.npz", features=real * numpy.nan)
                numpy.savez("one.npz", features=real[:1])
                numpy.savez("half_s.npz", features=real, mu_s=mu_s)
                open("cut.npz", "wb").write(open("real.npz", "rb").read()[:-40])
                """)
        for (file, says) in [
            ("images.npz", "Inception weights"), ("half.npz", "sigma"), ("half_s.npz", "sigma_s"), ("flat.npz", "[images, features]"),
            ("complex.npz", "complex"), ("crooked.npz", "[d, d]"), ("narrow.npz", "of 4: they cannot"), ("nan.npz", "finite"),
            ("one.npz", "at least 2"), ("cut.npz", "truncated"), ("none.npz", "none.npz"), ("sweep.yaml", ".npz or .h5"),
        ] {
            let ended = try place.run("score", "real.npz", file)
            #expect(ended.code == 2 && !ended.wasKilled && ended.output.isEmpty, "\(file): \(ended)")
            #expect(ended.errors.contains(file) && ended.errors.contains(says), "\(file): \(ended.errors)")
        }
    }

    /// Every parameter is in the file where method §3.13 puts it, without its prefix, bit by bit.
    @Test(arguments: ["baseline", "prologue"])
    func exportedCheckpointsHoldEveryParameter(_ arm: String) throws {
        let place = try finishedSweep.get().place
        let ended = try place.run("export", "checkpoint", "tiny-\(arm)", "released-\(arm)")
        #expect(ended.code == 0, "\(ended.errors)")
        let stages = try #require(try place.json("runs", "show", "tiny-\(arm)", "--json")["stages"]?.arrayValue)
        func id(_ role: String) throws -> String {
            try #require(stages.first { $0["role"]?.stringValue == role }?["id"]?.stringValue)
        }
        let seen = try place.python(
            """
            import os, sys
            from safetensors.numpy import load_file
            out = "released-\(arm)"
            layout = {
                ("tokenizer", "\(try id("tokenizer"))"): {
                    "encoder": ("model", "model_2"), "decoder": ("model_1", "model_3"), "ar": ("model_5", "model_6")},
                ("prior", "\(try id("prior"))"): {"ar": ("model", "model_1")},
            }
            count = 0
            for (folder, stage), networks in layout.items():
                written = {f[:-12]: load_file(f"{out}/{folder}/{f}") for f in os.listdir(f"{out}/{folder}")}
                for which, source in enumerate(["model", "model_ema"]):
                    own = load_file(f"{sys.argv[1]}/stages/{stage}/{source}.safetensors")
                    for name, value in own.items():
                        prefix, rest = name.split(".", 1)
                        found = written[networks[prefix][which]].pop(rest)
                        assert found.dtype == value.dtype and found.tobytes() == value.tobytes(), name
                        count += 1
                assert not any(written.values()), {k: list(v) for k, v in written.items() if v}
                print(folder, *sorted(written))
            assert count > 100
            """)
        let joint = arm == "prologue" ? " model_5 model_6" : ""
        #expect(seen == "tokenizer model model_1 model_2 model_3\(joint)\nprior model model_1")
    }

    @Test func numpyReadsExportedSamples() throws {
        let place = try finishedSweep.get().place
        for arguments in [
            ["--out", "sorted.npz"], ["--out", "shuffled.npz", "--shuffle", "7"], ["--out", "other.npz", "--shuffle", "8"],
        ] {
            let ended = try place.start(["export", "samples", "tiny-prologue", "--sampler", "cfg"] + arguments).wait()
            #expect(ended.code == 0, "\(ended.errors)")
        }
        let stages = try #require(try place.json("runs", "show", "tiny-prologue", "--json")["stages"]?.arrayValue)
        let stage = try #require(stages.first { $0["role"] == "samples.cfg" }?["id"]?.stringValue)
        let seen = try place.python(
            """
            import h5py, numpy, sys
            with h5py.File(sys.argv[1] + "/stages/\(stage)/samples.h5") as f: images, labels = f["images"][:], f["labels"][:]
            n = len(labels)
            for name in ["sorted", "shuffled", "other"]:
                a = numpy.load(name + ".npz")
                assert a["arr_0"].dtype == numpy.uint8 and a["arr_0"].shape == (n, 16, 16, 3), a["arr_0"].shape
                assert sorted(a["order"]) == list(range(n))
                assert (a["arr_0"] == images[a["order"]]).all() and (a["arr_1"] == labels[a["order"]]).all()
            a, b, c = (numpy.load(name + ".npz") for name in ["sorted", "shuffled", "other"])
            assert (numpy.diff(a["arr_1"]) >= 0).all() and "shuffle_seed" not in a.files
            assert b["shuffle_seed"] == 7 and c["shuffle_seed"] == 8 and (b["order"] != c["order"]).any()
            assert (numpy.diff(b["arr_1"]) < 0).any()
            print(n)
            """)
        #expect(seen == "40")
        let wrong = try place.run("export", "samples", "tiny-prologue", "--sampler", "cgf", "--out", "x.npz")
        #expect(wrong.code == 2 && wrong.errors.contains("did you mean 'cfg'?"), "\(wrong.errors)")
        let odd = try place.run("export", "samples", "tiny-prologue", "--sampler", "cfg", "--out", "x.png")
        #expect(odd.code == 2 && odd.errors.contains(".npz"), "\(odd.errors)")
    }
}
