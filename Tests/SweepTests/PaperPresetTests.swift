import Files
import Foundation
import Settings
import Sweep
import TestSupport
import Testing

/// The presets of the paper's models, and the sweep of all of them, key by key against the released recipe (method §3 to §5).
@Suite struct PaperPresetTests {
    /// A tokenizer with an AR model: where it is, and what the recipe has for it.
    struct Model: Sendable {
        let preset: String
        /// The arm of a preset that has several.
        var arm: String?
        /// Its arm of `Experiments/08-imagenet`; nil where the paper's table has no such row.
        var row: String?
        /// What differs from `shared`.
        var changes: [String: JSONValue] = [:]
        /// Temperatures without guidance, of prologue and image.
        let temperatures: (prologue: Double?, visual: Double)
        let guidance: Guidance
    }

    enum Guidance {
        case overall(Double, power: Double)
        case split(prologue: Double, visual: Double, power: Double)
    }

    private static let (arL, arXL): ([String: JSONValue], [String: JSONValue]) = (
        ["prior.dim": 1024, "prior.layers": 24, "prior.heads": 16],
        ["prior.dim": 1280, "prior.layers": 32, "prior.heads": 20]
    )
    private static let tokenizerL: [String: JSONValue] = [
        "tokenizer.codebook": 4096, "tokenizer.decoder_dim": 1024, "tokenizer.decoder_layers": 24, "tokenizer.decoder_heads": 16,
        "tokenizer.perceptual.network": "convnext",
    ]
    private static func baseline(_ variant: JSONValue) -> [String: JSONValue] {
        ["tokenizer.variant": variant, "tokenizer.steps": 750_000]
    }

    static let models = [
        Model(
            preset: "imagenet-baselines", arm: "baseline-1d", row: "baseline-1d", changes: baseline("baseline-1d"),
            temperatures: (nil, 0.85), guidance: .overall(19, power: 1.75)),
        Model(
            preset: "imagenet-baselines", arm: "baseline-2d", row: "baseline-2d", changes: baseline("baseline-2d"),
            temperatures: (nil, 0.85), guidance: .overall(10, power: 1.5)),
        Model(
            preset: "imagenet-s", changes: ["prior.dim": 512, "prior.layers": 10, "prior.heads": 8, "prior.tied": true],
            temperatures: (0.7, 0.9), guidance: .split(prologue: 0.7, visual: 3.75, power: 0.2)),
        Model(
            preset: "imagenet-b", row: "b-b", temperatures: (0.7, 0.9),
            guidance: .split(prologue: 0.7, visual: 3.75, power: 0.2)),
        Model(
            preset: "imagenet-b-l", row: "b-l", changes: arL, temperatures: (0.7, 0.9),
            guidance: .split(prologue: 0.8, visual: 3, power: 0.225)),
        Model(
            preset: "imagenet-b-xl", row: "b-xl", changes: arXL, temperatures: (0.8, 0.9),
            guidance: .split(prologue: 0.8, visual: 2.75, power: 0.25)),
        Model(
            preset: "imagenet-l-b", row: "l-b", changes: tokenizerL, temperatures: (0.8, 0.95),
            guidance: .split(prologue: 0.65, visual: 2.75, power: 0.25)),
        Model(
            preset: "imagenet-l", row: "l-l", changes: tokenizerL.merging(arL) { $1 }, temperatures: (0.95, 0.9),
            guidance: .split(prologue: 0.7, visual: 2.5, power: 0.25)),
        Model(
            preset: "imagenet-xl", row: "l-xl", changes: tokenizerL.merging(arXL) { $1 }, temperatures: (1, 0.9),
            guidance: .split(prologue: 0.7, visual: 2.25, power: 0.225)),
        Model(
            preset: "imagenet-post", row: "post",
            changes: [
                "tokenizer.variant": "prologue-post", "tokenizer.steps": 1_300_000, "tokenizer.prologue_encoder": "separate",
                "tokenizer.prologue_encoder_layers": 10, "tokenizer.prologue_encoder_dim": 512, "tokenizer.prologue_encoder_heads": 8,
                "tokenizer.base_steps": 750_000,
            ], temperatures: (0.8, 0.8), guidance: .split(prologue: 0.6, visual: 3.75, power: 0.25)),
        Model(
            preset: "imagenet-onestage", row: "onestage", changes: ["tokenizer.variant": "prologue-onestage"],
            temperatures: (0.8, 0.8), guidance: .split(prologue: 0.8, visual: 3.75, power: 0.25)),
    ]

