import Files
import Sweep
import TestSupport
import Testing

/// What YAML is read as, and what is refused with its line.
@Suite struct YAMLTests {
    /// Plain scalars that YAML 1.2's core schema and Python agree on, and those that are told apart here.
    @Test(
        arguments: [
            ("12", 12), ("+12", 12), ("0x20", 32), ("0o20", 16), ("1e2", 100), ("64.0", 64), ("6.4e1", 64), ("0", nil),
        ] as [(String, Int?)])
    func numbers(_ text: String, _ value: Int?) throws {
        let yaml = "name: x\nprior.steps: 1000\nprior.optimizer.warmup: \(text)"
        #expect(try load(yaml).cells[0].settings.prior.training.optimizer.warmup == value ?? 0)
        #expect(try load(yaml).cells[0].settings.prior.training.optimizer.warmup == whole(text))
    }

    /// As Python reads the literal.
    private func whole(_ text: String) throws -> Int? {
        let script = "import sys; t = sys.argv[1]; print(int(t, 0) if t.lstrip('+').isalnum() and 'e' not in t else int(float(t)))"
        return Int(try python(script, text))
    }

    struct Refused: Sendable {
        let text, message: String
        init(_ text: String, _ message: String) { (self.text, self.message) = (text, message) }
    }

    @Test(arguments: [
        Refused("010", "\"010\", but must be of type int; some programs read a leading 0 as octal; write 10"),
        Refused("1_000", "\"1_000\", but must be of type int; write 1000"),
        Refused("1,000", "\"1,000\", but must be of type int; write 1000"),
        Refused("1.5k", "\"1.5k\", but must be of type int; write 1500"),
        Refused("100 steps", "\"100 steps\", but must be of type int; write 100"),
        Refused("10 images", "\"10 images\", but must be of type int; it is counted in steps; write the number alone"),
        Refused(
            "10 epochs",
            "\"10 epochs\", but must be of type int; there are no epochs here: one is as many steps as images "
                + "divided by the batch"),
        Refused("'128'", "\"128\", but must be of type int; write it without quotes"),
        Refused(".inf", "\".inf\", but must be of type int; it must be a finite number"),
        Refused("nan", "\"nan\", but must be of type int; it must be a finite number"),
        Refused("1:30", "\"1:30\", but must be of type int"), Refused("2026-01-01", "\"2026-01-01\", but must be of type int"),
        Refused("1e999", "\"1e999\", but must be of type int; it is no number that a computer holds"),
        Refused("9007199254740993", "9007199254740993, but must be less than 2^53 = 9007199254740992"),
        Refused("99999999999999999999", "99999999999999999999, but must be less than 2^53 = 9007199254740992"),
        Refused("true", "true, but must be of type int"),
    ])
    func whatIsNoNumberIsRefused(_ refused: Refused) throws {
        #expect(try loadingError("name: x\nprior.steps: \(refused.text)") == "sweep.yaml:2: prior.steps is \(refused.message)")
    }

