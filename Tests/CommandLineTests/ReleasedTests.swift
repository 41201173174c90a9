import Files
import Foundation
import TestSupport
import Testing

/// `Experiments/07-released`, with folders of the published layout: tiny networks of random weights.
@Suite struct ReleasedTests {
    private static let experiment = packageRoot.appendingPathComponent("Experiments/07-released/sweep.yaml").path

    /// Folders called as published ones, of what two short trainings left, without any note of where they are from; random Inception weights
    /// and a small reference.
    private static let files = """
        import glob, numpy as np, os, shutil, sys
        sys.dont_write_bytecode = True
        sys.path.insert(0, "REFERENCE")
        import inception
        from safetensors.torch import load_file, save_file
        names = {"prologue": ("Prologue_Tokenizer-Base", "prologue-b-AR-B"), "baseline-2d": ("tokenizer-2d", "ar-2d-b")}
        for run in os.listdir("out"):
            kind = "baseline-2d" if "baseline" in run else "prologue"
            for part, name in zip(["tokenizer", "prior"], names[kind]):
                shutil.copytree(f"out/{run}/{part}", f"checkpoints/{name}")
        for file in glob.glob("checkpoints/*/*.safetensors"): save_file(load_file(file), file)
        save_file(inception.randomize(inception.Inception()).state_dict(), "inception.safetensors")
        g = np.random.default_rng(0)
        np.savez("reference.npz", arr_0=g.integers(0, 256, (12, 24, 24, 3), dtype=np.uint8), mu=g.normal(size=2048), sigma=np.eye(2048),
                 mu_s=g.normal(size=2023), sigma_s=np.eye(2023))
        """

    @Test func theTableHasPublishedValuesBesideOurs() throws {
        let arms = "arms: {baseline: {tokenizer.variant: baseline-2d}, prologue: {tokenizer.variant: prologue}}\n"
        let place = try Workplace(
            sweep: tinyRun(images: 160, steps: 4, samples: 10, "probe: {enabled: false}\nresample: {enabled: false}\n" + arms))
        try #require(place.run("train", place.sweep).code == 0)
        for run in try FileManager.default.contentsOfDirectory(atPath: place.store.appendingPathComponent("runs").path) {
            try #require(place.run("export", "checkpoint", run, "out/\(run)").code == 0)
        }
        _ = try place.python(Self.files.replacing("REFERENCE", with: packageRoot.appendingPathComponent("Tests/reference").path))
        // Two samples of each class, so that noise can be resampled; 64 pixels and 256 tokens, as tensors without notes say.
        let arguments =
            ["sweep", "run", Self.experiment, "--quiet"]
            + [
                "checkpoints=checkpoints", "features.weights=inception.safetensors", "scores.reference=reference.npz", "sampling.count=20",
                "data.image_size=64", "seeds=[0]",
            ].flatMap { ["--set", $0] }
        let ended = try place.start(arguments).wait()
        #expect(ended.code == 0, "\(ended.errors)")
        let compared = try place.json(["compare"] + arguments[2...].filter { $0 != "--quiet" } + ["--json"])
        let rows = try #require(compared[path: "published.rows"]?.arrayValue)
        func row(_ arm: String, _ score: String) throws -> JSONValue {
            try #require(rows.first { $0["arm"]?.stringValue == arm && $0["score"]?.stringValue == score }, "\(arm) \(score)")
        }
        for (arm, score, published) in [("b-b", "gfid.cfg", 4.11), ("2d-b", "gfid.tuned", 21.01), ("b-b", "precision.cfg", 0.83)] {
            let row = try row(arm, score)
            #expect(row["published"]?.doubleValue == published)
            let (ours, deviation) = (try #require(row["ours"]?.doubleValue), try #require(row["deviation"]?.doubleValue))
            #expect(abs(ours - published - deviation) < 1e-9)
            #expect(try #require(row["allowed"]?.doubleValue) > 0)
            // So few samples of so small images compare with nothing.
            #expect(row["verdict"]?.stringValue == "not comparable")
        }
        let absent = try row("l-xl", "gfid.cfg")
        #expect(absent["published"]?.doubleValue == 1.46 && absent["ours"]?.doubleValue == nil)
        #expect(absent["verdict"]?.stringValue == "no checkpoint")
        let notes = compared[path: "published.footnotes"]?.arrayValue?.compactMap(\.stringValue) ?? []
        #expect(notes.contains { $0.hasPrefix("l-xl: ") && $0.contains("tokenizer-l") }, "\(notes)")
        #expect(notes.contains { $0.contains("20 samples, not 50000") }, "\(notes)")

        let none = try place.run("sweep", "plan", Self.experiment)
        #expect(none.code == 2 && none.errors.contains("--set checkpoints=FOLDER"), "\(none.errors)")
        let twice = try place.python("import shutil; shutil.copytree('checkpoints/ar-2d-b', 'checkpoints/AR_2D_Base')")
        #expect(twice.isEmpty)
        let ambiguous = try place.run("sweep", "plan", Self.experiment, "--set", "checkpoints=checkpoints")
        #expect(ambiguous.code == 2 && ambiguous.errors.contains("AR_2D_Base and ar-2d-b"), "\(ambiguous.errors)")
    }
}
