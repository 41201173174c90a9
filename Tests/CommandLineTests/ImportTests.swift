import Files
import Foundation
import Testing

/// Checkpoints that leave the store and come back, and those that must not come in.
@Suite struct ImportTests {
    private static let sweep = tinyRun(
        images: 320, steps: 10, samples: 20,
        "probe: {train_count: 160, l2_grid: [0.001, 0.1]}\nresample: {rows: 2, columns: 2}")

    /// Every tensor of every kind of tokenizer and of its AR model is the same bytes after export and import.
    @Test func importAfterExportIsTheIdentity() throws {
        let variants = "axes: {tokenizer.variant: [baseline-1d, baseline-2d, prologue, prologue-post, prologue-onestage]}\n"
        let place = try Workplace(sweep: Self.sweep + variants)
        try Self.roundTrip(place, runs: 5, tensors: 500)
        let imported = try #require(Self.runs(place).first { $0.hasPrefix("imported") })
        let garbage = try place.json("gc", "--json")
        #expect(garbage["items"]?.arrayValue?.isEmpty == true, "\(garbage)")
        #expect(try place.run("sample", imported, "--count", "4").code == 0)
        let probed = try place.run("probe", imported)
        #expect(probed.code == 2 && probed.errors.contains("tokenizer.from"), "\(probed.errors)")
    }

    /// What tensors do not tell of quantizers, places and EOS comes back from what the export noted, and only from there.
    @Test func notesSayWhatTensorsDoNot() throws {
        let place = try Workplace(
            sweep: Self.sweep + """
                arms:
                  signs: {tokenizer: {visual_quantizer: lfq, prologue_quantizer: gumbel}}
                  grid:
                    tokenizer:
                      {visual_quantizer: fsq, codebook: 12, visual_levels: [3, 4], prologue_quantizer: lfq, prologue_encoder: separate,
                       eos: false, visual_dropout: 0, joint_ar: {positions: hybrid}}
                    prior: {positions: hybrid}

                """)
        try Self.roundTrip(place, runs: 2, tensors: 100)
        let kept = try place.python(Self.settings)
        #expect(kept == "fsq [3, 4] lfq separate False hybrid hybrid\nlfq gumbel", "\(kept)")

        let run = try #require(Self.runs(place).first { !$0.hasPrefix("imported") })
        _ = try place.python(
            """
            import glob, shutil
            from safetensors.torch import load_file, save_file
            shutil.copytree("out/\(run)", "bare")
            for file in glob.glob("bare/*/*.safetensors"): save_file(load_file(file), file)
            """)
        let bare = try place.run("import", "bare")
        #expect(bare.code == 2 && bare.errors.contains("nothing in the file says which"), "\(bare.errors)")
    }

    private static let settings = """
        import json, os, sys
        lines = []
        for run in os.listdir(sys.argv[1] + "/runs"):
            if not run.startswith("imported"): continue
            config = json.load(open(f"{sys.argv[1]}/runs/{run}/run.json"))["config"]
            t, joint, prior = config["tokenizer"], config["tokenizer"]["joint_ar"]["positions"], config["prior"]["positions"]
            if t["visual_quantizer"] == "fsq":
                lines.append(f"fsq {t['visual_levels']} {t['prologue_quantizer']} {t['prologue_encoder']} {t['eos']} {joint} {prior}")
            else: lines.append(f"{t['visual_quantizer']} {t['prologue_quantizer']}")
        print("\\n".join(sorted(lines)))
        """

