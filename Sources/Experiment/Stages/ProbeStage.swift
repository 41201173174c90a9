import Evaluation
import Files
import Foundation
import ImageData
import Metrics
import Models
import RunStore
import Settings
import TensorCore

/// The linear probe: what a linear classifier reads off a few tokens.
///
/// Token sets, features, controls and classifier are settings (`ProbedTokens`, `ProbedFeature`, `ProbeControl`,
/// `ProbeClassifier`). The logistic classifier's penalty is chosen on a validation split of the training half.
struct ProbeStage: Stage {
    let role: String
    let settings: ProbeSettings
    /// K, tokens in a set; the same for tokenizers without a prologue.
    let tokenCount: Int
    let tokens: TokenStage
    /// Whose embeddings are read, where they are asked for.
    let prior: PriorStage?

    init(settings: ProbeSettings, tokenCount: Int, tokens: TokenStage, prior: PriorStage, role: String = "probe") {
        self.role = role
        self.settings = settings
        self.tokenCount = tokenCount
        self.tokens = tokens
        self.prior = settings.features.contains(.embeddings) ? prior : nil
    }

    private var tokenizer: TokenizerStage { tokens.tokenizer }
    private var dataset: Dataset { tokenizer.dataset }

    var identity: StageIdentity {
        StageIdentity(
            kind: "probe", settings: ["probe": settings.identity, "tokens": .int(tokenCount)],
            inputs: ["tokens": tokens.id].merging(prior.map { ["prior": $0.id] } ?? [:]) { $1 }, formatVersion: 3)
    }

    static let file = "probe.h5"
    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let layout = tokenizer.layout
        let stored = try tokens.load(context)
        let train = stored.train.balanced(settings.trainCount, classes: dataset.classes)
        let test = stored.test.balanced(settings.testCount ?? stored.test.count, classes: dataset.classes)
        var table = ProbeTable(
            trainLabels: train.map { Int(stored.train.labels[$0]) }, testLabels: test.map { Int(stored.test.labels[$0]) },
            classes: dataset.classes, settings: settings)
        let indices = (stored.train.batch(train).indices, stored.test.batch(test).indices)
        let order = TokenSet.order(layout, seed: settings.seed, tokenizerSeed: tokenizer.seed)
        let sets = settings.tokens.flatMap { TokenSet.sets($0, layout, count: tokenCount, order: order) }
        let model = try tokenizer.loadModel(context)

