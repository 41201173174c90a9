import Evaluation
import Files
import Foundation
import ImageData
import Metrics
import Models
import RunStore
import Settings

/// What linear maps read off tokens besides the class: how the image looks in 8×8, and the factors that were recorded.
///
/// No decoder enters, so tokens that the decoder never sees, like the prologue, and visual tokens are asked alike. Ridge
/// regression from code vectors; its penalty is chosen on a part of the training images.
struct ReadoutStage: Stage {
    let settings: ProbeSettings
    /// K, tokens in a set.
    let tokenCount: Int
    let tokens: TokenStage

    var role: String { "readout" }
    private var tokenizer: TokenizerStage { tokens.tokenizer }
    private var dataset: Dataset { tokenizer.dataset }

    var identity: StageIdentity {
        StageIdentity(
            kind: "readout",
            settings: [
                "train_count": .int(settings.trainCount), "test_count": settings.testCount.map { .int($0) } ?? .null,
                "seed": .int(settings.seed), "tokens": .int(tokenCount),
            ], inputs: ["tokens": tokens.id], formatVersion: 1)
    }

    static let file = "readout.h5"

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let layout = tokenizer.layout
        let stored = try tokens.load(context)
        let train = stored.train.balanced(settings.trainCount, classes: dataset.classes)
        let test = stored.test.balanced(settings.testCount ?? stored.test.count, classes: dataset.classes)
        let tables = try tokenizer.loadModel(context).codeTables(layout)
        let (fitted, held) = (
            TokenVectors(stored.train.batch(train).indices, layout, prologue: tables.prologue, visual: tables.visual),
            TokenVectors(stored.test.batch(test).indices, layout, prologue: tables.prologue, visual: tables.visual)
        )
        // Of both halves: a few held-out images may show no more than half of a circle.
        let circular = Set((dataset.train.factors + dataset.test.factors).filter(\.isCircular).map(\.name))
        let targets = try zip(targets(dataset.train, train, circular), targets(dataset.test, test, circular))
            .map { Target(factor: $0.factor, train: $0.values, test: $1.values) }
        let order = TokenSet.order(layout, seed: settings.seed, tokenizerSeed: tokenizer.seed)
        let kinds: [ProbedTokens] = [.prologue, .first, .random, .pooled, .all, .prefixes]
        let sets = kinds.flatMap { TokenSet.sets($0, layout, count: tokenCount, order: order) }

        var values: [String: Double?] = [:]
        var known: [[[Int]]: [Explained]] = [:]
        var names: [String] = []
        for set in sets {
            context.progress.note("readout: \(set.name)")
            let found =
                try known[set.cells]
                ?? explained(
                    work, fitted.concatenated(set), held.concatenated(set), set.isOnCurve ? Array(targets.prefix(1)) : targets)
            for result in found {
                let (measure, fields) = result.target.score(tokens: set.name)
                values.note(measure, fields, result.share, in: result.interval)
                names.append(measure.name(fields))
            }
            known[set.cells] = found
            try Interruption.check()
        }
        try HDF5File.write(atomicallyTo: work.url(Self.file)) { file in
            let names = Set(names).sorted()
            try file.write(
                names.map { (values[$0] ?? nil) ?? .nan }, to: "r2", shape: [names.count],
                attributes: ["axes": ["measure"], "measures": .strings(names)])
        }
        try work.save(
            Scores(
                protocol: [
                    "map": "ridge regression on code vectors", "tokens": .int(tokenCount),
                    "train_count": .int(train.count), "count": .int(test.count), "thumbnail": .int(Thumbnails.side),
                ], values: values), named: "readout")
        return ["tokens": .int(tokenCount)]
    }

    /// R² with its interval for each target.
    private func explained(
        _ work: StageWork, _ fitted: FeatureMatrix, _ held: FeatureMatrix, _ targets: [Target]
    ) throws -> [Explained] {
        let seed = UInt64(settings.seed)
        return try targets.map { target in
            var interval: Interval?
            let share = try work.measured("readout of \(target.name)") {
                let (share, found) = try RidgeRegression(fitting: fitted, to: target.train, seed: seed)
                    .explained(held, target.test, seed: seed)
                interval = found
                return share
            }
            return Explained(target: target, share: share, interval: interval)
        }
    }

    /// What is to be read: the thumbnail, then each factor; one that goes round in a circle as its cosine and sine.
    private func targets(
        _ set: ImageSet, _ rows: [Int], _ circular: Set<String>
    ) throws -> [(factor: String?, values: FeatureMatrix)] {
        // With ten crops the tokens of all images' middles come first, then those of other crops.
        let images = rows.map { $0 % set.count }
        let thumbnails = Thumbnails.matrix(
            try set.pixels(of: images), height: set.height, width: set.width, channels: set.channels)
        return [(nil, thumbnails)]
            + set.factors.map { factor in
                let values = images.map { factor.values[$0] }
                guard circular.contains(factor.name) else {
                    return (factor.name, FeatureMatrix(rows: images.count, columns: 1, values: values))
                }
                let points = values.flatMap { [cos($0 * .pi / 180), sin($0 * .pi / 180)] }
                return (factor.name, FeatureMatrix(rows: images.count, columns: 2, values: points))
            }
    }
}

/// What is read: a recorded factor, or without one the thumbnail; a row for each image.
private struct Target {
    let factor: String?
    let train, test: FeatureMatrix

    var name: String { factor.map { "factor.\($0)" } ?? "thumbnail" }

    func score(tokens: String) -> (Measure, [MetricField: String]) {
        factor.map { (.readoutFactor, [.factor: $0, .tokens: tokens]) } ?? (.readoutThumbnail, [.tokens: tokens])
    }
}

/// How much of a target's variance was read; nil where that could not be measured.
private struct Explained {
    let target: Target
    let share: Double?
    let interval: Interval?
}

extension ImageSet.Factor {
    /// Whether its values go round in a circle, so that 0 and 360 are the same.
    fileprivate var isCircular: Bool { unit == "degree" && (values.max() ?? 0) > 180 }
}
