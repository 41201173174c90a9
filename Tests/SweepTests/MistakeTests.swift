import Sweep
import Testing

/// Each mistake is told with file, line, path, and what was probably meant.
@Suite struct MistakeTests {
    struct Mistake: Sendable, CustomTestStringConvertible {
        let yaml: String
        let message: String
        init(_ yaml: String, _ message: String) { (self.yaml, self.message) = ("name: m\n" + yaml, message) }
        var testDescription: String { message }
    }

    @Test(arguments: [
        Mistake("tokenizr: {dim: 3}", "sweep.yaml:2: unknown key tokenizr; did you mean tokenizer?"),
        Mistake("tokenizer:\n  loss:\n    l3: 1", "sweep.yaml:4: unknown key tokenizer.loss.l3; did you mean tokenizer.loss.l1?"),
        Mistake("tokenizer:\n  lr: 1", "sweep.yaml:3: unknown key tokenizer.lr; did you mean tokenizer.optimizer.lr?"),
        Mistake(
            "temperature: 1",
            "sweep.yaml:2: unknown key temperature; "
                + "did you mean sampling.settings.*.temperature or resample.temperature or semantics.temperature?"),
        Mistake(
            "prior.vocab: 3",
            "sweep.yaml:2: prior.vocab cannot be set: it follows from the tokenizer "
                + "(tokenizer.codebook, with a prologue also tokenizer.prologue_codebook and EOS)"),
        Mistake(
            "seed: 3",
            "sweep.yaml:2: seed cannot be set: the replicates are a list or a map under seeds, "
                + "such as seeds: [0, 1, 2]"),
        Mistake(
            "sampling.settings:\n  cfg1.5: {temperature: 1}",
            "sweep.yaml:3: unknown key sampling.settings.cfg1.5; a name cannot contain a dot"),
    ])
    func unknownKeys(mistake: Mistake) throws {
        #expect(try loadingError(mistake.yaml) == mistake.message)
    }

    @Test(arguments: [
        Mistake("prior.dim: wide", "sweep.yaml:2: prior.dim is \"wide\", but must be of type int"),
        Mistake("prior.dim: '64'", "sweep.yaml:2: prior.dim is \"64\", but must be of type int; write it without quotes"),
        Mistake(
            "prior.dim: [64]", "sweep.yaml:2: prior.dim is [64], but must be of type int; to run several values, put prior.dim under axes"),
        Mistake("prior.dim: 64.5", "sweep.yaml:2: prior.dim is 64.5, but must be a whole number; nearest: 65"),
        Mistake("prior.dim:", "sweep.yaml:2: prior.dim is null, but must be of type int"),
        Mistake("prior.tied: yes", "sweep.yaml:2: prior.tied is \"yes\", but must be of type bool; did you mean true?"),
        Mistake("prior.tied: 1", "sweep.yaml:2: prior.tied is 1, but must be of type bool"),
        Mistake("prior.label_drop: 2", "sweep.yaml:2: prior.label_drop is 2, but must be 0 … 1; nearest: 1"),
        Mistake("prior.steps: 0", "sweep.yaml:2: prior.steps is 0, but must be ≥ 1; nearest: 1"),
        Mistake("prior.optimizer.lr: 0", "sweep.yaml:2: prior.optimizer.lr is 0, but must be > 0"),
        Mistake("prior.rope_axes: [16, 16]", "sweep.yaml:2: prior.rope_axes needs 3 entries, not 2"),
        Mistake("probe.l2_grid: []", "sweep.yaml:2: probe.l2_grid is an empty list"),
        Mistake(
            "data.set: fashion",
            "sweep.yaml:2: data.set is 'fashion', but must be one of fashion-mnist, shapes, "
                + "cifar10, image-folder, image-hdf5, imagenet, none"),
        Mistake(
            "data.set: shape",
            "sweep.yaml:2: data.set is 'shape', but must be one of fashion-mnist, shapes, "
                + "cifar10, image-folder, image-hdf5, imagenet, none; did you mean shapes?"),
        Mistake(
            "prior.dim: = tokenizer.dim * 2",
            "sweep.yaml:2: prior.dim is '= tokenizer.dim * 2', but a value cannot depend on "
                + "another setting; write the value, and to vary settings together use zip or arms"),
        Mistake(
            "prior: 3",
            "sweep.yaml:2: prior must be a map, not 3; keys: from, dim, layers, heads, rope_axes, cond_dim, tied, "
                + "positions, prologue_order, precision, dropout, attention_dropout, label_drop, unconditional, steps, batch, optimizer, "
                + "ema_half_life, snapshots, micro_batch, recompute, checkpoint_every, keep_checkpoints, log_every"),
        Mistake("prior: {dim: 64}\nprior.dim: 65", "sweep.yaml:3: prior.dim is given twice, first at sweep.yaml:2"),
    ])
    func wrongValues(mistake: Mistake) throws {
        #expect(try loadingError(mistake.yaml) == mistake.message)
    }

