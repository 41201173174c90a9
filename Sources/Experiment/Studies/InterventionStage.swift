import Evaluation
import Files
import Foundation
import ImageData
import Metrics
import Models
import RunStore
import Settings
import TensorCore

/// What happens to images when their tokens are changed: not what tokens know, but what they do.
///
/// Tokens of a held-out image are given, the prior draws the others. Then the same numbers are drawn with all of the given tokens
/// replaced by those of another image (of another class, of the same class), with one of them replaced, and with the class of
/// another image told. Controls: as many first and random visual tokens; prologues put together from tokens of many images.
struct InterventionStage: Stage {
    let settings: SemanticsSettings
    /// K, tokens in the controls.
    let tokenCount: Int
    let prior: PriorStage
    let features: FeatureStage

    var role: String { "interventions" }
    private var tokenizer: TokenizerStage { prior.tokenizer }

    var identity: StageIdentity {
        StageIdentity(
            kind: "interventions",
            settings: [
                "images": .int(settings.interventions), "temperature": .number(settings.temperature), "seed": .int(settings.seed),
                "tokens": .int(tokenCount),
            ], inputs: ["prior": prior.id, "tokens": prior.tokens.id, "features": features.id], formatVersion: 1)
    }

    static let file = "interventions.h5"

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let layout = tokenizer.layout
        let (model, ar) = (try tokenizer.load(context), try prior.load(context))
        let extractor = try features.extractor(context)
        let sources = try CompletionSources(
            tokenizer.dataset.test, tokens: prior.sequences(context).test, layout, count: settings.interventions)
        let study = try Interventions(
            sources, ar, model, layout, temperature: settings.temperature, seed: settings.seed,
            order: TokenSet.order(layout, seed: settings.seed, tokenizerSeed: tokenizer.seed)
        ) { pixels in
            ImageFacts(
                predictions: try extractor.features(pixels).predictions,
                thumbnails: Thumbnails.matrix(pixels, height: sources.height, width: sources.width, channels: sources.channels),
                colours: Self.colours(pixels, sources))
        }
        var values: [String: Double?] = [:]
        var perToken: [(name: String, effects: [InterventionEffects])] = []
        for set in study.sets(count: tokenCount) {
            context.progress.note("interventions: \(set.name)")
            let found = try study.measure(set)
            for (name, value) in found.values { values[name] = .some(value) }
            if !found.perToken.isEmpty { perToken.append((set.name, found.perToken)) }
        }
        for (name, value) in try study.visualBits() { values[name] = .some(value) }
        try HDF5File.write(atomicallyTo: work.url(Self.file)) { file in
            for (name, effects) in perToken {
                try file.makeGroup(name)
                for (measure, column) in [
                    ("class", effects.map(\.class)), ("layout", effects.map(\.layout)), ("colour", effects.map(\.colour)),
                ] {
                    try file.write(column, to: "\(name)/\(measure)", shape: [column.count], attributes: ["axes": ["token"]])
                }
            }
        }
        try work.save(
            Scores(
                protocol: [
                    "features": .string(features.id), "count": .int(sources.images.count),
                    "temperature": .number(settings.temperature), "seed": .int(settings.seed), "tokens": .int(tokenCount),
                ], values: values), named: "interventions")
        return ["count": .int(sources.images.count)]
    }

    /// Means of each channel over an image.
    private static func colours(_ pixels: [UInt8], _ sources: CompletionSources) -> FeatureMatrix {
        let (c, places) = (sources.channels, sources.height * sources.width)
        let count = pixels.count / (places * c)
        var sums = [Float](repeating: 0, count: count * c)
        for (i, value) in pixels.enumerated() { sums[i / (places * c) * c + i % c] += Float(value) }
        return FeatureMatrix(rows: count, columns: c, values: sums.map { $0 / Float(places) })
    }
}

