/// Something that can be read off a run's files.
enum Observable: String, Sendable {
    // Shapes.
    case encoderShapes, decoderShapes, jointShapes, priorShapes
    /// Ids of the AR model, tokens of an image, and of a sequence.
    case vocabulary, length, sequence
    // Tokenizer, at its first step: initial values, whatever is learned afterwards.
    case l1, l2, quantizer, prologueCE, eosCE, visualCE, jointCE, loss
    // What was learned, and its averages.
    case encoder, joint, jointAverage, tokenizerAverage, prior, priorAverage
    /// Codes begun anew.
    case visualRestarts, prologueRestarts
    case tokens, reconstructions, priorLoss, warm, cool

    /// The stage that has to be run for it.
    var role: String {
        switch self {
        case .vocabulary, .priorShapes, .prior, .priorAverage, .priorLoss: "prior"
        case .length, .tokens: "tokens"
        case .reconstructions: "reconstructions"
        case .warm, .sequence: "samples.nocfg"
        case .cool: "samples.cool"
        default: "tokenizer"
        }
    }
}

/// A key of the menu: a change of it, and what that changes.
struct MenuRow: Sendable, CustomStringConvertible {
    /// As in `Schema.settings`, with `*` for a name of the user's choice.
    let key: String
    /// The value it is changed to.
    let value: String
    /// Settings under which the key matters.
    var context: [String] = []
    /// Settings that must be changed with it to be valid.
    var also: [String] = []
    /// Roles of the stages that are made anew; all others must stay.
    let anew: Set<String>
    let changes: [Observable]
    let keeps: [Observable]
    /// Settings under which nothing reads the key, and the stages that it makes anew even so.
    var idle: [(context: [String], anew: Set<String>)] = []

    var description: String { "\(key)=\(value)" }
    var setting: String { "\(key.replacing("*", with: "cool"))=\(value)" }
}

/// The ablation menu: every setting of tokenizer, prior and samplers that results depend on.
enum MenuTable {
    static let rows =
        networks + quantizers + prologue + losses + imageLosses + jointModel + training + priorRows + samplers + guidance

    /// Keys that name weights which a user brings: `ImageLossRunTests` and `ImportTests` of the command line have such files.
    /// `SnapshotTests` there have snapshots, which change no weights; `SamplerTests` of the models have the precision of
    /// samplers, which need not change what so small a prior draws.
    static let elsewhere: Set = [
        "prior.snapshots", "sampling.settings.*.precision",
        "tokenizer.perceptual.network", "tokenizer.perceptual.weights", "tokenizer.perceptual.convnext_weights", "tokenizer.from",
        "prior.from",
    ]

    static let scored: Set<String> = ["samples.nocfg", "samples.cool", "scores.nocfg", "scores.cool"]
    static let priorOn = scored.union(["resample", "prior"])
    static let tokensOn = priorOn.union(["tokens", "probe", "reconstructions"])
    static let tokenizerOn = tokensOn.union(["tokenizer"])

    private static let initial: [Observable] = [.l1, .l2, .quantizer, .prologueCE, .eosCE, .visualCE, .jointCE]
    private static let shapes: [Observable] = [.encoderShapes, .decoderShapes, .jointShapes]

    private static func tokenizer(
        _ key: String, _ value: String, _ context: [String] = [], also: [String] = [], changes: [Observable],
        keeps: [Observable], idle: [(context: [String], anew: Set<String>)] = []
    ) -> MenuRow {
        MenuRow(
            key: "tokenizer.\(key)", value: value, context: context, also: also, anew: tokenizerOn, changes: changes,
            keeps: keeps, idle: idle)
    }

    private static let baseline = ["tokenizer.variant=baseline-2d"]
    private static let coupled = ["tokenizer.variant=coupled-2d"]

