import Evaluation
import Files
import Foundation
import ImageData
import Models
import RunStore
import Sweep
import TensorCore

/// The linear probe: what a multinomial logistic regression reads off a few tokens.
///
/// Token sets, features and controls are settings (`ProbedTokens`, `ProbedFeature`, `ProbeControl`). Regularisation is
/// chosen on a validation split of the training half.
struct ProbeStage: Stage {
    let settings: ProbeSettings
    /// K, tokens in a set; the same for tokenizers without a prologue.
    let tokenCount: Int
    let tokens: TokenStage
    /// Whose embeddings are read, where they are asked for.
    let prior: PriorStage?

    init(settings: ProbeSettings, tokenCount: Int, tokens: TokenStage, prior: PriorStage) {
        self.settings = settings
        self.tokenCount = tokenCount
        self.tokens = tokens
        self.prior = settings.features.contains(.embeddings) ? prior : nil
    }

    var role: String { "probe" }
    private var tokenizer: TokenizerStage { tokens.tokenizer }
    private var dataset: Dataset { tokenizer.dataset }

    var identity: StageIdentity {
        StageIdentity(
            kind: "probe", settings: ["probe": settings.identity, "tokens": .int(tokenCount)],
            inputs: ["tokens": tokens.id].merging(prior.map { ["prior": $0.id] } ?? [:]) { $1 }, formatVersion: 2)
    }

    static let file = "probe.h5"
    /// A regression on more columns than this takes longer than it is worth.
    private static let mostColumns = 8192

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let layout = tokenizer.layout
        let stored = try tokens.load(context)
        let train = balanced(stored.train, settings.trainCount)
        let test = balanced(stored.test, settings.testCount ?? stored.test.count)
        var table = ProbeTable(
            trainLabels: train.map { Int(stored.train.labels[$0]) }, testLabels: test.map { Int(stored.test.labels[$0]) },
            classes: dataset.classes, settings: settings)
        let indices = (stored.train.batch(train).indices, stored.test.batch(test).indices)
        let sets = settings.tokens.flatMap { TokenSet.sets($0, layout, count: tokenCount, seed: settings.seed) }
        let model = try tokenizer.load(context)

        for feature in settings.features {
            let (fitted, held) = try vectors(feature, indices, train, test, model, context)
            for set in sets where isRead(feature, of: set) {
                guard fitted.columns(set) <= Self.mostColumns || feature == .mean else {
                    try work.log("probe of \(set.name), \(feature.rawValue), is left out: \(fitted.columns(set)) columns")
                    continue
                }
                context.progress.note("probe: \(set.name), \(feature.rawValue), \(train.count) training images")
                let features = feature == .mean
                    ? (fitted.mean(set), held.mean(set)) : (fitted.concatenated(set), held.concatenated(set))
                try table.add(feature == .codes ? set.name : "\(set.name).\(feature.rawValue)", features.0, features.1)
                try Interruption.check()
            }
        }
        try addControls(&table, sets, indices, train, test, model)
        var values = table.values
        // The tokens that the paper compares: the prologue where there is one, else the first K.
        values["probe.top1"] = values["probe.prologue.top1"] ?? values["probe.first.top1"] ?? nil
        try table.write(to: work.url(Self.file))
        try work.save(
            Scores(
                protocol: [
                    "classifier": "multinomial logistic regression, standardised features", "tokens": .int(tokenCount),
                    "train_count": .int(train.count), "count": .int(test.count),
                ], values: values), named: "probe")
        return ["tokens": .int(tokenCount)]
    }

    /// Prefixes and pooled tokens are there to vary tokens, not features.
    private func isRead(_ feature: ProbedFeature, of set: TokenSet) -> Bool {
        switch feature {
        case .codes: true
        case .onehot: !set.isPooled && !set.name.hasPrefix("prefix-")
        default: !set.isPooled && !set.name.hasPrefix("prefix-") && set.name != "all"
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
        case .codes, .mean: return lookup(prologue: Self.prologueCodes(model, layout), visual: Self.visualCodes(model, layout))
        case .onehot: return (TokenVectors(oneHot: indices.0, layout), TokenVectors(oneHot: indices.1, layout))
        case .points: return (try points(dataset.train, train, model), try points(dataset.test, test, model))
        case .embeddings:
            guard let prior else { throw InputError("embeddings need the prior") }
            let all = try prior.load(context).tokenEmbeddings
            return lookup(
                prologue: layout.hasPrologue ? sliceRows(all, layout.visualCodes..<layout.eos) : nil,
                visual: sliceRows(all, 0..<layout.visualCodes))
        }
    }

    private static func prologueCodes(_ model: Tokenizer, _ layout: SequenceLayout) -> Tensor? {
        guard layout.hasPrologue else { return nil }
        let ids = TokenTensor((0..<layout.prologueCodes).map(Int32.init), shape: [1, layout.prologueCodes])
        return model.encoder.prologueCodes(ids).map { $0.reshaped([layout.prologueCodes, $0.width]) }
    }

    private static func visualCodes(_ model: Tokenizer, _ layout: SequenceLayout) -> Tensor {
        let ids = TokenTensor((0..<layout.visualCodes).map(Int32.init), shape: [1, layout.visualCodes])
        let codes = model.encoder.visualCodes(ids)
        return codes.reshaped([layout.visualCodes, codes.width])
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
        for lower in stride(from: 0, to: rows.count, by: Tokenizer.batch) {
            // With ten crops the tokens of all images' middles come first, then those of other crops.
            let images = rows[lower..<min(rows.count, lower + Tokenizer.batch)].map { $0 % set.count }
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
            let codes = (Self.prologueCodes(model, layout), Self.visualCodes(model, layout))
            for set in chosen {
                let (fitted, held) = (
                    TokenVectors(indices.0, layout, prologue: codes.0, visual: codes.1),
                    TokenVectors(indices.1, layout, prologue: codes.0, visual: codes.1)
                )
                try table.add("\(set.name).shuffled", fitted.concatenated(set), held.concatenated(set), shuffled: true)
            }
        }
        if settings.controls.contains(.untrained) {
            let untrained = Tokenizer(model.config, seed: tokenizer.seed)
            let codes = (Self.prologueCodes(untrained, layout), Self.visualCodes(untrained, layout))
            func vectors(_ set: ImageSet, _ rows: [Int]) throws -> TokenVectors {
                var ids: [Int32] = []
                try encode(set, rows, untrained) { ids += $0.indices.ids }
                let indices = TokenTensor(ids, shape: [rows.count, ids.count / max(1, rows.count)])
                return TokenVectors(indices, layout, prologue: codes.0, visual: codes.1)
            }
            let (fitted, held) = (try vectors(dataset.train, train), try vectors(dataset.test, test))
            for set in chosen { try table.add("\(set.name).untrained", fitted.concatenated(set), held.concatenated(set)) }
        }
    }

    /// Rows spread evenly over the classes, in file order within each.
    private func balanced(_ half: TokenFile.Half, _ count: Int) -> [Int] {
        let classes = dataset.classes
        var taken = [Int](repeating: 0, count: classes)
        let each = (min(count, half.count) + classes - 1) / classes
        return half.labels.indices.filter { row in
            let label = Int(half.labels[row])
            taken[label] += 1
            return taken[label] <= each
        }
    }
}

