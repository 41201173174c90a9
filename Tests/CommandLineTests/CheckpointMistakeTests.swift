import Files
import Foundation
import TestSupport
import Testing

/// Checkpoints whose weights, metadata or options cannot be meant.
@Suite struct CheckpointMistakeTests {
    private static let sweep = tinyRun(
        images: 64, steps: 2, samples: 10, "probe: {enabled: false}\nresample: {enabled: false}")

    /// One exported run, from which each test makes the folder that it spoils.
    private static let released = Result {
        let place = try Workplace(sweep: sweep)
        let trained = try place.run("train", place.sweep)
        try #require(trained.code == 0, "\(trained.errors)")
        let exported = try place.run("export", "checkpoint", "tiny", "good")
        try #require(exported.code == 0, "\(exported.errors)")
        return place
    }

    private static let edit = """
        import json, shutil, sys, numpy as np
        from safetensors import safe_open
        from safetensors.numpy import load_file, save_file
        def edit(folder, part, file, change):
            shutil.copytree("good", folder, dirs_exist_ok=True)
            path = f"{folder}/{part}/{file}.safetensors"
            notes = json.loads(safe_open(path, "np").metadata()["prologue"])
            tensors = load_file(path)
            notes = change(tensors, notes) or notes
            save_file(tensors, path, metadata={"prologue": notes if isinstance(notes, str) else json.dumps(notes)})

        """

    @Test(arguments: [
        ("tokenizer", "model_2", "enc.input_layer.weight", "nan", [1, 3]), ("prior", "model", "semantic_emb.weight", "inf", [2, 0]),
        ("prior", "model_1", "ar_model.layers.0.attn1.q_norm.weight", "-inf", [5]),
    ])
    func weightsThatAreNotFiniteStayOutside(_ part: String, _ file: String, _ tensor: String, _ value: String, _ at: [Int]) throws {
        let place = try Self.released.get()
        let folder = "bad-\(UUID().uuidString)"
        _ = try place.python(
            Self.edit + """
                def change(t, notes):
                    t["\(tensor)"] = t["\(tensor)"].copy()
                    t["\(tensor)"][tuple(\(at))] = float("\(value)")
                edit("\(folder)", "\(part)", "\(file)", change)
                """)
        let ended = try place.run("import", folder)
        #expect(ended.code != 0)
        for part in [tensor, "\(file).safetensors", value, "\(at)"] { #expect(ended.errors.contains(part), "\(ended.errors)") }
    }

    /// In the store already, such as a training that another program has spoiled.
    @Test func weightsThatAreNotFiniteDrawNothing() throws {
        let place = try Workplace(sweep: Self.sweep)
        try #require(try place.run("train", place.sweep).code == 0)
        _ = try place.python(
            """
            import glob, sys, numpy as np
            from safetensors.numpy import load_file, save_file
            path, = glob.glob(sys.argv[1] + "/stages/prior-*/model_ema.safetensors")
            tensors = load_file(path)
            name = next(n for n in sorted(tensors) if tensors[n].ndim == 2)
            tensors[name] = np.full_like(tensors[name], np.nan)
            save_file(tensors, path)
            """)
        let ended = try place.run("sample", "tiny", "--count", "4")
        #expect(ended.code != 0, "\(ended.output)")
    }

    @Test(arguments: [
        ("notes['tokenizer']['prologue_temperature'] = 0", "tokenizer.prologue_temperature is 0"),
        ("notes['tokenizer']['gumbel_temperature'] = -1", "tokenizer.gumbel_temperature"),
        ("notes['tokenizer']['variant'] = 'prolog'", "did you mean 'prologue'?"),
        ("notes['tokenizer']['rope_axes'] = [2**62, 2**62, 8]", "rope axes"),
        ("notes['tokenizer']['rope_axes'] = [8]", "tokenizer.rope_axes"),
        ("notes['tokenizer']['prologue_tokens'] = 'two'", "tokenizer.prologue_tokens"),
        ("notes['image_size'] = 10**15", "data.image_size"), ("notes['image_size'] = -16", "data.image_size"),
        ("notes['image_size'] = 16.5", "data.image_size"), ("notes['tokenizer'] = 7", "tokenizer is 7"),
        ("notes = 'no JSON'", "metadata 'prologue'"), ("notes = 'NaN'", "metadata 'prologue'"),
        ("t['enc.layers.999999999999999999.attn1.q_norm.weight'] = np.ones(32, 'f4')", "model.safetensors"),
        ("t['enc.layers.9223372036854775807.attn1.q_norm.weight'] = np.ones(32, 'f4')", "model.safetensors"),
    ])
    func metadataAreHeldToTheBoundsOfSettings(_ change: String, _ says: String) throws {
        let place = try Self.released.get()
        let folder = "notes-\(UUID().uuidString)"
        _ = try place.python(
            Self.edit + """
                def change(t, notes):
                    \(change)
                    return notes
                edit("\(folder)", "tokenizer", "model", change)
                """)
        let ended = try place.run("import", folder)
        #expect(ended.code == 2 && ended.errors.contains(says), "\(ended.code) \(ended.errors)")
    }

    @Test(arguments: [
        ["--rope-axes", "4611686018427387904,4611686018427387904,8"], ["--rope-axes", "9223372036854775807,2,2"],
        ["--rope-axes", "99999999999999999999,0,0"], ["--ar-rope-axes", "-2,2,32"], ["--image-size", "1000000000000000"],
        ["--image-size", "0"], ["--prologue-temperature", "nan"], ["--prologue-temperature", "inf"],
        ["--prologue-temperature", "0"], ["--variant", "prolog"],
    ])
    func optionsAreHeldToTheBoundsOfSettings(_ options: [String]) throws {
        let place = try Self.released.get()
        let ended = try place.start(["import", "good"] + options).wait()
        #expect([2, 64].contains(ended.code) && !ended.errors.isEmpty, "\(ended.code) \(ended.errors)")
    }

    @Test(arguments: [
        ["--temperature", "nan"], ["--temperature", "inf"], ["--prologue-temperature", "-1"], ["--top-p", "nan"],
        ["--guidance", "nan"], ["--guidance", "inf"], ["--power", "nan"], ["--count", "1000000000000000"], ["--count", "0"],
    ])
    func optionsOfSamplingToo(_ options: [String]) throws {
        let place = try Self.released.get()
        let ended = try place.start(["sample", "tiny"] + options).wait()
        #expect([2, 64].contains(ended.code) && !ended.errors.isEmpty, "\(ended.code) \(ended.errors)")
    }
}
