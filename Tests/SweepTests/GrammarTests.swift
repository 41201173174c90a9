import Files
import Settings
import Sweep
import TestSupport
import Testing

@Suite struct GrammarTests {
    @Test func productRunsFirstAxisSlowestAndSeedsFastest() throws {
        let sweep = try load(
            """
            name: order
            question: In which order?
            seeds: [3, 1]
            axes:
              tokenizer.variant: [baseline-2d, prologue]
              prior.steps: [300, 400, 500]
            """)
        #expect(sweep.question == "In which order?")
        #expect(
            sweep.cells.map(\.name) == [
                "variant=baseline-2d,prior.steps=300,seed=3", "variant=baseline-2d,prior.steps=300,seed=1",
                "variant=baseline-2d,prior.steps=400,seed=3", "variant=baseline-2d,prior.steps=400,seed=1",
                "variant=baseline-2d,prior.steps=500,seed=3", "variant=baseline-2d,prior.steps=500,seed=1",
                "variant=prologue,prior.steps=300,seed=3", "variant=prologue,prior.steps=300,seed=1",
                "variant=prologue,prior.steps=400,seed=3", "variant=prologue,prior.steps=400,seed=1",
                "variant=prologue,prior.steps=500,seed=3", "variant=prologue,prior.steps=500,seed=1",
            ])
        for cell in sweep.cells {
            #expect(cell.resolved == cell.settings.json)
            #expect(cell.settings.seed == cell.seed && cell.settings.seeds.sampler == cell.seed)
            #expect(cell.overrides["prior.steps"] == .int(cell.settings.prior.training.steps))
        }
        #expect(sweep.cells[0].settings.tokenizer.variant == .baseline2D)
        #expect(sweep.cells[11].settings.prior.training.steps == 500)
    }

    /// The numbers of `range`, `linspace` and `logspace` against numpy.
    @Test func rangesAreNumpys() throws {
        let forms: [(String, String, [JSONValue])] = [
            ("range", "arange", [0.8, 1.2, 0.1]), ("range", "arange", [1, 0.25, -0.25]), ("range", "arange", [1, 2, 0.3]),
            ("linspace", "linspace", [0.5, 2, 7]), ("linspace", "linspace", [3, 1, 1]),
            ("logspace", "geomspace", [0.01, 10, 6]), ("logspace", "geomspace", [16, 1, 5]),
        ]
        // numpy leaves a range's end out; half a step more lets it in where the range lands on it.
        let expected = try pythonJSON(
            """
            import json, sys, numpy
            out = []
            for name, a in json.load(open('input')):
                if name == 'arange': a = [a[0], a[1] + a[2] * 1e-6, a[2]]
                if name != 'arange': a = [a[0], a[1], int(a[2])]
                out.append(getattr(numpy, name)(*a).tolist())
            print(json.dumps(out))
            """, input: JSONValue.array(forms.map { [.string($0.1), .array($0.2)] }).canonical)
        for (form, numbers) in zip(forms, try #require(expected.arrayValue)) {
            let written = JSONValue.array(form.2).canonical
            let sweep = try load("name: r\naxes: {sampling.settings.nocfg.temperature: {\(form.0): \(written)}}")
            let found = sweep.cells.compactMap { $0.settings.sampling.settings["nocfg"]?.temperature }
            let wanted = try #require(numbers.arrayValue).compactMap(\.doubleValue)
            #expect(found.count == wanted.count, "\(form)")
            for (a, b) in zip(found, wanted) { #expect(abs(a - b) <= 1e-11 * abs(b), "\(form): \(a) and \(b)") }
        }
    }

    @Test func rangesOfWholeNumbers() throws {
        let sweep = try load(
            """
            name: r
            axes: {tokenizer.codebook: {logspace: [16, 256, 5]}, prior.steps: {range: [300, 500, 100]}}
            """)
        #expect(sweep.cells.map(\.settings.tokenizer.codebook).uniqued() == [16, 32, 64, 128, 256])
        #expect(sweep.cells.map(\.settings.prior.training.steps).uniqued() == [300, 400, 500])
        #expect(sweep.cells[0].label == "codebook=16,prior.steps=300")
    }

    @Test func zipGoesInStepAndMultipliesWithAxes() throws {
        let sweep = try load(
            """
            name: z
            axes: {prior.layers: [2, 3]}
            zip:
              - {prior.dim: [64, 128], prior.heads: [2, 4]}
              - {tokenizer.codebook: [128, 256], tokenizer.z_dim: [8, 16]}
            """)
        #expect(sweep.cells.count == 8)
        for cell in sweep.cells {
            #expect(cell.settings.prior.dim == 32 * cell.settings.prior.heads)
            #expect(cell.settings.tokenizer.codebook == 16 * cell.settings.tokenizer.zDim)
        }
    }

    @Test func armsAndNamedAxesSetSeveralKeys() throws {
        let sweep = try load(
            """
            name: a
            arms:
              baseline: {tokenizer.variant: baseline-2d}
              long: {tokenizer: {variant: prologue, prologue_tokens: 16}}
              plain:
            axes:
              size: {S: {prior: {dim: 64, heads: 2}}, M: {}}
            compare: {baseline: {arm: baseline, size: S}, metrics: [gfid.nocfg, rfid]}
            """)
        #expect(
            sweep.cells.map(\.label) == [
                "baseline,size=S", "baseline,size=M", "long,size=S", "long,size=M", "plain,size=S", "plain,size=M",
            ])
        #expect(sweep.cells[2].settings.tokenizer.prologueTokens == 16)
        #expect(sweep.cells[2].settings.prior.dim == 64)
        #expect(sweep.cells[4].settings.tokenizer == RunSettings().tokenizer)
        #expect(sweep.cells.map(sweep.compare.isBaseline) == [true, false, false, false, false, false])
        #expect(sweep.compare.metrics == ["gfid.nocfg", "rfid"])
        #expect(sweep.compare.over == ["seed"])
    }

    @Test func includeExcludeAndOnly() throws {
        let text = """
            name: i
            seeds: [0, 1]
            arms: {base: {tokenizer.variant: baseline-2d}, prologue: {}}
            axes: {prior.layers: [2, 4]}
            exclude:
              - arm = 'base' and prior.layers = 4
              - arm = 'prologue' and seed = 1
            include: [{arm: prologue, tokenizer.prologue_tokens: 16, prior.layers: 3}]
            """
        let names = [
            "base,prior.layers=2,seed=0", "base,prior.layers=2,seed=1", "prologue,prior.layers=2,seed=0",
            "prologue,prior.layers=4,seed=0", "prologue,prologue_tokens=16,prior.layers=3,seed=0",
            "prologue,prologue_tokens=16,prior.layers=3,seed=1",
        ]
        #expect(try load(text).cells.map(\.name) == names)
        #expect(try load(text, only: "tokenizer.prologue_tokens > 8 and seed = 1").cells.map(\.name) == [names[5]])
        #expect(try load(text + "\nonly: prior.layers = 2", only: "seed = 0").cells.map(\.name) == [names[0], names[2]])
        #expect(
            try load("name: i\ninclude: [{prior.layers: 2}, {prior.layers: 3}]").cells.map(\.label)
                == ["prior.layers=2", "prior.layers=3"])
    }

    @Test(arguments: [
        ("4", [[4, 4, 4, 4]]),
        ("[2, 0]", [[2, 2, 2, 2], [0, 0, 0, 0]]),
        ("{range: [1, 5, 2]}", [[1, 1, 1, 1], [3, 3, 3, 3], [5, 5, 5, 5]]),
        ("{tokenizer: 7, prior: [4, 5], sampler: {range: [8, 9, 1]}}", [[0, 7, 4, 8], [1, 7, 5, 9]]),
        ("{prior: [4, 5]}", [[0, 0, 4, 0], [1, 1, 5, 1]]),
        ("[{tokenizer: 3, prior: 1}, {sampler: 5}]", [[0, 3, 1, 0], [1, 1, 1, 5]]),
    ])
    func seeds(written: String, expected: [[Int]]) throws {
        let cells = try load("name: s\nseeds: \(written)").cells
        #expect(
            cells.map {
                [$0.seed, $0.settings.seeds.tokenizer, $0.settings.seeds.prior, $0.settings.seeds.sampler]
            } == expected)
        for cell in cells { #expect(cell.resolved == cell.settings.json) }
    }

    @Test func basesMergeDeeply() throws {
        let files = [
            "first.yaml": """
            name: first
            question: inherited?
            seeds: [0, 1]
            tokenizer: {dim: 64, heads: 2, loss: {l1: 2, l2: 3}}
            axes: {prior.layers: [2, 3], tokenizer.codebook: [64, 128]}
            sampling: {settings: {a: {temperature: 0.5}, b: {temperature: 0.6, top_k: 5}}}
            """,
            "second.yaml": "tokenizer.loss.l2: 4\nprior: {optimizer: {lr: 2e-3}}",
        ]
        let sweep = try load(
            """
            name: child
            base: [first.yaml, second.yaml]
            axes: {tokenizer.codebook: null, prior.steps: [300]}
            tokenizer.loss: {ce_visual: 0}
            sampling.settings: {a: null, b: {top_k: 6}}
            """, files: files)
        #expect(sweep.name == "child")
        #expect(sweep.question == nil)
        #expect(sweep.cells.count == 4)
        let settings = sweep.cells[0].settings
        #expect(settings.tokenizer.dim == 64)
        #expect(settings.tokenizer.loss.l1 == 2 && settings.tokenizer.loss.l2 == 4 && settings.tokenizer.loss.ceVisual == 0)
        #expect(settings.tokenizer.loss.quantizer == 1)
        #expect(settings.prior.training.optimizer.lr == 2e-3 && settings.prior.training.optimizer.beta2 == 0.96)
        #expect(settings.sampling.settings.keys.sorted() == ["b"])
        #expect(settings.sampling.settings["b"]?.topK == 6 && settings.sampling.settings["b"]?.temperature == 0.6)
    }

    @Test func overridesReachEveryCell() throws {
        let sweep = try load(
            "name: o\naxes: {prior.layers: [2, 3]}",
            set: [
                "prior.steps=5e2", "tokenizer.decoder_dim=null", "seeds=[4, 5]", "tokenizer.rope_axes=[16, 8, 8]",
                "sampling.settings.cfg={guidance: {scale: 2}}", "data.set=shapes", "name=other", "prior.steps=600",
            ])
        #expect(sweep.name == "other")
        #expect(sweep.cells.map(\.seed) == [4, 5, 4, 5])
        for cell in sweep.cells {
            #expect(cell.settings.prior.training.steps == 600)
            #expect(cell.settings.tokenizer.ropeAxes == [16, 8, 8])
            #expect(cell.settings.data.set == .shapes)
            #expect(cell.settings.sampling.settings["cfg"]?.guidance.scale == 2)
        }
    }

    /// Numbers have one form, so that the same run has the same record however it was written.
    @Test func writingDoesNotMatter() throws {
        let ways = ["prior: {dropout: 0, steps: 2000}", "prior.dropout: 0.0\nprior.steps: 2e3", "prior: {dropout: 0e0, steps: 2000.0}"]
        let cells = try ways.map { try load("name: w\n\($0)").cells[0] }
        #expect(cells[0] == cells[1] && cells[1] == cells[2])
        #expect(try JSONValue(parsing: .init(cells[0].resolved.canonical.utf8)) == cells[0].resolved)
    }

    /// A key that came after there were results, or that changes none, does not rename a run while it says what went before.
    @Test func laterKeysKeepTheRun() throws {
        func identity(_ text: String) throws -> JSONValue { try load("name: w\n\(text)").cells[0].identity }
        let plain = try identity("prior: {steps: 300}")
        #expect(try identity("prior: {steps: 300, precision: float32, snapshots: []}") == plain)
        #expect(try identity("prior: {steps: 300, precision: bfloat16}") != plain)
        #expect(try identity("prior: {steps: 301}") != plain)
    }

    @Test func aliasesAndExplicitNulls() throws {
        let sweep = try load(
            """
            name: a
            tokenizer: {optimizer: &o {lr: 2e-3, clip: 1}, decoder_dim: ~}
            prior: {optimizer: *o}
            features:
            """)
        #expect(sweep.cells[0].settings.prior.training.optimizer.lr == 2e-3)
        #expect(sweep.cells[0].settings.tokenizer.training.optimizer.clip == 1)
        #expect(sweep.cells[0].settings.features == FeatureSettings())
    }
}

extension Array where Element: Hashable {
    fileprivate func uniqued() -> [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}