/// Accuracies of several probes of the same images.
private struct ProbeTable {
    let trainLabels, testLabels: [Int]
    let classes: Int
    let settings: ProbeSettings
    private(set) var values: [String: Double?]
    private var reports: [(name: String, report: ClassificationReport)] = []

    init(trainLabels: [Int], testLabels: [Int], classes: Int, settings: ProbeSettings) {
        (self.trainLabels, self.testLabels, self.classes, self.settings) = (trainLabels, testLabels, classes, settings)
        values = ["probe.chance": 1 / Double(classes)]
    }

    mutating func add(_ name: String, _ train: FeatureMatrix, _ test: FeatureMatrix, shuffled: Bool = false) throws {
        var labels = trainLabels
        if shuffled {
            var stream = RandomStream(seed: settings.seed, "probe/shuffled-labels")
            labels = stream.permutation(labels.count).map { trainLabels[$0] }
        }
        let probe = try LinearProbe(
            fitting: train, labels: labels, classes: classes, penalties: settings.l2Grid, seed: UInt64(settings.seed))
        let report = try ClassificationReport(scores: probe.model.scores(test), labels: testLabels)
        let interval = bootstrapInterval(
            of: report.hits.map { $0 ? 1 : 0 }, resamples: 500, seed: UInt64(settings.seed))
        values["probe.\(name).top1"] = report.top1
        values["probe.\(name).top1_low"] = interval?.low
        values["probe.\(name).top1_high"] = interval?.high
        values["probe.\(name).top5"] = report.top5
        reports.append((name, report))
    }

    mutating func addMajority() {
        let counts = Dictionary(trainLabels.map { ($0, 1) }, uniquingKeysWith: +)
        let most = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key
        values["probe.majority.top1"] = Double(testLabels.count { $0 == most }) / Double(max(1, testLabels.count))
    }

    func write(to url: URL) throws {
        try HDF5File.write(atomicallyTo: url) { file in
            for (name, report) in reports {
                try file.write(
                    report.confusion.flatMap { $0.map(Int32.init) }, to: "\(name).confusion", shape: [classes, classes],
                    attributes: ["axes": ["class", "predicted class"], "unit": "held-out images"])
                try file.write(
                    report.perClass.map { $0 ?? .nan }, to: "\(name).per_class", shape: [classes],
                    attributes: ["axes": ["class"], "content": "accuracy"])
            }
        }
    }
}