    private static func runs(_ place: Workplace) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: place.store.appendingPathComponent("runs").path).sorted()
    }

    /// Trains, exports, imports, and compares at least so many tensors.
    private static func roundTrip(_ place: Workplace, runs count: Int, tensors: Int) throws {
        let trained = try place.run("train", place.sweep)
        try #require(trained.code == 0, "\(trained.errors)")
        let runs = try runs(place)
        #expect(runs.count == count)
        for run in runs {
            _ = try place.run("export", "checkpoint", run, "out/\(run)")
            let text = try place.start(["import", "out/\(run)", "--json"]).wait()
            try #require(text.code == 0, "\(run): \(text.errors)")
            try Data(text.output.utf8).write(to: place.folder.appendingPathComponent("\(run).json"))
        }
        let compared = try place.python(compare)
        #expect(try #require(Int(compared)) > tensors)
    }

    private static let compare = """
        import json, os, sys
        from safetensors.numpy import load_file
        store, count = sys.argv[1], 0
        for run in os.listdir(store + "/runs"):
            if run.startswith("imported"): continue
            stages = json.load(open(f"{store}/runs/{run}/run.json"))["stages"]
            imported = {row["role"]: row["id"] for row in json.load(open(run + ".json"))["rows"]}
            for role in ["tokenizer", "prior"]:
                for name in ["model", "model_ema"]:
                    a, b = (f"{store}/stages/{s[role]}/{name}.safetensors" for s in [stages, imported])
                    assert os.path.exists(a) == os.path.exists(b), (a, b)
                    if not os.path.exists(a): continue
                    x, y = load_file(a), load_file(b)
                    assert x.keys() == y.keys() and all(x[k].tobytes() == y[k].tobytes() for k in x), (a, b)
                    count += len(x)
        print(count)
        """

    /// The weights that training left, as if they were the averaged ones of another checkpoint.
    @Test func rawWeightsAreTakenWhereAskedFor() throws {
        let place = try Workplace(sweep: Self.sweep)
        try #require(try place.run("train", place.sweep).code == 0)
        let run = try #require(Self.runs(place).first)
        _ = try place.run("export", "checkpoint", run, "good")
        _ = try place.python(
            """
            import shutil
            shutil.copytree("good", "swapped")
            for part, raw, averaged in [("tokenizer", "", "_2"), ("tokenizer", "_1", "_3"), ("tokenizer", "_5", "_6"), ("prior", "", "_1")]:
                shutil.copy(f"good/{part}/model{raw}.safetensors", f"swapped/{part}/model{averaged}.safetensors")
            """)
        for (name, arguments) in [("ema", ["good"]), ("raw", ["good", "--weights", "raw"]), ("swapped", ["swapped"])] {
            let imported = try place.json(["import", "--name", name, "--json"] + arguments)
            let rows = try #require(imported["rows"]?.arrayValue)
            let id = try #require(rows.first { $0["role"] == "run" }?["id"]?.stringValue)
            let drawn = try place.run("sample", id, "--count", "8")
            try #require(drawn.code == 0, "\(drawn.errors)")
            let path = try #require(drawn.output.split(whereSeparator: \.isWhitespace).first { $0.hasSuffix("samples.h5") })
            try Data(contentsOf: URL(fileURLWithPath: String(path), relativeTo: place.folder))
                .write(to: place.folder.appendingPathComponent("\(name).h5"))
        }
        let same = try place.python(
            """
            import h5py
            a, b, c = (h5py.File(n + ".h5")["images"][:].tobytes() for n in ["ema", "raw", "swapped"])
            print(a == b, b == c)
            """)
        #expect(same == "False True")
    }

    /// The file that a stage keeps, networks under prefixes, is a checkpoint too.
    @Test func oneFileOfSeveralNetworksIsTaken() throws {
        let place = try Workplace(sweep: Self.sweep)
        try #require(try place.run("train", place.sweep).code == 0)
        let made = try #require(place.stages("tokenizer").first)
        let file = made.appendingPathComponent("model_ema.safetensors").path
        let imported = try place.json("import", file, "--image-size", "16", "--json")
        let id = try #require(imported["rows"]?.arrayValue?.first { $0["role"] == "tokenizer" }?["id"]?.stringValue)
        #expect(id != made.lastPathComponent)
        let same = try place.python(
            """
            import sys
            from safetensors.numpy import load_file
            x, y = load_file("\(file)"), load_file(sys.argv[1] + "/stages/\(id)/model_ema.safetensors")
            print(len(x) > 50, x.keys() == y.keys() and all(x[k].tobytes() == y[k].tobytes() for k in x))
            """)
        #expect(same == "True True")
        // A prior trained on its tokens has the same images to train on: this is the same tokenizer.
        try Data((Self.sweep + "tokenizer.from: \(id)\n").utf8).write(to: place.folder.appendingPathComponent("more.yaml"))
        let more = try place.run("train", "more.yaml")
        try #require(more.code == 0, "\(more.errors)")
        let losses = place.stages("prior").map { $0.appendingPathComponent("model.safetensors").path }
        let equal = try place.python(
            """
            a, b = (open(p, "rb").read() for p in \(losses))
            print(a == b)
            """)
        #expect(losses.count == 2 && equal == "True")
    }

    /// A tokenizer and an AR model from elsewhere: prefixed names, buffers, half precision; and what is wrong with each
    /// of the others.
    @Test func mistakesAreNamed() throws {
        let place = try Workplace(sweep: Self.sweep)
        try #require(try place.run("train", place.sweep).code == 0)
        let run = try #require(
            FileManager.default.contentsOfDirectory(atPath: place.store.appendingPathComponent("runs").path).first)
        _ = try place.run("export", "checkpoint", run, "good")
        _ = try place.python(Self.variations)
        let foreign = try place.run("import", "foreign")
        #expect(foreign.code == 0, "\(foreign.errors)")
        for (folder, says) in [
            ("truncated", "truncated"), ("missing", "lacks tensor 'enc.input_layer.bias'"), ("extra", "has tensor 'enc.more'"),
            ("shape", "has shape [5]"), ("dtype", "is I64"), ("double", "is F64"), ("noema", "--weights raw"), ("empty", "holds no"),
            ("none", "no such folder"), ("vocabulary", "must have 41"), ("twice", "same parameter"),
        ] {
            let ended = try place.run("import", folder)
            #expect(ended.code == 2 && !ended.wasKilled, "\(folder): \(ended)")
            #expect(ended.errors.contains(says), "\(folder): \(ended.errors)")
        }
    }

    private static let variations = """
        import os, shutil, torch
        from safetensors.torch import load_file, save_file
        def copy(name): shutil.copytree("good", name); return name
        def change(name, how, file="tokenizer/model_2.safetensors"):
            path = copy(name) + "/" + file
            tensors = load_file(path); how(tensors); save_file(tensors, path)
        def delete(t): del t["enc.input_layer.bias"]
        def add(t): t["enc.more"] = torch.zeros(3)
        def reshape(t): t["enc.input_layer.bias"] = torch.zeros(5)
        def whole(t): t["enc.input_layer.bias"] = t["enc.input_layer.bias"].long()
        def double(t): t["enc.input_layer.bias"] = t["enc.input_layer.bias"].double()
        def twice(t): t["module.enc.input_layer.bias"] = t["enc.input_layer.bias"].clone()
        def cut(t): t["semantic_emb.weight"] = t["semantic_emb.weight"][:-1].clone()
        for name, how in [("missing", delete), ("extra", add), ("shape", reshape), ("dtype", whole), ("double", double), ("twice", twice)]:
            change(name, how)
        change("vocabulary", cut, "prior/model_1.safetensors")
        copy("truncated"); path = "truncated/tokenizer/model_2.safetensors"
        data = open(path, "rb").read(); open(path, "wb").write(data[:-100])
        copy("noema"); os.remove("noema/tokenizer/model_2.safetensors")
        os.makedirs("empty")
        for folder, _, files in os.walk(copy("foreign")):
            for i, file in enumerate(sorted(files)):
                tensors = load_file(f"{folder}/{file}")
                prefix = ["_orig_mod.", "module.", "module._orig_mod.", ""][i % 4]
                tensors = {prefix + k: v.to([torch.bfloat16, torch.float16][i % 2]) for k, v in tensors.items()}
                tensors["causal_mask"], tensors["uncond_ar_labels"] = torch.ones(4, dtype=torch.bool), torch.zeros(2, dtype=torch.int64)
                save_file(tensors, f"{folder}/{file}")
        """
}