    private static let networks = [
        tokenizer("variant", "baseline-2d", changes: [.vocabulary, .length, .sequence], keeps: [.decoderShapes]),
        tokenizer("patch", "4", changes: [.length, .decoderShapes], keeps: [.vocabulary, .jointShapes]),
        tokenizer(
            "dim", "64", also: ["tokenizer.heads=2", "tokenizer.decoder_dim=32", "tokenizer.decoder_heads=1"],
            changes: [.encoderShapes], keeps: [.decoderShapes, .jointShapes, .vocabulary, .length]),
        tokenizer(
            "layers", "2", also: ["tokenizer.decoder_layers=1"], changes: [.encoderShapes],
            keeps: [.decoderShapes, .jointShapes, .vocabulary]),
        tokenizer(
            "heads", "2", also: ["tokenizer.rope_axes=[4, 6, 6]"], changes: [.encoderShapes],
            keeps: [.jointShapes, .vocabulary]),
        tokenizer(
            "decoder_dim", "64", also: ["tokenizer.decoder_heads=2"], changes: [.decoderShapes],
            keeps: [.encoderShapes, .jointShapes, .quantizer, .prologueCE, .eosCE, .visualCE]),
        tokenizer(
            "decoder_layers", "2", changes: [.decoderShapes],
            keeps: [.encoderShapes, .jointShapes, .quantizer, .prologueCE, .eosCE, .visualCE]),
        tokenizer(
            "decoder_heads", "2", also: ["tokenizer.decoder_dim=64"], changes: [.decoderShapes],
            keeps: [.encoderShapes, .jointShapes, .quantizer, .prologueCE]),
        tokenizer("rope_axes", "[12, 12, 8]", changes: [.encoder], keeps: shapes + [.vocabulary]),
        tokenizer("cond_dim", "16", changes: [.encoderShapes, .jointShapes], keeps: [.vocabulary, .priorShapes]),
    ]

    private static let lfq = "tokenizer.visual_quantizer=lfq"
    private static let grid = ["tokenizer.visual_quantizer=fsq", "tokenizer.codebook=12", "tokenizer.visual_levels=[3, 4]"]

    private static let quantizers = [
        tokenizer(
            "z_dim", "6", changes: [.encoderShapes, .decoderShapes], keeps: [.jointShapes, .vocabulary],
            idle: [([lfq, "tokenizer.prologue_quantizer=lfq"], [])]),
        tokenizer("codebook", "16", changes: [.vocabulary, .encoderShapes], keeps: [.decoderShapes, .length]),
        tokenizer(
            "visual_quantizer", "lfq", changes: [.encoderShapes, .decoderShapes],
            keeps: [.jointShapes, .vocabulary, .length]),
        tokenizer(
            "visual_quantizer", "gumbel", changes: [.quantizer, .encoder], keeps: shapes + [.vocabulary, .length]),
        tokenizer(
            "visual_temperature", "0.5", ["tokenizer.visual_quantizer=probq"], changes: [.encoder],
            keeps: initial + shapes, idle: [([], []), ([lfq], [])]),
        tokenizer(
            "visual_levels", "[4, 3]", grid, changes: [.encoder], keeps: shapes + [.vocabulary, .length],
            idle: [([], []), ([lfq], [])]),
        tokenizer("visual_restart", "1", changes: [.visualRestarts, .encoder], keeps: initial + shapes),
        tokenizer(
            "gumbel_temperature", "2", ["tokenizer.prologue_quantizer=gumbel"], changes: [.encoder], keeps: initial + shapes,
            idle: [([], []), (["tokenizer.prologue_quantizer=gumbel", "tokenizer.prologue_tokens=0"], [])]),
        tokenizer(
            "entropy_temperature", "0.1", ["tokenizer.loss.visual_entropy=0.1"], changes: [.loss, .encoder],
            keeps: initial + shapes, idle: [([], [])]),
        tokenizer(
            "commitment", "0.5", changes: [.quantizer, .loss], keeps: [.l1, .l2, .prologueCE, .visualCE] + shapes,
            idle: [(["tokenizer.visual_quantizer=probq"], [])]),
        tokenizer(
            "coupling_temperature", "0.5", coupled, changes: [.encoder], keeps: [.l1, .quantizer, .visualCE] + shapes,
            idle: [([], []), (baseline, [])]),
    ]

    private static let separate = ["tokenizer.prologue_encoder=separate"]

