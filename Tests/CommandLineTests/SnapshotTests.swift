import Files
import Foundation
import Testing

/// Scores over the training of a prior, and guidance tuned on one half of the held-out images.
@Suite struct SnapshotTests {
    private static let sweep =
        tinySweep + """
            only: arm = 'prologue'
            scores: {snapshot_count: 40}
            tuning: {enabled: true, scales: [1, 2, 4], temperatures: [1, 0.5], count: 40}

            """

    /// Snapshots are the averages of their step, and keeping them changes nothing else.
    @Test func snapshotsAreTheAveragesOfTheirStep() throws {
        let place = try Workplace(sweep: Self.sweep)
        let keeping = ["--set", "prior.snapshots=[10, 20]", "--set", "prior.keep_checkpoints=all"]
        for options in [[], keeping] {
            let ended = try place.start(["train", place.sweep] + options).wait()
            try #require(ended.code == 0, "\(ended.errors)")
        }
        let answer = try place.python(
            """
            import glob, h5py, sys
            from safetensors.numpy import load_file
            folders = glob.glob(sys.argv[1] + "/stages/prior-*")
            assert len(folders) == 2
            kept = [f for f in folders if glob.glob(f + "/snapshot-*")][0]
            plain = [f for f in folders if f != kept][0]
            for name in ("model.safetensors", "model_ema.safetensors"):
                a, b = load_file(f"{kept}/{name}"), load_file(f"{plain}/{name}")
                assert a.keys() == b.keys() and all((a[k] == b[k]).all() for k in a), name
            differ = 0
            for step in (10, 20):
                snapshot = load_file(f"{kept}/snapshot-{step}.safetensors")
                with h5py.File(f"{kept}/checkpoints/step-{step:08}.h5") as f:
                    tensors = {}
                    f.visititems(lambda n, d: tensors.update({n: d[()]}) if isinstance(d, h5py.Dataset) else None)
                averages = [v for n, v in tensors.items() if "average" in n]
                assert len(averages) == len(snapshot), (len(averages), len(snapshot), sorted(tensors)[:5])
                for name, value in snapshot.items():
                    assert any(v.shape == value.shape and (v == value).all() for v in averages), (step, name)
                last = load_file(f"{kept}/model_ema.safetensors")
                differ += any((last[k] != v).any() for k, v in snapshot.items())
            print(differ)
            """)
        #expect(answer == "2", "both differ from the last averages")
    }

    /// The last step's score is that of the same number of ordinary samples; the tuned one follows from stored statistics.
    @Test func scoresOverTrainingAndGuidanceAreWhatTheySay() throws {
        let place = try Workplace(sweep: Self.sweep)
        let ended = try place.start(["sweep", "run", place.sweep, "--set", "prior.snapshots=[10, 20]"]).wait()
        try #require(ended.code == 0, "\(ended.errors)")
        let answer = try place.python(
            """
            import glob, h5py, json, numpy as np, scipy.linalg, sys
            def one(pattern):
                found = glob.glob(sys.argv[1] + "/stages/" + pattern)
                assert len(found) == 1, (pattern, found)
                return found[0]
            def scores(role):
                values = {}
                for path in glob.glob(sys.argv[1] + f"/stages/{role}-*/scores/*.json"):
                    values.update(json.load(open(path))["values"])
                return values
            snapshots, plain, tuned = scores("snapshots"), scores("scores"), scores("tuning")
            for score in ("gfid", "prior_gap"):
                steps = [snapshots[f"{score}@shapes-cnn.nocfg.step-{s}"] for s in (10, 20, 30)]
                assert steps[2] == plain[f"{score}@shapes-cnn.nocfg"] and len(set(steps)) == 3
                assert all(f"{score}@shapes-cnn.uncond.step-{s}" in snapshots for s in (10, 20, 30))

            def frechet(m1, c1, m2, c2):
                return ((m1 - m2) ** 2).sum() + np.trace(c1 + c2 - 2 * scipy.linalg.sqrtm(c1 @ c2).real)
            with h5py.File(one("reconstructions-*/features.h5")) as f:
                real, rebuilt = (f[f"{g}/features"][()].astype(float) for g in ("real", "reconstruction"))
                assert len(real) == len(rebuilt) == 160
            with h5py.File(one("tuning-*/tuning.h5")) as f:
                table = {n: f[n][()] for n in f if n != "report"}
                report = {n: (f[f"report/{n}/mean"][()], f[f"report/{n}/covariance"][()]) for n in f["report"]}
            n = len(table["scale"])
            assert n == 6
            for i in range(n):
                for name, images, half in (("gfid_tuning", real, 0), ("gfid_reported", real, 1), ("prior_gap_reported", rebuilt, 1)):
                    rows = images[half::2]
                    expected = frechet(table["mean"][i], table["covariance"][i], rows.mean(0), np.cov(rows.T))
                    assert abs(table[name][i] - expected) < 1e-3 * max(1, abs(expected)), (name, i, table[name][i], expected)
                t = table["temperature"][i]
                name = f"gfid@shapes-cnn.guidance-{table['scale'][i]:g}" + ("" if t == 1 else f".temperature-{t:g}")
                assert tuned[name] == table["gfid_reported"][i], name
            best = table["gfid_tuning"].argmin()
            coolest = min((g, i) for i, g in enumerate(table["gfid_tuning"]) if table["scale"][i] == 1)[1]
            assert sorted(report) == ["best-temperature", "tuned"]
            for name, (mean, covariance) in report.items():
                for score, images in (("gfid", real), ("prior_gap", rebuilt)):
                    expected = frechet(mean, covariance, images[1::2].mean(0), np.cov(images[1::2].T))
                    found = tuned[f"{score}@shapes-cnn.{name}"]
                    assert abs(found - expected) < 1e-3 * max(1, abs(expected)), (name, score, found, expected)
                # The samples that were chosen by are others.
                assert all(np.abs(mean - m).max() > 0 for m in table["mean"]), name
            assert tuned["tuned.plain_temperature"] == table["temperature"][coolest]
            assert tuned["tuned.scale"] == table["scale"][best] and tuned["tuned.temperature"] == table["temperature"][best]
            print(len(set(table["gfid_reported"])))
            """)
        #expect(answer == "6", "every candidate draws other samples")
        let report = try place.run("report", place.sweep, "--set", "prior.snapshots=[10, 20]", "--output", place.folder.path)
        #expect(report.code == 0, "\(report.errors)")
        let text = try String(contentsOf: place.folder.appendingPathComponent("report.md"), encoding: .utf8)
        #expect(text.contains("gFID nocfg over training steps of the prior"))
        #expect(text.contains("gFID over guidance scale"))
    }

    @Test func snapshotsMustBeInOrderAndBeforeTheEnd() throws {
        let place = try Workplace(sweep: Self.sweep)
        let late = try place.run("sweep", "plan", place.sweep, "--set", "prior.snapshots=[10, 30]")
        #expect(late.code == 2 && late.errors.contains("30 is not below prior.steps 30"), "\(late.errors)")
        let mixed = try place.run("sweep", "plan", place.sweep, "--set", "prior.snapshots=[20, 10]")
        #expect(mixed.code == 2 && mixed.errors.contains("increasing order"), "\(mixed.errors)")
        let empty = try place.run("sweep", "plan", place.sweep, "--set", "tuning.scales=[]")
        #expect(empty.code == 2 && empty.errors.contains("tuning.scales"), "\(empty.errors)")
    }
}