    /// What all have that do not say otherwise: B + B.
    private static let shared: [String: JSONValue] = [
        "data.image_size": 256, "data.channels": 3, "data.train_count": .null, "data.test_count": .null,
        "data.expected.classes": 1000, "data.expected.train_count": 1_281_167, "data.expected.test_count": 50_000,

        "tokenizer.variant": "prologue", "tokenizer.patch": 16, "tokenizer.rope_axes": [20, 20, 24],
        "tokenizer.dim": 768, "tokenizer.layers": 12, "tokenizer.heads": 12,
        "tokenizer.decoder_dim": .null, "tokenizer.decoder_layers": .null, "tokenizer.decoder_heads": .null,
        "tokenizer.cond_dim": 32, "tokenizer.z_dim": 14, "tokenizer.commitment": 0.25,
        "tokenizer.codebook": 16384, "tokenizer.visual_quantizer": "vq", "tokenizer.visual_restart": .null,
        "tokenizer.prologue_tokens": 16, "tokenizer.prologue_codebook": 1024, "tokenizer.prologue_quantizer": "probq",
        "tokenizer.prologue_temperature": 0.1, "tokenizer.prologue_restart": .null, "tokenizer.prologue_encoder": .null,
        "tokenizer.eos": true, "tokenizer.visual_dropout": 0.5, "tokenizer.precision": "bfloat16",
        "tokenizer.loss.l1": 1, "tokenizer.loss.l2": 1, "tokenizer.loss.quantizer": 1,
        "tokenizer.loss.visual_entropy": 0, "tokenizer.loss.prologue_entropy": 0,
        "tokenizer.loss.ce_prologue": 3, "tokenizer.loss.ce_visual": 3,
        "tokenizer.gan.weight": 0.1, "tokenizer.gan.loss": "vanilla", "tokenizer.gan.start_step": 0,
        "tokenizer.gan.lecam": 0.001, "tokenizer.gan.width": 64, "tokenizer.gan.layers": 3, "tokenizer.gan.learning_rate": .null,
        "tokenizer.gan.r1": 0.01, "tokenizer.gan.r1_every": 25, "tokenizer.gan.weight_decay": 1e-4,
        "tokenizer.perceptual.weight": 1, "tokenizer.perceptual.network": "lpips",
        "tokenizer.joint_ar.dim": 512, "tokenizer.joint_ar.layers": 7, "tokenizer.joint_ar.heads": 8,
        "tokenizer.joint_ar.rope_axes": [24, 20, 20], "tokenizer.joint_ar.tied": false, "tokenizer.joint_ar.positions": "1d",
        "tokenizer.joint_ar.label_drop": 1, "tokenizer.joint_ar.weight_decay": 0.03,
        "tokenizer.joint_ar.beta1": 0.9, "tokenizer.joint_ar.beta2": 0.99, "tokenizer.joint_ar.ema_half_life": 2500,
        "tokenizer.steps": 1_000_000, "tokenizer.batch": 256, "tokenizer.ema_half_life": 1000, "tokenizer.ema": true,
        "tokenizer.optimizer.lr": 1e-4, "tokenizer.optimizer.end_lr": 1e-5, "tokenizer.optimizer.warmup": 20_000,
        "tokenizer.optimizer.decay_start": 120_000, "tokenizer.optimizer.beta1": 0, "tokenizer.optimizer.beta2": 0.99,
        "tokenizer.optimizer.epsilon": 1e-8, "tokenizer.optimizer.weight_decay": 0, "tokenizer.optimizer.clip": .null,
        "tokenizer.flip": true, "tokenizer.crop": "random", "tokenizer.crop_min": 0.8,

        "tokens.crops": "ten",

        "prior.dim": 768, "prior.layers": 12, "prior.heads": 12, "prior.rope_axes": [24, 20, 20], "prior.cond_dim": 32,
        "prior.tied": false, "prior.positions": "1d", "prior.prologue_order": "forward", "prior.precision": "bfloat16",
        "prior.dropout": 0.1, "prior.attention_dropout": 0, "prior.label_drop": 0.1, "prior.unconditional": false,
        "prior.steps": 500_000, "prior.batch": 2048, "prior.ema_half_life": 2500,
        "prior.optimizer.lr": 4e-4, "prior.optimizer.end_lr": 1e-5, "prior.optimizer.warmup": 62_500,
        "prior.optimizer.decay_start": 62_500, "prior.optimizer.beta1": 0.9, "prior.optimizer.beta2": 0.96,
        "prior.optimizer.epsilon": 1e-8, "prior.optimizer.weight_decay": 0.03, "prior.optimizer.clip": 1,

        "sampling.count": 50_000,

        "data.set": "imagenet", "features.network": "inception", "scores.reference": "VIRTUAL_imagenet256_labeled.npz",
        "scores.precision_recall": true,
    ]

    /// What changes no number, or is this project's own choice beside the recipe.
    private static let ours: Set = ["sampling.batch"]

