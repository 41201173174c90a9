import Evaluation
import Files
import Foundation
import Models
import RunStore
import Sweep
import TensorCore

/// The linear probe: what a multinomial logistic regression reads off the code vectors of a few tokens.
///
/// Token sets: the K prologue tokens where there are any, the first K visual tokens (top of the image, a weak control)
/// and K random visual tokens (the strong one). Regularisation is chosen on a validation split of the training half.
struct ProbeStage: Stage {
    let settings: ProbeSettings
    /// K, tokens in a set; the same for tokenizers without a prologue.
    let tokenCount: Int
    let tokens: TokenStage

    var role: String { "probe" }

    var identity: StageIdentity {
        StageIdentity(
            kind: "probe", settings: ["probe": settings.identity, "tokens": .int(tokenCount)],
            inputs: ["tokens": tokens.id], formatVersion: 1)
    }

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let model = try tokens.tokenizer.load(context)
        let file = try tokens.load(context)
        let layout = tokens.tokenizer.layout
        let (train, test) = (
            balanced(file.train, settings.trainCount), balanced(file.test, settings.testCount ?? file.test.count)
        )
        var values: [String: Double?] = ["probe.chance": 1 / Double(tokens.tokenizer.dataset.classes)]
        for (name, positions) in tokenSets(layout) {
            context.progress.note("probe: \(name) tokens, \(train.count) training images")
            let features = { (rows: (indices: TokenTensor, labels: TokenTensor)) in
                codeVectors(rows.indices, positions, model)
            }
            let probe = try LinearProbe(
                fitting: features(file.train.batch(train)), labels: train.map { Int(file.train.labels[$0]) },
                classes: tokens.tokenizer.dataset.classes, penalties: settings.l2Grid, seed: UInt64(settings.seed))
            let report = try ClassificationReport(
                scores: probe.model.scores(features(file.test.batch(test))),
                labels: test.map { Int(file.test.labels[$0]) })
            values["probe.\(name).top1"] = report.top1
            values["probe.\(name).top5"] = report.top5
        }
        // The tokens that the paper compares: the prologue where there is one, else the first K.
        values["probe.top1"] = values["probe.prologue.top1"] ?? values["probe.first.top1"] ?? nil
        try work.save(
            Scores(
                protocol: [
                    "features": "code vectors, concatenated", "classifier": "multinomial logistic regression",
                    "tokens": .int(tokenCount), "train_count": .int(train.count), "count": .int(test.count),
                ], values: values), named: "probe")
        return ["tokens": .int(tokenCount)]
    }

    /// Positions within [prologue ; visual] of each token set.
    private func tokenSets(_ layout: SequenceLayout) -> [(name: String, positions: [Int])] {
        let count = min(tokenCount, layout.visualTokens)
        var stream = RandomStream(seed: settings.seed, "probe/random-tokens")
        let random = stream.permutation(layout.visualTokens).prefix(count).sorted()
        let visual = [("first", Array(0..<count)), ("random", random)].map { name, positions in
            (name: name, positions: positions.map { $0 + layout.prologueTokens })
        }
        return layout.hasPrologue ? [("prologue", Array(0..<layout.prologueTokens))] + visual : visual
    }

    /// Rows spread evenly over the classes, in file order within each.
    private func balanced(_ half: TokenFile.Half, _ count: Int) -> [Int] {
        let classes = tokens.tokenizer.dataset.classes
        var taken = [Int](repeating: 0, count: classes)
        let each = (min(count, half.count) + classes - 1) / classes
        return half.labels.indices.filter { row in
            let label = Int(half.labels[row])
            taken[label] += 1
            return taken[label] <= each
        }
    }

    /// Code vectors of the tokens at `positions`, concatenated, [n, positions·z].
    private func codeVectors(_ indices: TokenTensor, _ positions: [Int], _ model: Tokenizer) -> FeatureMatrix {
        let (rows, width, k) = (indices.shape[0], indices.shape[1], tokens.tokenizer.layout.prologueTokens)
        let chosen = (0..<rows).flatMap { row in positions.map { indices.ids[row * width + $0] } }
        let ids = TokenTensor(chosen, shape: [rows, positions.count])
        let isPrologue = positions.allSatisfy { $0 < k }
        let vectors = isPrologue ? model.encoder.prologueCodes(ids) ?? model.encoder.visualCodes(ids) : model.encoder.visualCodes(ids)
        return FeatureMatrix(rows: rows, columns: vectors.count / max(1, rows), values: vectors.values)
    }
}