/// The draws of interventions on one prior.
private struct Interventions {
    private let sources: CompletionSources
    private let ar: TrainedPrior
    private let model: TrainedTokenizer
    private let layout: SequenceLayout
    private let sampler: SequenceSampler
    private let seed: Int
    private let order: [Int]
    private let facts: ([UInt8]) throws -> ImageFacts
    private let own: ImageFacts
    /// For each source one of another class and one of its own; nil where there is none.
    private let partners: (other: [Int?], same: [Int?])

    init(
        _ sources: CompletionSources, _ ar: TrainedPrior, _ model: TrainedTokenizer, _ layout: SequenceLayout, temperature: Double,
        seed: Int,
        order: [Int], facts: @escaping ([UInt8]) throws -> ImageFacts
    ) throws {
        (self.sources, self.ar, self.model, self.layout) = (sources, ar, model, layout)
        (self.seed, self.order, self.facts) = (seed, order, facts)
        var settings = SamplerSettings()
        settings.temperature = temperature
        sampler = ar.sampler(settings, batch: SampleDrawing.standardBatch)
        own = try facts(sources.pixels)
        let count = sources.images.count
        func partner(_ row: Int, isSame: Bool) -> Int? {
            (1..<count).map { (row + $0) % count }.first { (sources.labels[$0] == sources.labels[row]) == isSame }
        }
        partners = ((0..<count).map { partner($0, isSame: false) }, (0..<count).map { partner($0, isSame: true) })
    }

    func sets(count k: Int) -> [GivenTokens] {
        let visual = Array(layout.visualStart..<layout.length)
        let k = min(k, visual.count)
        let prologue = Array(0..<layout.prologueTokens)
        return
            (layout.hasPrologue
            ? [GivenTokens(name: "prologue", positions: prologue), GivenTokens(name: "shuffled", positions: prologue)] : [])
            + [
                GivenTokens(name: "visual-first", positions: Array(visual.prefix(k))),
                GivenTokens(name: "random", positions: order.prefix(k).sorted().map { visual[$0] }),
                GivenTokens(name: "all", positions: prologue + visual), GivenTokens(name: "none", positions: []),
            ]
    }

    func measure(_ set: GivenTokens) throws -> (values: [(String, Double?)], perToken: [InterventionEffects]) {
        let rows = Array(sources.images.indices)
        let source: (Int, Int) -> Int = set.name == "shuffled" ? { ($0 + 1 + 7 * $1) % rows.count } : { row, _ in row }
        func given(_ from: (Int, Int) -> Int) -> [[Int32]] { rows.map { row in tokens(set, row, from) } }
        var values: [(String, Double?)] = []
        func add(_ measure: String, _ value: Double?, _ pair: String = "") {
            values.append((Measure.intervention(measure).name([.tokens: set.name, .pair: pair].filter { !$0.value.isEmpty }), value))
        }
        let others = rows.compactMap { row in partners.other[row].map { (row, $0) } }
        // The class of another image is told.
        if !others.isEmpty {
            let told = try draw(others.map { tokens(set, $0.0, source) }, labels: others.map { sources.labels[$0.1] }).predictions
            add("conflict_tokens", share(zip(told, others).map { $0 == sources.labels[$1.0] }))
            add("conflict_label", share(zip(told, others).map { $0 == sources.labels[$1.1] }))
        }
        guard set.name != "none", set.name != "shuffled" else { return (values, []) }

        let before = try draw(given(source))
        for (pair, list) in [("other", partners.other), ("same", partners.same)] {
            let pairs = rows.compactMap { row in list[row].map { (row, $0) } }
            guard pairs.count > 1 else { continue }
            // Every row keeps its place, and with it the numbers that it draws.
            let after = try draw(rows.map { row in tokens(set, row) { row, _ in list[row] ?? row } })
            let (from, to) = (pairs.map(\.0), pairs.map(\.1))
            let effect = InterventionEffects.completeness(
                before.selecting(from), after.selecting(from), sources: own.selecting(from), targets: own.selecting(to),
                labels: to.map { sources.labels[$0] })
            for (name, value) in effect.named { add("swap_\(name)", value, pair) }
            try Interruption.check()
        }
        let unrelated = (from: own.selecting(others.map(\.0)), to: own.selecting(others.map(\.1)))
        let again = try InterventionEffects.change(before, draw(given(source), first: rows.count), unrelated: unrelated)
        for (name, value) in again.named { add("redraw_\(name)", value) }
        guard set.name != "all" else { return (values, []) }
        let perToken = try set.positions.map { position in
            let after = try draw(
                rows.map { row in tokens(set, row) { row, place in place == position ? partners.other[row] ?? row : row } })
            try Interruption.check()
            return InterventionEffects.change(before, after, unrelated: unrelated)
        }
        if !perToken.isEmpty {
            for (place, name) in ["class", "layout", "colour"].enumerated() {
                add("token_\(name)", perToken.reduce(0) { $0 + ($1.named[place].value ?? 0) } / Double(perToken.count))
            }
            add("selectivity", InterventionEffects.selectivity(perToken))
        }
        return (values, perToken)
    }