    private static let prologue = [
        tokenizer(
            "prologue_tokens", "3", changes: [.length, .encoderShapes], keeps: [.decoderShapes, .jointShapes, .vocabulary],
            idle: [(baseline, ["probe", "resample"])]),
        tokenizer(
            "prologue_codebook", "16", changes: [.vocabulary, .encoderShapes], keeps: [.l1, .quantizer, .decoderShapes, .length],
            idle: [(baseline, [])]),
        tokenizer(
            "prologue_quantizer", "lfq", changes: [.encoderShapes],
            keeps: [.l1, .l2, .quantizer, .decoderShapes, .jointShapes, .vocabulary, .length], idle: [(baseline, [])]),
        tokenizer(
            "prologue_quantizer", "gumbel", changes: [.prologueCE, .encoder],
            keeps: [.l1, .l2, .quantizer, .vocabulary, .length] + shapes, idle: [(baseline, [])]),
        tokenizer(
            "prologue_temperature", "0.5", changes: [.encoder], keeps: initial + shapes + [.loss], idle: [(baseline, [])]),
        tokenizer(
            "prologue_levels", "[4, 3]",
            ["tokenizer.prologue_quantizer=fsq", "tokenizer.prologue_codebook=12", "tokenizer.prologue_levels=[3, 4]"],
            changes: [.encoder], keeps: [.l1, .l2, .quantizer, .vocabulary, .length] + shapes, idle: [([], [])]),
        tokenizer(
            "prologue_restart", "1", changes: [.prologueRestarts, .encoder], keeps: initial + shapes, idle: [(baseline, [])]),
        tokenizer(
            "prologue_encoder", "separate", changes: [.encoderShapes], keeps: [.decoderShapes, .jointShapes, .vocabulary, .length],
            idle: [(["tokenizer.variant=prologue-post"], []), (baseline, [])]),
        tokenizer(
            "prologue_encoder_layers", "1", ["tokenizer.prologue_encoder=separate"], changes: [.encoderShapes],
            keeps: [.decoderShapes, .jointShapes, .vocabulary, .length], idle: [([], []), (baseline, [])]),
        tokenizer(
            "prologue_encoder_dim", "64", separate, also: ["tokenizer.prologue_encoder_heads=2"], changes: [.encoderShapes],
            keeps: [.decoderShapes, .jointShapes, .vocabulary, .length], idle: [([], []), (baseline, [])]),
        tokenizer(
            "prologue_encoder_heads", "2", separate, also: ["tokenizer.prologue_encoder_dim=64"], changes: [.encoderShapes],
            keeps: [.decoderShapes, .jointShapes, .vocabulary, .length], idle: [([], []), (baseline, [])]),
        MenuRow(
            // Of the frozen tokenizer, and so of all that is built on it.
            key: "tokenizer.base_steps", value: "5", context: ["tokenizer.variant=prologue-post"],
            anew: tokenizerOn.union(["base-tokenizer"]), changes: [.encoder], keeps: shapes + [.vocabulary, .length],
            idle: [([], []), (baseline, [])]),
        tokenizer(
            "eos", "false", ["tokenizer.visual_dropout=0"], changes: [.vocabulary, .sequence, .jointShapes, .eosCE],
            keeps: [.length, .l1, .l2, .quantizer, .encoderShapes, .decoderShapes], idle: [(baseline, [])]),
        tokenizer(
            "visual_dropout", "1", changes: [.visualCE, .jointCE],
            keeps: [.l1, .l2, .quantizer, .prologueCE, .eosCE] + shapes, idle: [(baseline, [])]),
    ]

    /// A weight changes the sum and what is learned, but no term of it.
    private static func weight(_ key: String, _ context: [String] = [], idle: [String]? = nil) -> MenuRow {
        var contexts: [(context: [String], anew: Set<String>)] = []
        if let idle { contexts.append((idle, [])) }
        return tokenizer(
            "loss.\(key)", "0.7", context, changes: [.loss, .encoder], keeps: initial.filter { $0 != .jointCE } + shapes,
            idle: contexts)
    }

    private static let losses = [
        weight("l1"), weight("l2"), weight("quantizer", idle: ["tokenizer.visual_quantizer=probq"]),
        weight("prologue_quantizer", ["tokenizer.prologue_quantizer=vq"], idle: []), weight("visual_entropy"),
        weight("prologue_entropy", idle: baseline), weight("ce_prologue", idle: baseline), weight("ce_visual", idle: baseline),
        weight("ce_coupled", coupled, idle: []),
    ]

    /// A term of whole images: it adds to the sum, and to what is learned, and to no other term.
    private static func image(_ key: String, _ value: String, _ context: [String], loss: Bool = false) -> MenuRow {
        tokenizer(
            key, value, context, changes: [.encoder] + (loss ? [.loss] : []), keeps: initial + shapes,
            idle: loss ? [] : [([], [])])
    }

    private static let judged = ["tokenizer.gan={weight: 0.5, width: 4, layers: 1}"]
    private static let perceived = ["tokenizer.perceptual.weight=0.5"]
    private static let perceptual = tokenizerOn.union(["perceptual-features"])