        for feature in settings.features {
            let vectors = try feature == .onehot ? nil : vectors(feature, indices, train, test, model, context)
            for set in sets where isRead(feature, of: set) {
                let probed = ProbedSet(tokens: set.name, reading: feature == .codes ? nil : feature)
                if feature == .codes, table.addKnown(probed, cells: set.cells) { continue }
                context.progress.note("probe: \(set.name), \(feature.rawValue), \(train.count) training images")
                if let (fitted, held) = vectors {
                    let isMean = feature == .mean
                    try table.add(
                        probed, isMean ? fitted.mean(set) : fitted.concatenated(set),
                        isMean ? held.mean(set) : held.concatenated(set), cells: feature == .codes ? set.cells : nil)
                } else {
                    try table.add(
                        probed, OneHotMatrix(indices.0, layout, set), OneHotMatrix(indices.1, layout, set))
                }
                try Interruption.check()
            }
        }
        try addControls(&table, sets, indices, train, test, model)
        var values = table.values
        // The tokens that the paper compares: the prologue where there is one, else the first K.
        let tokens = ["prologue", "first"].map { Measure.probeTop1.name([.tokens: $0, .bound: ""]) }
        values[Measure.probeTop1.name()] = values[tokens[0]] ?? values[tokens[1]] ?? nil
        try table.write(to: work.url(Self.file))
        try work.save(
            Scores(
                protocol: [
                    "classifier": .string(table.classifier), "tokens": .int(tokenCount),
                    "train_count": .int(train.count), "count": .int(test.count),
                ], values: values), named: "probe")
        return ["tokens": .int(tokenCount)]
    }

    /// Curves and pooled tokens are there to vary tokens, not features.
    private func isRead(_ feature: ProbedFeature, of set: TokenSet) -> Bool {
        switch feature {
        case .codes: true
        case .onehot: !set.isPooled && !set.isOnCurve
        default: !set.isPooled && !set.isOnCurve && set.name != "all"
        }
    }

    // MARK: Features

    private func vectors(
        _ feature: ProbedFeature, _ indices: (TokenTensor, TokenTensor), _ train: [Int], _ test: [Int], _ model: Tokenizer,
        _ context: ExperimentContext
    ) throws -> (TokenVectors, TokenVectors) {
        let layout = tokenizer.layout
        func lookup(prologue: Tensor?, visual: Tensor) -> (TokenVectors, TokenVectors) {
            (
                TokenVectors(indices.0, layout, prologue: prologue, visual: visual),
                TokenVectors(indices.1, layout, prologue: prologue, visual: visual)
            )
        }
        switch feature {
        case .codes, .mean, .onehot:
            let tables = model.codeTables(layout)
            return lookup(prologue: tables.prologue, visual: tables.visual)
        case .points: return (try points(dataset.train, train, model), try points(dataset.test, test, model))
        case .embeddings:
            guard let prior else { throw InputError("embeddings need the prior") }
            let all = try prior.load(context).model.tokenEmbeddings
            return lookup(
                prologue: layout.hasPrologue ? sliceRows(all, layout.visualCodes..<layout.eos) : nil,
                visual: sliceRows(all, 0..<layout.visualCodes))
        }
    }

    /// What the quantizers are given for the images at `rows`.
    private func points(_ set: ImageSet, _ rows: [Int], _ model: Tokenizer) throws -> TokenVectors {
        var parts: (prologue: [Tensor], visual: [Tensor]) = ([], [])
        try encode(set, rows, model) { encoding in
            parts.visual.append(encoding.visual.points)
            if let prologue = encoding.prologue { parts.prologue.append(prologue.points) }
        }
        func joined(_ tensors: [Tensor]) -> Tensor {
            Tensor(tensors.flatMap(\.values), shape: [rows.count] + tensors[0].shape.dropFirst())
        }
        return TokenVectors(prologue: parts.prologue.isEmpty ? nil : joined(parts.prologue), visual: joined(parts.visual))
    }

    private func encode(_ set: ImageSet, _ rows: [Int], _ model: Tokenizer, _ body: (Encoding) -> Void) throws {
        for lower in stride(from: 0, to: rows.count, by: TrainedTokenizer.batch) {
            // With ten crops the tokens of all images' middles come first, then those of other crops.
            let images = rows[lower..<min(rows.count, lower + TrainedTokenizer.batch)].map { $0 % set.count }
            body(model.encoder(dataset.patches(try set.pixels(of: images), patch: model.config.patch)))
            try Interruption.check()
        }
    }

    // MARK: Controls

    private func addControls(
        _ table: inout ProbeTable, _ sets: [TokenSet], _ indices: (TokenTensor, TokenTensor), _ train: [Int], _ test: [Int],
        _ model: Tokenizer
    ) throws {
        let layout = tokenizer.layout
        let chosen = sets.filter { ["prologue", "first", "random"].contains($0.name) }
        if settings.controls.contains(.majority) { table.addMajority() }
        if settings.controls.contains(.shuffled) {
            let codes = model.codeTables(layout)
            let (fitted, held) = (
                TokenVectors(indices.0, layout, prologue: codes.prologue, visual: codes.visual),
                TokenVectors(indices.1, layout, prologue: codes.prologue, visual: codes.visual)
            )
            for set in chosen {
                try table.add(
                    ProbedSet(tokens: set.name, control: .shuffled), fitted.concatenated(set), held.concatenated(set))
            }
        }
        if settings.controls.contains(.untrained) {
            let untrained = Tokenizer(model.config, seed: tokenizer.seed)
            let codes = untrained.codeTables(layout)
            func vectors(_ set: ImageSet, _ rows: [Int]) throws -> TokenVectors {
                var ids: [Int32] = []
                try encode(set, rows, untrained) { ids += $0.indices.ids }
                let indices = TokenTensor(ids, shape: [rows.count, ids.count / max(1, rows.count)])
                return TokenVectors(indices, layout, prologue: codes.prologue, visual: codes.visual)
            }
            let (fitted, held) = (try vectors(dataset.train, train), try vectors(dataset.test, test))
            for set in chosen {
                try table.add(
                    ProbedSet(tokens: set.name, control: .untrained), fitted.concatenated(set), held.concatenated(set))
            }
        }
    }
}
