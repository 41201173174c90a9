import Evaluation
import Files
import Foundation
import ImageData
import Metrics
import Models
import RunStore
import Settings
import TensorCore

/// Accuracy against bits: what sets of tokens tell of the class for what it costs to send them.
///
/// Eight prologue tokens and eight visual ones are no equal match where the latter hold four times the bits. So every set has a
/// rate: the length of a code made from training tokens, on held-out ones. Beside prefixes of the prologue and first and random
/// visual tokens there are the visual tokens that tell most (chosen on training images, knowing the class), and one token of
/// 512 values that knows nothing of tokenizers: the nearest of 512 k-means centres of pixels.
struct RateStage: Stage {
    let settings: SemanticsSettings
    let probe: ProbeSettings
    /// K, the length of the longest set.
    let tokenCount: Int
    let tokens: TokenStage

    var role: String { "rates" }
    private var tokenizer: TokenizerStage { tokens.tokenizer }
    private var dataset: Dataset { tokenizer.dataset }

    var identity: StageIdentity {
        StageIdentity(
            kind: "rates",
            settings: [
                "train_count": .int(probe.trainCount), "test_count": probe.testCount.map { .int($0) } ?? .null,
                "l2_grid": .array(probe.l2Grid.map { .number($0) }), "probe_seed": .int(probe.seed), "seed": .int(settings.seed),
                "tokens": .int(tokenCount), "bits": .number(settings.rateBits), "factor_bins": .int(settings.factorBins),
            ], inputs: ["tokens": tokens.id], formatVersion: 1)
    }