    @Test(arguments: [
        Mistake(
            "tokenizer: {batch: 64, micro_batch: 16, gan: {weight: 0.1}}",
            "sweep.yaml:2: tokenizer.micro_batch cannot be used with tokenizer.gan.weight: the batch norms of a discriminator see the whole "
                + "batch; leave it out"),
        Mistake(
            "tokenizer: {batch: 64, micro_batch: 16, loss: {prologue_entropy: 0.1}}",
            "sweep.yaml:2: tokenizer.micro_batch cannot be used with tokenizer.loss.prologue_entropy: the entropy of codes is that of the "
                + "whole batch; leave it out"),
        Mistake(
            "prior: {batch: 64, micro_batch: 24}", "sweep.yaml:2: prior.micro_batch 24 must divide prior.batch 64, as 16 does"),
        Mistake("prior:\n  dim: 100\n  heads: 3", "sweep.yaml:3: prior.dim 100 must be a multiple of prior.heads 3"),
        Mistake(
            "tokenizer: {decoder_heads: 4}",
            "sweep.yaml:2: tokenizer.rope_axes [8, 12, 12] sums to 32, but must sum to the "
                + "head width tokenizer.decoder_dim / tokenizer.decoder_heads = 96 / 4 = 24"),
        Mistake("prior.rope_axes: [11, 13, 8]", "sweep.yaml:2: prior.rope_axes [11, 13, 8] must be even numbers: channels rotate in pairs"),
        Mistake("prior.steps: 100", "sweep.yaml:2: prior.optimizer.warmup 200 must be less than prior.steps 100"),
        Mistake(
            "prior.optimizer.decay_start: 100",
            "sweep.yaml:2: prior.optimizer.decay_start 100 must lie between "
                + "prior.optimizer.warmup 200 and prior.steps 1000"),
        Mistake(
            "tokenizer.optimizer.lr: 1e-5", "sweep.yaml:2: tokenizer.optimizer.end_lr 2.5e-05 must not exceed tokenizer.optimizer.lr 1e-05"),
        Mistake("data.set: cifar10", "sweep.yaml:2: data.set cifar10 needs data.path, the place of its files"),
        Mistake("data: {set: image-folder, path: pictures, channels: 2}", "sweep.yaml:2: data.channels 2 must be 1 (grey) or 3 (colour)"),
        Mistake(
            "tokenizer.gan: {weight: 0.1, layers: 4}",
            "sweep.yaml:2: tokenizer.gan.layers 4 leaves nothing of images of "
                + "data.image_size 32; 32 >> layers must be at least 3"),
        Mistake(
            "tokenizer.gan: {weight: 0.1, start_step: 2000}",
            "sweep.yaml:2: tokenizer.gan.start_step 2000 must be less than "
                + "tokenizer.steps 2000"),
        Mistake(
            "tokenizer.perceptual: {weight: 1, network: lpips}",
            "sweep.yaml:2: tokenizer.perceptual.network lpips needs "
                + "tokenizer.perceptual.weights, a safetensors file"),
        Mistake(
            "data.image_size: 12\ntokenizer.perceptual: {weight: 1, network: lpips, weights: a.safetensors}",
            "sweep.yaml:3: tokenizer.perceptual.network lpips halves images four times, and data.image_size 12 is less than 16"),
        Mistake("tokenizer.patch: 5", "sweep.yaml:2: tokenizer.patch 5 must divide data.image_size 32"),
        Mistake(
            "tokenizer: {visual_quantizer: lfq, codebook: 500}",
            "sweep.yaml:2: tokenizer.codebook 500 must be a power of two "
                + "for lfq, such as 512"),
        Mistake(
            "tokenizer: {prologue_quantizer: lfq, prologue_codebook: 90}",
            "sweep.yaml:2: tokenizer.prologue_codebook 90 must "
                + "be a power of two for lfq, such as 64"),
        Mistake(
            "tokenizer.visual_quantizer: fsq\ntokenizer.visual_levels: [8, 8]",
            "sweep.yaml:3: tokenizer.visual_levels [8, 8] "
                + "multiply to 64, but must multiply to tokenizer.codebook 512"),
        Mistake(
            "tokenizer: {visual_quantizer: fsq, visual_levels: [256, 2]}",
            "sweep.yaml:2: tokenizer.visual_levels is 2, but "
                + "must be ≥ 3; nearest: 3"),
        Mistake(
            "axes:\n  tokenizer.prologue_quantizer: [probq, lfq]\ntokenizer.prologue_restart: 100",
            "sweep.yaml:4: "
                + "tokenizer.prologue_restart needs learned codes (vq, probq, gumbel): those of lfq are fixed "
                + "(in tokenizer.prologue_quantizer=lfq)"),
        Mistake(
            "tokenizer.eos: false",
            "sweep.yaml:2: tokenizer.eos false leaves nothing to put in the place of dropped visual "
                + "tokens; set tokenizer.visual_dropout to 0 instead of 0.5"),
        Mistake(
            "tokenizer: {variant: prologue-post, prologue_encoder: shared}",
            "sweep.yaml:2: tokenizer.prologue_encoder shared is "
                + "impossible in prologue-post, whose visual encoder is frozen; use separate"),
        Mistake(
            "tokenizer.variant: baseline-1d\nprior.positions: hybrid",
            "sweep.yaml:3: prior.positions hybrid needs visual "
                + "tokens with a row and a column, which baseline-1d has not; use 1d"),
        Mistake(
            "tokenizer.joint_ar: {positions: hybrid, rope_axes: [16, 16, 0]}",
            "sweep.yaml:2: tokenizer.joint_ar.rope_axes "
                + "[16, 16, 0] leaves an axis out, but tokenizer.joint_ar.positions hybrid uses all three"),
        Mistake(
            "prior.label_drop: 0\nsampling.settings.u.unconditional: true",
            "sweep.yaml:2: sampling.settings.u needs the "
                + "unconditional label, which is never trained with prior.label_drop 0"),
        Mistake(
            "sampling.settings.u: {unconditional: true, guidance.scale: 2}",
            "sweep.yaml:2: sampling.settings.u is "
                + "unconditional, so there is no class for guidance to lead to"),
        Mistake(
            "sampling.settings.u: {visual_guidance: {scale: 2}, guidance.scale: 2}",
            "sweep.yaml:2: sampling.settings.u has "
                + "guidance and split guidance; prologue_guidance and visual_guidance replace guidance"),
    ])
    func conflicts(mistake: Mistake) throws {
        #expect(try loadingError(mistake.yaml) == mistake.message)
    }