    /// A way of sampling: plain, from the raw weights, unless `changes` say more.
    private static func sampler(_ name: String, _ changes: [String: JSONValue]) -> [String: JSONValue] {
        let plain: [String: JSONValue] = [
            "temperature": 1, "prologue_temperature": .null, "top_k": 0, "top_p": 1, "unconditional": false, "ema": false,
            "guidance.scale": 0, "guidance.schedule": "constant", "guidance.power": 1, "prologue_guidance": .null,
            "visual_guidance": .null,
        ]
        let isSplit = changes["visual_guidance.scale"] != nil
        let all = plain.merging(changes) { $1 }
            .filter { !isSplit || !["prologue_guidance", "visual_guidance"].contains($0.key) }
        return Dictionary(uniqueKeysWithValues: all.map { ("sampling.settings.\(name).\($0.key)", $0.value) })
    }

    private static func guided(_ guidance: Guidance) -> [String: JSONValue] {
        switch guidance {
        case .overall(let scale, let power):
            [
                "guidance.scale": .normalized(scale), "guidance.schedule": "cosine", "guidance.power": .normalized(power),
            ]
        case .split(let prologue, let visual, let power):
            [
                "prologue_guidance.scale": .normalized(prologue), "prologue_guidance.schedule": "constant",
                "prologue_guidance.power": 1, "prologue_guidance.start": .null,
                "visual_guidance.scale": .normalized(visual), "visual_guidance.schedule": "cosine",
                "visual_guidance.power": .normalized(power), "visual_guidance.start": .null,
            ]
        }
    }

    private static func table(of model: Model) -> [String: JSONValue] {
        let (prologue, visual) = model.temperatures
        return [
            shared, model.changes, sampler("nocfg", [:]),
            sampler(
                "tuned",
                ["temperature": .normalized(visual), "prologue_temperature": prologue.map { .normalized($0) } ?? .null]),
            sampler("cfg", guided(model.guidance)),
        ].reduce([:]) { $0.merging($1) { $1 } }
    }

    /// Every value below `value` by its dotted path.
    private static func leaves(_ value: JSONValue, under path: String) -> [(path: String, value: JSONValue)] {
        guard let members = value.objectValue else { return [(path, value)] }
        return members.flatMap { leaves($0.value, under: "\(path).\($0.key)") }
    }

    private static func sweep(_ path: String) throws -> SweepFile {
        try SweepFile(loading: packageRoot.appendingPathComponent("Experiments/\(path).yaml"))
    }

    private static func cell(of model: Model) throws -> Cell {
        let sweep = try sweep("presets/\(model.preset)")
        #expect(sweep.name == model.preset)
        guard let arm = model.arm else {
            #expect(sweep.cells.count == 1)
            return try #require(sweep.cells.first)
        }
        return try #require(sweep.cells.first { $0.lookup("arm") == .string(arm) })
    }

    @Test(arguments: models.indices)
    func presetIsTheReleasedRecipe(index: Int) throws {
        let model = Self.models[index]
        let cell = try Self.cell(of: model)
        let table = Self.table(of: model)
        for (key, value) in table {
            #expect(cell.resolved[path: key] == value, "\(model.preset): \(key)")
        }
        // Nothing that matters is left to chance: what a stage reads is in the table.
        let settings = cell.settings
        let read = [
            "tokenizer": settings.tokenizer.stageIdentity, "tokens": settings.tokens.identity, "prior": settings.prior.identity,
            "sampling": settings.sampling.identity,
        ].flatMap { Self.leaves($0.value, under: $0.key) }
        #expect(read.count > 70)
        for (key, value) in read where !Self.ours.contains(key) {
            #expect(table[key] != nil, "\(model.preset): \(key) is \(value.canonical); what has the recipe?")
        }
    }

    @Test func everyPresetOfThePaperIsInTheTable() throws {
        let folder = packageRoot.appendingPathComponent("Experiments/presets")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasPrefix("imagenet-") }
        #expect(Set(files) == Set(Self.models.map { "\($0.preset).yaml" }))
    }

    /// `Experiments/08-imagenet` repeats what its arms differ in: they are the presets, and all but S, which the table lacks.
    @Test func theSweepOfThePapersTableIsThePresets() throws {
        let sweep = try Self.sweep("08-imagenet/sweep")
        let rows = Self.models.compactMap(\.row)
        #expect(sweep.cells.compactMap { $0.lookup("arm")?.stringValue }.sorted() == rows.sorted())
        #expect(rows.count == Self.models.count - 1)
        for model in Self.models {
            guard let row = model.row else { continue }
            let arm = try #require(sweep.cells.first { $0.lookup("arm") == .string(row) })
            #expect(arm.identity == (try Self.cell(of: model)).identity, "\(row) is not \(model.preset)")
        }
    }
}