    static let pixelCodes = 512
    private static let neighbours = 20

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let stored = try tokens.load(context)
        let train = Self.inTurns(stored.train.balanced(probe.trainCount, classes: dataset.classes), stored.train, dataset.classes)
        let test = stored.test.balanced(probe.testCount ?? stored.test.count, classes: dataset.classes)
        let halves = (stored.train.batch(train), stored.test.batch(test))
        let labels = (train: halves.0.labels.ids.map(Int.init), test: halves.1.labels.ids.map(Int.init))
        var values: [String: Double?] = [:]
        var curves: [String: [(bits: Double, top1: Double)]] = [:]
        for set in try sets(halves.0.indices, halves.1.indices, labels.train, train: train, test: test) {
            context.progress.note("rates: \(set.name)")
            let found = try measure(set, labels, heldOut: test, work)
            for (measure, fields, value) in found {
                values[measure.name(fields.merging([.tokens: set.name]) { $1 })] = .some(value)
            }
            if let bits = values[Measure.rateBits.name([.tokens: set.name])] ?? nil,
                let top1 = values[Measure.rateTop1.name([.tokens: set.name, .head: "linear", .bound: ""])] ?? nil
            {
                curves[set.kind, default: []].append((bits, top1))
            }
            try Interruption.check()
        }
        let chance = ClassificationReport.majority(labels.test, classes: dataset.classes)
        for (kind, points) in curves {
            values[Measure.rateMatched.name([.tokens: kind])] = .some(Self.matched(points + [(0, chance)], at: settings.rateBits))
        }
        try work.save(
            Scores(
                protocol: [
                    "train_count": .int(train.count), "count": .int(test.count), "tokens": .int(tokenCount),
                    "code": "Chow-Liu tree, held-out tokens", "input": "one-hot codes", "neighbours": .int(Self.neighbours),
                    "matched_bits": .number(settings.rateBits), "pixel_codes": .int(Self.pixelCodes),
                ], values: values), named: "rates")
        return ["tokens": .int(tokenCount)]
    }

    /// Accuracy at a rate, on straight lines between the points of a curve; nil beyond its end.
    static func matched(_ points: [(bits: Double, top1: Double)], at bits: Double) -> Double? {
        let sorted = points.sorted { $0.bits < $1.bits }
        guard let above = sorted.firstIndex(where: { $0.bits >= bits }) else { return nil }
        guard above > 0 else { return sorted[0].top1 }
        let (low, high) = (sorted[above - 1], sorted[above])
        return low.top1 + (high.top1 - low.top1) * (bits - low.bits) / (high.bits - low.bits)
    }

    /// Rows in an order in which classes take turns, as the online code wants it.
    private static func inTurns(_ rows: [Int], _ half: TokenFile.Half, _ classes: Int) -> [Int] {
        var members = [[Int]](repeating: [], count: classes)
        for row in rows { members[Int(half.labels[row])].append(row) }
        return (0..<(members.map(\.count).max() ?? 0)).flatMap { turn in members.compactMap { turn < $0.count ? $0[turn] : nil } }
    }

    // MARK: Sets

    /// Tokens that are measured together: the codes of each position, one a row.
    fileprivate struct CodeSet {
        /// What it is a length of, and its name with the length.
        let kind, name: String
        let train, test: [[Int32]]
        let codes: [Int]
        /// Whether it is the longest of its kind.
        let isWhole: Bool
    }

    private func sets(
        _ fitted: TokenTensor, _ held: TokenTensor, _ labels: [Int], train: [Int], test: [Int]
    ) throws -> [CodeSet] {
        let layout = tokenizer.layout
        func columns(_ indices: TokenTensor, _ positions: [Int]) -> [[Int32]] {
            let (rows, width) = (indices.shape[0], indices.shape[1])
            return positions.map { position in (0..<rows).map { indices.ids[$0 * width + position] } }
        }
        func sets(_ kind: String, _ positions: [Int]) -> [CodeSet] {
            let lengths = Set(sequence(first: 1) { $0 * 2 }.prefix { $0 < positions.count } + [positions.count]).sorted()
            return lengths.filter { $0 > 0 }.map { length in
                let own = Array(positions.prefix(length))
                return CodeSet(
                    kind: kind, name: "\(kind)-\(length)", train: columns(fitted, own), test: columns(held, own),
                    codes: own.map { $0 < layout.prologueTokens ? layout.prologueCodes : layout.visualCodes },
                    isWhole: length == positions.count)
            }
        }
        let visual = Array(layout.prologueTokens..<layout.prologueTokens + layout.visualTokens)
        let k = min(max(1, tokenCount), visual.count)
        let order = TokenSet.order(layout, seed: probe.seed, tokenizerSeed: tokenizer.seed)
        let best = greedyTokens(
            columns(fitted, visual), codes: layout.visualCodes, labels: labels, classes: dataset.classes, count: k)
        return (layout.hasPrologue ? sets("prologue", Array(0..<layout.prologueTokens)) : [])
            + sets("first", Array(visual.prefix(k))) + sets("random", order.prefix(k).map { visual[$0] })
            + sets("best", best.map { visual[$0] }) + [try pixels(train: train, test: test)]
    }

    /// Every image as the nearest of k-means centres of pixels.
    private func pixels(train: [Int], test: [Int]) throws -> CodeSet {
        func rows(_ set: ImageSet, _ rows: [Int]) throws -> FeatureMatrix {
            // With ten crops the tokens of all images' middles come first, then those of other crops.
            let pixels = try set.pixels(of: rows.map { $0 % set.count })
            return FeatureMatrix(rows: rows.count, columns: set.pixelsPerImage, values: pixels.map { Float($0) / 255 })
        }
        let (fitted, held) = (try rows(dataset.train, train), try rows(dataset.test, test))
        var stream = RandomStream(seed: settings.seed, "rates/centres")
        let begin = fitted.selecting(Array(stream.permutation(train.count).prefix(Self.pixelCodes)))
        let means = KMeans(fitted, from: begin)
        return CodeSet(
            kind: "pixels", name: "pixels-1", train: [means.nearest(fitted)], test: [means.nearest(held)], codes: [begin.rows],
            isWhole: true)
    }

    // MARK: Measures

    private func measure(
        _ set: CodeSet, _ labels: (train: [Int], test: [Int]), heldOut: [Int], _ work: StageWork
    ) throws -> [(Measure, [MetricField: String], Double?)] {
        let classes = dataset.classes
        var found: [(Measure, [MetricField: String], Double?)] = [
            (.rateBits, [:], TokenTree(set.train, codes: set.codes).bits(set.test)),
            (.rateEntropy, [:], (prefixEntropies(set.rows(set.test), length: set.codes.count).last?.plugIn).map { $0 / log(2) }),
        ]
        func add(_ head: String, _ scores: FeatureMatrix) throws {
            let report = try ClassificationReport(scores: scores, labels: labels.test)
            let interval = bootstrapInterval(of: report.hits.map { $0 ? 1 : 0 }, resamples: 500, seed: UInt64(settings.seed))
            for (bound, value) in [("", report.top1), ("_low", interval?.low), ("_high", interval?.high)] {
                found.append((.rateTop1, [.head: head, .bound: bound], value))
            }
        }
        let (fitted, held) = (set.oneHot(set.train), set.oneHot(set.test))
        let linear = try LinearProbe(
            fitting: fitted, labels: labels.train, classes: classes, penalties: probe.l2Grid, seed: UInt64(probe.seed))
        try add("linear", linear.model.scores(held))
        let nearest = NearestTokens(set.train, labels: labels.train, classes: classes, neighbours: Self.neighbours)
        try add("knn", nearest.votes(set.test))
        for kind in TokenHead.Kind.allCases {
            let head = TokenHead(kind, tokens: set.codes.count, codes: fitted.columns, classes: classes, seed: settings.seed)
            try head.fit(fitted.places, labels.train)
            try add(kind.rawValue, head.scores(held.places))
        }
        let length: Double? = try work.measured("label bits of \(set.name)") {
            try onlineCodeLength(fitted, labels: labels.train, classes: classes)
        }
        found.append((.rateLabelBits, [:], length))
        if set.isWhole, set.codes.count > 1 { found += neatness(set, heldOut) }
        return found
    }

    /// Where factors are recorded: of the longest set of each kind.
    private func neatness(_ set: CodeSet, _ rows: [Int]) -> [(Measure, [MetricField: String], Double?)] {
        let factors = dataset.test.factors.map { factor in quantileBins(rows.map { factor.values[$0] }, count: settings.factorBins) }
        guard let found = Disentanglement(factors: factors, tokens: set.test) else { return [] }
        return [(.modularity, [:], found.modularity), (.compactness, [:], found.compactness)]
    }
}

extension RateStage.CodeSet {
    /// Token by token, row after row.
    fileprivate func rows(_ columns: [[Int32]]) -> [Int32] { columns[0].indices.flatMap { row in columns.map { $0[row] } } }

    fileprivate func oneHot(_ columns: [[Int32]]) -> OneHotMatrix {
        let starts = codes.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1) }
        let places = columns[0].indices.flatMap { row in columns.enumerated().map { Int32(starts[$0]) + $1[row] } }
        return OneHotMatrix(columns: starts.last ?? 0, ones: codes.count, places: places)
    }
}

extension ClassificationReport {
    /// What naming the commonest class always gives.
    static func majority(_ labels: [Int], classes: Int) -> Double {
        let counts = labels.reduce(into: [Int](repeating: 0, count: classes)) { $0[$1] += 1 }
        return Double(counts.max() ?? 0) / Double(max(1, labels.count))
    }
}