    /// What the prior pays, in bits, for an image's visual tokens after its own prologue, after that of another image of its
    /// class, of another class, and after one put together from many.
    func visualBits() throws -> [(String, Double?)] {
        guard layout.hasPrologue else { return [] }
        let rows = Array(sources.images.indices)
        func bits(_ from: (Int, Int) -> Int?) throws -> Double? {
            let known = rows.filter { from($0, 0) != nil }
            guard !known.isEmpty else { return nil }
            let ids = known.flatMap { row in
                (0..<layout.length).map { t in target(t < layout.prologueTokens ? from(row, t) ?? row : row, t) }
            }
            let labels = TokenTensor(repeating: ar.unconditionalLabel, shape: [known.count])
            let nats = try ar.crossEntropy(targets: TokenTensor(ids, shape: [known.count, layout.length]), labels: labels)
            let visual = nats.values.enumerated().filter { $0.offset % layout.length >= layout.visualStart }.map { Double($0.element) }
            return visual.reduce(0, +) / log(2) / Double(known.count)
        }
        let pairs: [(String, (Int, Int) -> Int?)] = [
            ("own", { row, _ in row }), ("same", { row, _ in partners.same[row] }), ("other", { row, _ in partners.other[row] }),
            ("shuffled", { ($0 + 1 + 7 * $1) % rows.count }),
        ]
        return try pairs.map { (Measure.interventionBits.name([.pair: $0.0]), try bits($0.1)) }
    }

    private func target(_ source: Int, _ position: Int) -> Int32 { sources.targets.ids[source * layout.length + position] }

    /// A row of given tokens, each from a source of its own; −1 where nothing is given.
    private func tokens(_ set: GivenTokens, _ row: Int, _ from: (Int, Int) -> Int) -> [Int32] {
        var ids = [Int32](repeating: -1, count: layout.length)
        for position in set.positions { ids[position] = target(from(row, position), position) }
        return ids
    }

    /// - Parameter labels: nil: the prior is not told the class.
    private func draw(_ given: [[Int32]], labels: [Int32]? = nil, first: Int = 0) throws -> ImageFacts {
        let ids = try sampler.sample(
            labels: labels ?? given.map { _ in ar.unconditionalLabel }, seed: seed, first: first,
            given: TokenTensor(given.flatMap { $0 }, shape: [given.count, layout.length]))
        return try facts(model.decode(layout.visualIndices(ids)))
    }

    private func share(_ hits: [Bool]) -> Double { Double(hits.count { $0 }) / Double(max(1, hits.count)) }
}

extension InterventionEffects {
    fileprivate var named: [(name: String, value: Double?)] {
        [("class", self.class), ("layout", layout), ("colour", colour)].map { ($0.0, $0.1.isFinite ? $0.1 : nil) }
    }
}