    private static let imageLosses = [
        // Large: the logits of a new discriminator average nearly 0, and its term must show beside the others.
        image("gan.weight", "100", ["tokenizer.gan.width=4", "tokenizer.gan.layers=1"], loss: true),
        image("gan.loss", "hinge", judged), image("gan.start_step", "2", judged), image("gan.lecam", "0.5", judged),
        image("gan.width", "8", judged), image("gan.layers", "2", judged), image("gan.learning_rate", "0.01", judged),
        image("gan.weight_decay", "0.5", judged),
        // The first step has a rate of 0, and the next of every 25 does not come.
        image("gan.r1", "2", ["tokenizer.gan={weight: 0.5, width: 4, layers: 1, r1_every: 1}"]),
        image("gan.r1_every", "2", ["tokenizer.gan={weight: 0.5, width: 4, layers: 1, r1: 2}"]),
        MenuRow(
            key: "tokenizer.perceptual.weight", value: "0.5", anew: perceptual, changes: [.loss, .encoder],
            keeps: initial + shapes),
        MenuRow(
            key: "tokenizer.perceptual.seed", value: "2", context: perceived, anew: perceptual, changes: [.loss, .encoder],
            keeps: initial + shapes, idle: [([], [])]),
    ]

    private static func joint(_ key: String, _ value: String, also: [String] = [], changes: [Observable], keeps: [Observable])
        -> MenuRow
    {
        tokenizer(
            "joint_ar.\(key)", value, also: also, changes: changes, keeps: [.l1, .l2, .quantizer, .encoderShapes] + keeps,
            idle: [(baseline, []), (["tokenizer.variant=prologue-onestage"], [])])
    }

    private static let oneStage = ["tokenizer.variant=prologue-onestage"]

    /// What a joint model has of its own where it is the prior, too: the sampled ones, then, are others.
    private static func course(_ key: String, _ value: String, _ context: [String] = [], changes: Observable) -> MenuRow {
        tokenizer(
            "joint_ar.\(key)", value, context, changes: [changes],
            keeps: [.l1, .l2, .quantizer, .encoderShapes, .jointShapes, .jointCE], idle: [(baseline, [])])
    }

    private static let jointModel = [
        joint("dim", "64", also: ["tokenizer.joint_ar.heads=2"], changes: [.jointShapes], keeps: [.priorShapes]),
        joint("layers", "2", changes: [.jointShapes], keeps: [.priorShapes]),
        joint("heads", "2", also: ["tokenizer.joint_ar.rope_axes=[4, 6, 6]"], changes: [.jointShapes], keeps: [.priorShapes]),
        joint("rope_axes", "[8, 12, 12]", changes: [.joint], keeps: [.jointShapes]),
        joint("tied", "true", changes: [.jointShapes], keeps: [.priorShapes]),
        joint("positions", "hybrid", changes: [.joint], keeps: [.jointShapes]),
        joint("label_drop", "0", changes: [.joint], keeps: [.jointShapes]),
        joint("weight_decay", "0.5", changes: [.joint], keeps: [.jointShapes, .jointCE, .prologueCE]),
        course("beta1", "0.5", changes: .joint), course("beta2", "0.7", changes: .joint),
        course("ema_half_life", "0.1", changes: .jointAverage),
        course("beta1", "0.5", oneStage, changes: .joint), course("ema_half_life", "0.1", oneStage, changes: .jointAverage),
    ]

    /// What both stages that train have, with the roles that a change makes anew.
    private static func optimizer(
        _ stage: String, _ anew: Set<String>, learned: Observable, averaged: Observable, keeps: [Observable]
    ) -> [MenuRow] {
        func row(_ key: String, _ value: String, _ context: [String] = []) -> MenuRow {
            MenuRow(
                key: "\(stage).\(key)", value: value, context: context, anew: anew, changes: [learned], keeps: keeps)
        }
        return [
            row("optimizer.lr", "2e-3"), row("optimizer.end_lr", "5e-4"), row("optimizer.warmup", "2"),
            row("optimizer.decay_start", "3"), row("optimizer.beta1", "0.5"), row("optimizer.beta2", "0.7"),
            row("optimizer.epsilon", "1e-3"), row("optimizer.weight_decay", "0.7"), row("optimizer.clip", "1e-3"),
            row("steps", "5"),
            MenuRow(
                key: "\(stage).ema_half_life", value: "0.1", anew: anew, changes: [averaged], keeps: [learned] + keeps),
        ]
    }