    @Test(arguments: [
        Mistake("axes:\n  prior.dims: [1]", "sweep.yaml:3: unknown key prior.dims; did you mean prior.dim?"),
        Mistake("axes: {prior.dim: 64}", "sweep.yaml:2: prior.dim must be a list of values, such as [64]"),
        Mistake("axes: {prior.dim: []}", "sweep.yaml:2: prior.dim has no values, so there is nothing to run"),
        Mistake("axes: {prior.layers: [2, 3, 2]}", "sweep.yaml:2: prior.layers has the value 2 twice, as number 1 and 3"),
        Mistake(
            "axes: {prior.layers: {rnge: [1, 2, 1]}}",
            "sweep.yaml:2: prior.layers must be a list, or a map with one of "
                + "range, linspace, logspace; did you mean range?"),
        Mistake("axes: {prior.layers: {range: [1, 2]}}", "sweep.yaml:2: prior.layers: range [1, 2] must be [from, to, step]"),
        Mistake("axes: {prior.layers: {range: [1, 2, -1]}}", "sweep.yaml:2: prior.layers: range [1, 2, -1] never reaches its end"),
        Mistake(
            "axes: {prior.layers: {range: [1, 1e9, 1]}}",
            "sweep.yaml:2: prior.layers: range [1, 1000000000.0, 1] has more than 10000 values"),
        Mistake(
            "axes: {prior.dropout: {logspace: [0, 1, 3]}}", "sweep.yaml:2: prior.dropout: logspace [0, 1, 3] needs ends greater than 0"),
        Mistake("axes: {prior.layers: {linspace: [1, 2, 3]}}", "sweep.yaml:2: prior.layers is 1.5, but must be a whole number; nearest: 2"),
        Mistake(
            "axes: {seed: [1]}",
            "sweep.yaml:2: seed cannot be an axis: the replicates are a list or a map under seeds, "
                + "such as seeds: [0, 1, 2]"),
        Mistake(
            "axes: {prior.vocab: [1]}",
            "sweep.yaml:2: prior.vocab cannot be an axis: it follows from the tokenizer "
                + "(tokenizer.codebook, with a prologue also tokenizer.prologue_codebook and EOS)"),
        Mistake(
            "arms: {a: {prior.layers: 2}, b: {}}\naxes:\n  prior.layers: [3, 4]",
            "sweep.yaml:4: prior.layers is varied by arm and by prior.layers; let one of them do it"),
        Mistake(
            "arms:\n  a: {prior.layers: 2}\n  b: {prior: {layers: 2}}",
            "sweep.yaml:4: the cells a and b are the same run; keep one of them"),
        Mistake("arms:\n  a: {prior.log_every: 2}\n  b: {}", "sweep.yaml:4: the cells a and b are the same run; keep one of them"),
        Mistake("arms:\n  a: {prior.layer: 2}", "sweep.yaml:3: unknown key prior.layer; did you mean prior.layers?"),
        Mistake("arms: {a.b: {}}", "sweep.yaml:2: 'a.b' is not a name; names have letters, digits, - and _"),
        Mistake("arms: [a]", "sweep.yaml:2: arms must be a map from names to settings"),
        Mistake(
            "axes: {label: {a: {}, b: {prior.layers: 2}}}",
            "sweep.yaml:2: 'label' cannot name an axis: it must be letters, "
                + "digits, - and _, and not a key"),
        Mistake(
            "zip:\n  - prior.layers: [2, 3]\n    prior.dim: [64]",
            "sweep.yaml:3: lists in one entry of zip must be equally "
                + "long: prior.layers has 2, prior.dim has 1"),
        Mistake("zip: {prior.layers: [2]}", "sweep.yaml:2: zip must be a list, not {prior.layers: [2]}"),
        Mistake("axes: {prior.layers: [2, 3]}\ninclude:\n  - prior.layers: 3", "sweep.yaml:4: the cell prior.layers=3 is there twice"),
        Mistake("arms: {long: {}}\ninclude: [{arm: lang}]", "sweep.yaml:3: arm is \"lang\", but must be one of long; did you mean long?"),
        Mistake(
            "axes: {prior.layers: [2, 3]}\nexclude: prior.layers > 1", "sweep.yaml: exclude leaves no cell, so there is nothing to run"),
        Mistake(
            "exclude: prior.layrs > 1",
            "sweep.yaml:2: exclude: unknown key prior.layrs; did you mean prior.layers?\n"
                + "  prior.layrs > 1\n  ^"),
        Mistake("exclude:\n  - prior.layers > 1\n  - [x]", "sweep.yaml:4: exclude must be text or a list of texts, not [\"x\"]"),
        Mistake("only: prior.layers > 9", "sweep.yaml: no cell meets the condition; cells: m,seed=0"),
        Mistake(
            "axes:\n  prior.steps: {range: [1000, 2000, 1]}\n  tokenizer.codebook: {range: [2, 1000, 1]}",
            "sweep.yaml: asks for 999999 cells; at most 100000 are planned"),
    ])
    func grammar(mistake: Mistake) throws {
        #expect(try loadingError(mistake.yaml) == mistake.message)
    }

