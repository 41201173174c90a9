import Evaluation
import Files
import Foundation
import ImageData
import Metrics
import Models
import RunStore
import Settings
import TensorCore

/// Completions: some tokens of held-out images are given, the prior draws the others, with the class and without it.
///
/// What the completions of one image's tokens have in common, and what they share with the image, is what those tokens
/// say. `class` in a score's name means that the prior was told the class; without it (`noclass`) all must come from the
/// tokens. Resampling with the class given, as in the paper, tells little: the label alone makes images alike.
struct CompletionStage: Stage {
    let settings: SemanticsSettings
    /// K, tokens in the controls: the prologue's length in the run's settings.
    let tokenCount: Int
    let prior: PriorStage
    let features: FeatureStage
    let reconstructions: ReconstructionStage

    var role: String { "completions" }
    private var tokenizer: TokenizerStage { prior.tokenizer }

    var identity: StageIdentity {
        StageIdentity(
            kind: "completions",
            settings: [
                "groups": .int(settings.groups), "draws": .int(settings.draws),
                "prefixes": .array(settings.prefixes.map { .int($0) }), "temperature": .number(settings.temperature),
                "seed": .int(settings.seed), "tokens": .int(tokenCount),
            ],
            inputs: ["prior": prior.id, "features": features.id, "reconstructions": reconstructions.id], formatVersion: 2)
    }

    static let file = "completions.h5"
    static let pictureFile = "completions.png"

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let layout = tokenizer.layout
        let (model, ar) = (try tokenizer.load(context), try prior.load(context))
        let extractor = try features.extractor(context)
        let real = try reconstructions.reference(context).images.pooled
        let sources = try CompletionSources(
            tokenizer.dataset.test, tokens: prior.sequences(context).test, layout, count: settings.groups)
        let sourceFeatures = try extractor.features(sources.pixels).pooled
        let sets = GivenTokens.sets(
            layout, prefixes: settings.prefixes, count: tokenCount,
            order: TokenSet.order(layout, seed: settings.seed, tokenizerSeed: tokenizer.seed))
        var measured: [(set: String, mode: String, measures: CompletionMeasures)] = []
        var rows: [(set: GivenTokens, pixels: [UInt8])] = []
        for (place, set) in sets.enumerated() {
            for mode in ["class", "noclass"] {
                context.progress.note("completions: \(set.name), \(mode) (set \(place + 1) of \(sets.count))")
                let pixels = try complete(set, sources, ar, model, isTold: mode == "class")
                let measures = try CompletionMeasures(
                    pixels, try extractor.features(pixels), sources, sourceFeatures, draws: settings.draws, real: real)
                measured.append((set.name, mode, measures))
                if mode == "noclass" { rows.append((set, pixels)) }
                try Interruption.check()
            }
        }
        var values: [String: Double?] = [:]
        for (set, mode, measures) in measured {
            measures.note(in: &values, [.tokens: set, .told: mode], features: features.spaceName, seed: settings.seed)
        }
        try HDF5File.write(atomicallyTo: work.url(Self.file)) { file in
            try file.write(
                sources.images.map(Int32.init), to: "sources", shape: [sources.images.count],
                attributes: ["axes": ["group"], "content": "index among the held-out images"])
            for (set, mode, measures) in measured {
                try file.makeGroup("\(set).\(mode)")
                for (name, _, groups) in measures.perGroup {
                    try file.write(groups, to: "\(set).\(mode)/\(name)", shape: [groups.count], attributes: ["axes": ["group"]])
                }
            }
        }
        try work.save(
            Scores(
                protocol: [
                    "features": .string(features.id), "reference": .string(try reconstructions.references.fingerprint),
                    "groups": .int(settings.groups), "draws": .int(settings.draws),
                    "temperature": .number(settings.temperature), "seed": .int(settings.seed),
                ], values: values), named: "completions")
        try picture(sources, rows, to: work.url(Self.pictureFile))
        return ["sets": .array(sets.map { .string($0.name) })]
    }

    /// Pixels of `draws` completions for each source, group by group.
    private func complete(
        _ set: GivenTokens, _ sources: CompletionSources, _ ar: TrainedPrior, _ model: TrainedTokenizer, isTold: Bool
    ) throws -> [UInt8] {
        let length = tokenizer.layout.length
        let count = sources.images.count * settings.draws
        var given = [Int32](repeating: -1, count: count * length)
        for row in 0..<count {
            let source = row / settings.draws
            for t in set.positions { given[row * length + t] = sources.targets.ids[source * length + t] }
        }
        var sampler = SamplerSettings()
        sampler.temperature = settings.temperature
        let labels = (0..<count).map { isTold ? sources.labels[$0 / settings.draws] : ar.unconditionalLabel }
        let ids = try ar.sampler(sampler, batch: min(SampleDrawing.standardBatch, count)).sample(
            labels: labels, seed: settings.seed, given: TokenTensor(given, shape: [count, length]))
        return try model.decode(tokenizer.layout.visualIndices(ids))
    }

    /// The first sources as columns; below each, one completion from every set of given tokens, without the class.
    private func picture(
        _ sources: CompletionSources, _ rows: [(set: GivenTokens, pixels: [UInt8])], to url: URL
    ) throws {
        let test = tokenizer.dataset.test
        let size = test.pixelsPerImage
        let columns = min(12, sources.images.count)
        var pixels = Array(sources.pixels[..<(columns * size)])
        for row in rows {
            for column in 0..<columns {
                let start = column * settings.draws * size
                pixels += row.pixels[start..<start + size]
            }
        }
        let grid = ImageGrid(
            columns: columns, rowLabels: ["source"] + rows.map(\.set.name),
            title: "\(tokenizer.settings.variant.rawValue): tokens given, rest drawn without the class")
        try PNG.write(grid.picture(pixels, height: test.height, width: test.width, channels: test.channels), to: url)
    }
}

/// The held-out images whose tokens are given: classes in turn.
struct CompletionSources {
    /// Indices among the held-out images.
    let images: [Int]
    let labels: [Int32]
    /// Their tokens in the AR vocabulary, [images, T].
    let targets: TokenTensor
    /// Their pixels (image, row, column, channel).
    let pixels: [UInt8]
    let height, width, channels: Int

    init(_ set: ImageSet, tokens: TokenFile.Half, _ layout: SequenceLayout, count: Int) throws {
        var members = [[Int]](repeating: [], count: set.classNames.count)
        for (index, label) in set.labels.enumerated() { members[Int(label)].append(index) }
        let present = members.filter { !$0.isEmpty }
        guard !present.isEmpty, count <= set.labels.count else {
            throw InputError("semantics.groups is \(count), but there are \(set.labels.count) held-out images")
        }
        var chosen: [Int] = []
        var round = 0
        while chosen.count < count {
            chosen += present.compactMap { round < $0.count ? $0[round] : nil }
            round += 1
        }
        images = Array(chosen.prefix(count))
        labels = images.map { set.labels[$0] }
        targets = layout.targets(tokens.batch(images).indices)
        pixels = try set.pixels(of: images)
        (height, width, channels) = (set.height, set.width, set.channels)
    }
}

extension CompletionStage {
    var picture: (file: String, description: String)? {
        (Self.pictureFile, "below each image, what the prior makes of some of its tokens, not knowing the class")
    }
}