    @Test func truthAndNothing() throws {
        for text in ["yes", "on", "True", "TRUE", "y"] {
            #expect(try loadingError("name: x\nprior.tied: \(text)")?.hasSuffix("must be of type bool; did you mean true?") == true)
        }
        for text in ["no", "off", "False"] {
            #expect(try loadingError("name: x\nprior.tied: \(text)")?.hasSuffix("must be of type bool; did you mean false?") == true)
        }
        for text in ["null", "NULL", "Null", "~", ""] {
            #expect(try load("name: x\ndata.path: \(text)").cells[0].settings.data.path == nil)
        }
        #expect(
            try loadingError("name: x\ndata.path: 12") == "sweep.yaml:2: data.path is 12, but must be of type string or null; "
                + "write '12' in quotes")
        #expect(try load("name: x\ndata.path: !!str 12").cells[0].settings.data.path == "12")
    }

    /// Merge keys, as PyYAML reads them: what the map says itself comes first, then earlier maps of a list.
    @Test func mergeKeys() throws {
        let yaml = """
            name: x
            arms:
              a: {prior: &base {dim: 64, heads: 2, layers: 2}}
              b: {prior: {<<: *base, layers: 3}}
              c: {prior: {<<: [{layers: 5}, *base]}}
            """
        let sizes = try load(yaml).cells.map { [$0.settings.prior.dim, $0.settings.prior.heads, $0.settings.prior.layers] }
        let program = """
            def merged(own, *maps):
                result = {}
                for m in reversed(maps): result.update(m)
                return {**result, **own}
            base = dict(dim=64, heads=2, layers=2)
            arms = [base, merged(dict(layers=3), base), merged({}, dict(layers=5), base)]
            print(json.dumps([[a['dim'], a['heads'], a['layers']] for a in arms]))
            """
        #expect(JSONValue.array(sizes.map { .array($0.map { .int($0) }) }) == (try pythonJSON(program)))
        #expect(
            try loadingError("name: x\nprior:\n  <<: 3")
                == "sweep.yaml:3: << takes in the keys of a map, or of a list of maps, not 3")
    }

    @Test func marksTagsAndDocuments() throws {
        #expect(try load("\u{FEFF}name: marked").name == "marked")
        #expect(try load("%YAML 1.2\n---\nname: directed").name == "directed")
        #expect(
            try loadingError("name: x\nprior.steps: !!python/object:os.system 3")
                == "sweep.yaml:2: the tag !!python/object:os.system means nothing for '3' here; write the value without it")
        #expect(
            try loadingError("name: x\nprior: !mine {dim: 64}")
                == "sweep.yaml:2: the tag !mine means nothing here; write the value without it")
        #expect(try loadingError("name: x\nprior:\n\tdim: 64")?.hasPrefix("sweep.yaml:3: not valid YAML: ") == true)
        #expect(try loadingError("name: x\n---\nname: y")?.hasPrefix("sweep.yaml:2: not valid YAML: ") == true)
        #expect(try loadingError("name: x\n? [a, b]\n: 3") == "sweep.yaml:2: a key must be plain text")
        #expect(try loadingError("name: \"a\u{0}b\"")?.contains("not valid YAML") == true)
    }

    /// Nine levels of ten aliases each would be 10⁹ values; as keys they would be compared.
    @Test func whatUnfoldsBeyondBoundsIsRefused() throws {
        let levels = (1...9).map { "l\($0): &l\($0) [\(Array(repeating: "*l\($0 - 1)", count: 10).joined(separator: ", "))]" }
        let bomb = "name: x\nl0: &l0 [1]\n" + levels.joined(separator: "\n")
        #expect(try loadingError(bomb)?.contains("unfolds to more than 300000 values") == true)
        #expect(try loadingError(bomb + "\n{*l9 : 1}: 2")?.contains("a key must be plain text") == true)
        #expect(
            try loadingError("name: \(String(repeating: "n", count: 9_000))")
                == "sweep.yaml:1: name has 9000 characters; at most 200")
        #expect(
            try loadingError("name: \(String(repeating: "n", count: 100_000))")
                == "sweep.yaml:1: a text of 100000 characters; at most 10000 are read")
        #expect(try loadingError("name: x\n\(String(repeating: "k", count: 900)): 1")?.hasPrefix("sweep.yaml:2: unknown key ") == true)
        #expect(
            try loadingError("name: x\n# \(String(repeating: "#", count: 4_000_001))")?.hasSuffix("is larger than 4000000 bytes") == true)
        let deep = "name: x\nprior: " + String(repeating: "[", count: 5_000) + String(repeating: "]", count: 5_000)
        #expect(try loadingError(deep)?.contains("sweep.yaml:2: ") == true)
    }

    @Test func whatMultipliesBeyondBoundsIsRefused() throws {
        let keys = ["prior.steps", "prior.batch", "tokenizer.steps", "tokenizer.batch", "sampling.count", "probe.train_count"]
        let axes = keys.map { "  \($0): {range: [1000, 10999, 1]}" }.joined(separator: "\n")
        #expect(
            try loadingError("name: x\naxes:\n\(axes)")
                == "sweep.yaml: asks for 1e+24 cells; at most 100000 are planned")
        for range in ["range: [0, 1e18, 1]", "range: [0, 1, 1e-300]", "range: [-1e308, 1e308, 1]"] {
            #expect(try loadingError("name: x\naxes:\n  prior.dropout: {\(range)}")?.contains("has more than 10000 values") == true)
        }
        for range in ["linspace: [0, 1, 1000000000]", "logspace: [1, 2, 1e300]", "linspace: [0, 1, 2.5]"] {
            #expect(
                try loadingError("name: x\naxes:\n  prior.dropout: {\(range)}")?.contains("whole number of values from 1 to 10000") == true)
        }
        // Each of 16 files names two more.
        let files = Dictionary(
            uniqueKeysWithValues: (0..<16).map {
                ("b\($0).yaml", $0 == 15 ? "prior: {}" : "base: [b\($0 + 1).yaml, b\($0 + 1).yaml]")
            })
        #expect(try loadingError("name: x\nbase: b0.yaml", files: files)?.hasSuffix("more than 200 files are named by base") == true)
    }
}