    @Test(arguments: [
        Mistake("seeds: []", "sweep.yaml:2: seeds has no values, so there is nothing to run"),
        Mistake("seeds: [0, -1]", "sweep.yaml:2: a seed must be a whole number from 0 on, not -1"),
        Mistake("seeds: [0, 1, 0]", "sweep.yaml:2: seeds has the same replicate twice: tokenizer 0, prior 0, sampler 0"),
        Mistake(
            "seeds: {tokeniser: [0]}",
            "sweep.yaml:2: unknown key seeds.tokeniser; seeds has tokenizer, prior, sampler; did you mean tokenizer?"),
        Mistake(
            "seeds: {tokenizer: [0, 1], prior: [0, 1, 2]}",
            "sweep.yaml:2: lists under seeds must be equally long, or have one "
                + "value: tokenizer has 2, prior has 3"),
        Mistake("seeds: [{prior: 0}, 1]", "sweep.yaml:2: seeds mixes numbers and maps; write every replicate as a map"),
        Mistake("seeds: some", "sweep.yaml:2: seeds must be a list of values, such as [\"some\"]"),
        Mistake(
            "compare: {basline: {}}",
            "sweep.yaml:2: unknown key compare.basline; compare has baseline, metric, metrics, endpoints, over, published; did you mean baseline?"
        ),
        Mistake("compare: {metrics: [rfid, FID]}", "sweep.yaml:2: no score is called 'FID'; did you mean 'gfid.nocfg'?"),
        Mistake(
            "compare: {metric: gfid.nocgf}",
            "sweep.yaml:2: 'gfid.nocgf' is a score of samples called 'nocgf'; sampling.settings has "
                + "nocfg; did you mean 'gfid.nocfg'?"),
        Mistake(
            "compare: {metric: gfid@shapes-cnn.cfg}",
            "sweep.yaml:2: 'gfid@shapes-cnn.cfg' is a score of samples called 'cfg'; "
                + "sampling.settings has nocfg; did you mean 'gfid.nocfg'?"),
        Mistake(
            "compare: {metric: gfid.tuned}",
            "sweep.yaml:2: 'gfid.tuned' is a score of samples called 'tuned'; sampling.settings has "
                + "nocfg; did you mean 'gfid.nocfg'?"),
        Mistake("compare: {metric: probe.secnd.top1}", "sweep.yaml:2: no score is called 'probe.secnd.top1'; did you mean 'probe.top1'?"),
        Mistake("compare: {metric: 3}", "sweep.yaml:2: compare.metric must be a name or a list of names, not 3"),
        Mistake("compare: {over: sead}", "sweep.yaml:2: compare.over: unknown key \"sead\"; did you mean seed?"),
        Mistake(
            "compare: {baseline: {tokenizer.variant: baseline-2d}}",
            "sweep.yaml:2: compare.baseline {tokenizer.variant: \"baseline-2d\"} is no cell of this sweep; cells: m"),
        Mistake(
            "compare: {baseline: {tokenizer.varant: baseline-2d}}",
            "sweep.yaml:2: unknown key tokenizer.varant; did you mean tokenizer.variant?"),
    ])
    func seedsAndCompare(mistake: Mistake) throws {
        #expect(try loadingError(mistake.yaml) == mistake.message)
    }