    private static let training =
        optimizer(
            "tokenizer", tokenizerOn, learned: .encoder, averaged: .tokenizerAverage, keeps: initial + shapes + [.loss])
        + [
            tokenizer("precision", "bfloat16", changes: [.encoder, .joint], keeps: shapes + [.vocabulary, .length]),
            tokenizer("batch", "4", changes: [.l1, .encoder], keeps: shapes + [.vocabulary, .length]),
            tokenizer("crop", "random", changes: [.encoder], keeps: shapes + [.vocabulary, .length]),
            tokenizer(
                "crop_min", "0.5", ["tokenizer.crop=random"], changes: [.encoder], keeps: shapes + [.vocabulary, .length],
                idle: [([], [])]),
            tokenizer("flip", "true", changes: [.encoder], keeps: shapes + [.vocabulary, .length]),
            MenuRow(
                // Not the tokens: after so few steps both kinds of weights may choose the same codes.
                key: "tokenizer.ema", value: "false", context: ["tokenizer.optimizer.lr=0.05"], anew: tokensOn,
                changes: [.reconstructions], keeps: initial + shapes + [.encoder, .joint, .tokenizerAverage, .vocabulary]),
        ]

    private static func prior(
        _ key: String, _ value: String, _ context: [String] = [], also: [String] = [], changes: [Observable],
        keeps: [Observable] = []
    ) -> MenuRow {
        MenuRow(
            key: "prior.\(key)", value: value, context: context, also: also, anew: priorOn, changes: changes,
            keeps: [.tokens, .encoder, .length] + keeps)
    }

    private static let priorRows =
        [
            prior("dim", "64", also: ["prior.heads=2"], changes: [.priorShapes], keeps: [.vocabulary]),
            prior("layers", "2", changes: [.priorShapes], keeps: [.vocabulary]),
            prior("heads", "2", also: ["prior.rope_axes=[4, 6, 6]"], changes: [.priorShapes], keeps: [.vocabulary]),
            prior("rope_axes", "[8, 12, 12]", changes: [.prior], keeps: [.priorShapes]),
            prior("cond_dim", "16", changes: [.priorShapes], keeps: [.vocabulary]),
            prior("tied", "true", changes: [.priorShapes], keeps: [.vocabulary]),
            prior("positions", "hybrid", changes: [.prior], keeps: [.priorShapes]),
            prior("prologue_order", "backward", changes: [.prior], keeps: [.priorShapes, .tokens]),
            prior("precision", "bfloat16", changes: [.prior], keeps: [.priorShapes]),
            prior("dropout", "0.3", changes: [.prior], keeps: [.priorShapes]),
            prior("attention_dropout", "0.3", changes: [.prior], keeps: [.priorShapes]),
            prior("label_drop", "0.5", changes: [.prior], keeps: [.priorShapes]),
            prior("unconditional", "true", changes: [.prior], keeps: [.priorShapes]),
            prior("batch", "4", changes: [.priorLoss, .prior], keeps: [.priorShapes]),
        ]
        + optimizer(
            "prior", priorOn, learned: .prior, averaged: .priorAverage, keeps: [.priorShapes, .priorLoss, .tokens, .encoder])

    /// A prior that has learned something, drawn from hot and often, so that samplers have something to differ in: each row
    /// changes eight tokens or more.
    private static let learned = [
        "prior.optimizer.lr=0.05", "prior.steps=8", "sampling.count=60", "sampling.settings.cool.temperature=3",
    ]

    private static func sampler(_ key: String, _ value: String, _ context: [String] = []) -> MenuRow {
        MenuRow(
            key: "sampling.settings.*.\(key)", value: value,
            context: learned + context.map { "sampling.settings.cool.\($0)" }, anew: ["samples.cool", "scores.cool"],
            changes: [.cool], keeps: [.warm, .prior, .priorAverage, .tokens])
    }

    private static let samplers = [
        sampler("temperature", "0.05"), sampler("prologue_temperature", "0.02"), sampler("top_k", "1"),
        sampler("top_p", "0.2"), sampler("unconditional", "true"), sampler("ema", "false"),
    ]

    private static let guidance =
        [
            sampler("guidance.scale", "6"), sampler("guidance.schedule", "linear", ["guidance.scale=9"]),
            sampler("guidance.power", "0.2", ["guidance.scale=9", "guidance.schedule=cosine"]),
        ]
        + ["prologue_guidance", "visual_guidance"].flatMap { part in
            [
                sampler("\(part).scale", "9", ["\(part).scale=1"]),
                sampler("\(part).schedule", "linear", ["\(part).scale=9"]),
                sampler("\(part).power", "0.2", ["\(part).scale=\(part == "visual_guidance" ? 200 : 9)", "\(part).schedule=cosine"]),
                sampler("\(part).start", "15", ["\(part).scale=1", "\(part).schedule=linear"]),
            ]
        }
}
