import Files
import Sweep
import Testing

@Suite struct AllErrorsTests {
    /// All that is wrong with a file is said at once, in the order of its lines.
    @Test func aFileIsMendedInOneGo() throws {
        let yaml = """
            name: x
            optimizer: {lr: 1e-3}
            tokenizer:
              codebok: 256
              dropot: 0.1
            prior: {dropout: 1.5, precision: bf16}
            axes:
              prior.layers: [2, two]
              prior.layrs: [1]
            sweeep: {}
            """
        #expect(
            try loadingError(yaml) == """
                sweep.yaml:2: unknown key optimizer; did you mean tokenizer.optimizer or prior.optimizer?
                sweep.yaml:4: unknown key tokenizer.codebok; did you mean tokenizer.codebook?
                sweep.yaml:5: unknown key tokenizer.dropot; did you mean tokenizer.crop?
                sweep.yaml:6: prior.dropout is 1.5, but must be 0 ≤ x < 1
                sweep.yaml:6: prior.precision is 'bf16', but must be one of float32, bfloat16; did you mean bfloat16?
                sweep.yaml:8: prior.layers is "two", but must be of type int
                sweep.yaml:9: unknown key prior.layrs; did you mean prior.layers?
                sweep.yaml:10: unknown key sweeep; did you mean seeds?
                """)
    }

    /// So are all rules that a run breaks, and those that only some cells break, once each.
    @Test func allBrokenRulesAreNamed() throws {
        let yaml = """
            name: x
            tokenizer: {patch: 5, heads: 5}
            axes: {prior.optimizer.warmup: [100, 5000, 6000]}
            """
        let lines = try #require(try loadingError(yaml)).split(separator: "\n")
        #expect(lines.count == 4)
        #expect(lines[0] == "sweep.yaml:2: tokenizer.dim 96 must be a multiple of tokenizer.heads 5 (in prior.optimizer.warmup=100)")
        #expect(lines[1].hasPrefix("sweep.yaml:2: tokenizer.patch 5 must divide data.image_size 32"))
        #expect(
            lines[2]
                == "sweep.yaml:3: prior.optimizer.warmup 5000 must be less than prior.steps 1000 (in prior.optimizer.warmup=5000)")
    }

    /// A sheet of mistakes does not fill the screen.
    @Test func aLongListIsCut() throws {
        let yaml = "name: x\n" + (0..<100).map { "wrong\($0): 1" }.joined(separator: "\n")
        let lines = try #require(try loadingError(yaml)).split(separator: "\n")
        #expect(lines.count == 31 && lines[30] == "… and 70 more")
    }
}

@Suite struct RuleTests {
    /// Without the unconditional label nothing that draws without the class can be had.
    @Test(arguments: [
        "tuning.enabled: true", "prior.snapshots: [100]", "semantics.enabled: true", "semantics.interventions: 4",
        "resample.unconditional: true",
        "sampling.settings: {a: {unconditional: true}}", "sampling.settings: {a: {guidance.scale: 2}}",
        "sampling.settings: {a: {visual_guidance: {scale: 2}}}",
    ])
    func theUnconditionalLabelMustBeTrained(_ line: String) throws {
        #expect(try loadingError("name: x\n\(line)") == nil)
        let error = try #require(try loadingError("name: x\nprior.label_drop: 0\n\(line)"))
        #expect(error.hasSuffix("needs the unconditional label, which is never trained with prior.label_drop 0"))
        #expect(!error.contains("\n"))
    }

    /// With no label ever trained nothing can be drawn with the class, not even by the samplers that are the default.
    @Test(arguments: [
        "tuning.enabled: true", "prior.snapshots: [100]", "semantics.enabled: true", "resample.unconditional: false",
        "sampling.settings: {b: {}}", "sampling.settings: {b: {guidance.scale: 2}}",
    ])
    func theClassMustBeTrained(_ line: String) throws {
        let settings = "prior.label_drop: 1\nsampling.settings: {a: {unconditional: true}}\nresample.unconditional: true\n"
        #expect(try loadingError("name: x\n\(settings)") == nil)
        let lines = settings.split(separator: "\n").filter { !line.hasPrefix(String($0.prefix { $0 != ":" })) }
        let error = try #require(try loadingError("name: x\n\(lines.joined(separator: "\n"))\n\(line)"))
        #expect(error.contains("draws with the class, which is never trained with prior.label_drop 1"), "\(error)")
        #expect(try loadingError("name: x\n\(line)") == nil)
    }

    /// Tuning that tries no guidance needs none.
    @Test func plainCandidatesNeedNoLabel() throws {
        #expect(try loadingError("name: x\nprior.label_drop: 0\ntuning: {enabled: true, scales: [0, 1]}") == nil)
    }

    @Test(arguments: ["prologue", "visual"]) func segmentsAreNeverGuidedByZero(_ segment: String) throws {
        for scale in ["{scale: 0}", "{}", "{scale: 0, schedule: cosine}"] {
            #expect(
                try loadingError("name: x\nsampling.settings: {a: {\(segment)_guidance: \(scale)}}")?
                    .contains("sampling.settings.a.\(segment)_guidance.scale 0 would draw without the class") == true)
        }
        #expect(try loadingError("name: x\nsampling.settings: {a: {\(segment)_guidance: {scale: 1}}}") == nil)
        // Over the whole sequence 0 is off.
        #expect(try loadingError("name: x\nsampling.settings: {a: {guidance: {scale: 0}}}") == nil)
    }

    @Test func armsMayBeNamedByNumbers() throws {
        for name in ["4", "04", "0x10", "1e3", "true", "v-1"] {
            let yaml = "name: 2024\narms:\n  \(name): {prior.layers: 2}\n  other: {prior.layers: 3}\n"
            let sweep = try load(
                yaml + "compare: {baseline: {arm: \(name)}}\nonly: arm = '\(name)'\ninclude: [{arm: \(name), prior.steps: 2000}]")
            #expect(sweep.name == "2024")
            #expect(sweep.cells.map(\.label) == [name, "\(name),prior.steps=2000"])
            #expect(sweep.compare.isBaseline(sweep.cells[0]))
        }
        #expect(
            try loadingError("name: x\narms: {4: {}, 8: {prior.layers: 2}}\nexclude: arm = 4")
                == "sweep.yaml:3: exclude: arm is a text and 4 a number; write '4'\n  arm = 4\n  ^")
    }

    @Test func aNumberOfSeedsIsASeed() throws {
        #expect(try load("name: x\nseeds: 5").notes == ["seeds: 5 is one run with seed 5; 5 runs are seeds: {range: [0, 4, 1]}"])
        #expect(try load("name: x\nseeds: 5").cells.map(\.seed) == [5])
        for seeds in ["0", "1", "[5]", "{range: [0, 4, 1]}"] { #expect(try load("name: x\nseeds: \(seeds)").notes.isEmpty) }
    }
}