    @Test func files() throws {
        #expect(try loadingError("prior: {}") == "sweep.yaml: name is missing: give the sweep a short name, such as name: prologue-length")
        #expect(try loadingError("name: a/b") == "sweep.yaml:1: name is \"a/b\", but must be letters, digits, - and _")
        #expect(try loadingError("- 3") == "sweep.yaml:1: a sweep file is a map of keys, not [3]")
        #expect(try loadingError("") == "sweep.yaml: name is missing: give the sweep a short name, such as name: prologue-length")
        #expect(try loadingError("name: x\nprior: {dim: 64\nfeatures: {}")?.hasPrefix("sweep.yaml:3: not valid YAML: ") == true)
        #expect(
            try loadingError("name: x\nprior:\n  dim: 64\n  dim: 65")
                == "sweep.yaml:3: key 'dim' is given twice in the map that begins here")
        #expect(try loadingError("name: x\n---\nname: y")?.contains("not valid YAML") == true)
        #expect(try loadingError("name: x\nprior: *nothing")?.hasPrefix("sweep.yaml:2: not valid YAML: ") == true)
    }

    @Test func bases() throws {
        let files = ["a.yaml": "base: b.yaml", "b.yaml": "prior: {}\nbase: a.yaml", "wrong.yaml": "prior:\n  dmi: 3"]
        #expect(
            try loadingError("name: x\nbase: a.yaml", files: files)
                == "b.yaml:2: base goes round in a circle: a.yaml → b.yaml → a.yaml")
        #expect(try loadingError("name: x\nbase: sweep.yaml") == "sweep.yaml:2: base goes round in a circle: sweep.yaml → sweep.yaml")
        #expect(
            try loadingError("name: x\nbase: wrongs.yaml", files: files)
                == "sweep.yaml:2: base wrongs.yaml is not there; paths are relative to the file that names them; did you mean wrong.yaml?")
        #expect(
            try loadingError("name: x\nbase: wrong.yaml", files: files)
                == "wrong.yaml:2: unknown key prior.dmi; did you mean prior.dim?")
        #expect(try loadingError("name: x\nbase: []") == "sweep.yaml:2: base is an empty list")
    }

    @Test func commandLine() throws {
        let text = "name: x\naxes:\n  prior.layers: [2, 3]"
        #expect(try loadingError(text, set: ["prior.dmi=3"]) == "--set: unknown key prior.dmi; did you mean prior.dim?")
        #expect(try loadingError(text, set: ["prior.dim"]) == "--set: 'prior.dim' must be key=value, such as prior.steps=500")
        #expect(try loadingError(text, set: ["prior.dropout=1"]) == "--set: prior.dropout is 1, but must be 0 ≤ x < 1")
        #expect(try loadingError(text, set: ["axes={}"]) == "--set: axes belongs in the sweep file; --set takes settings, seeds and name")
        #expect(
            try loadingError(text, set: ["prior.layers=2"])
                == "--set: prior.layers would have no effect where sweep.yaml:3 sets prior.layers for some cells; choose among those "
                + "with --only, or change the file")
        #expect(
            try loadingError(text, set: ["prior.dim=96"]) == "--set: prior.rope_axes [12, 12, 8] sums to 32, but must sum to "
                + "the head width prior.dim / prior.heads = 96 / 4 = 24 (in prior.layers=2)")
        #expect(try loadingError(text, set: ["prior.dim=[1"])?.hasPrefix("--set: not valid YAML: ") == true)
        #expect(
            try loadingError(text, set: ["seed=3"]) == "--set: seed cannot be set: the replicates are a list or a map under "
                + "seeds, such as seeds: [0, 1, 2]")
        #expect(
            try loadingError(text, only: "prior.layers = ") == "--only: expected a value after '=', found the end\n"
                + "  prior.layers = \n                 ^")
        #expect(
            try loadingError(text, only: "prior.layers = 5")
                == "--only: no cell meets the condition; cells: prior.layers=2,seed=0; prior.layers=3,seed=0")
    }
}
