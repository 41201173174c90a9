import Foundation
import Models
import Settings
import TensorCore
import Testing

@Suite struct SamplerTests {
    static let guidances: [Guidance] = [
        .off, .overall(scale: 3, schedule: .cosine, power: 1.75), .overall(scale: 2, schedule: .constant, power: 1),
        .split(
            prologue: .init(schedule: .constant, scale: 0.7, start: 0),
            visual: .init(schedule: .cosine, scale: 3.75, power: 0.2, start: 1)),
    ]

    /// What the cache decodes greedily is what the whole sequence's logits say at every position.
    @Test(arguments: [TinyPrior.image, TinyPrior.prologue], guidances)
    func greedyDecodingFollowsTheFullForward(layout: SequenceLayout, guidance: Guidance) {
        for tied in [false, true] {
            let model = TinyPrior.model(layout, tied: tied)
            var settings = SamplerSettings()
            settings.topK = 1
            settings.guide(guidance)
            let labels: [Int32] = [0, 1, 2, 3, 0]
            let ids = Sampler(model, settings).sample(labels: labels, seed: 0)
            #expect(ids.shape == [5, layout.length])
            let conditional = TinyPrior.logits(model, ids, labels: labels).values
            let unconditional = TinyPrior.logits(model, ids, labels: labels.map { _ in model.unconditionalLabel }).values
            for b in 0..<5 {
                for t in 0..<layout.length {
                    let row = (b * layout.length + t) * layout.vocabulary
                    let s = Float(guidance.scale(at: t, layout: layout) ?? 1)
                    let segment = Array(layout.segment(at: t))
                    let mixed = segment.map { id in
                        s * conditional[row + id] + (1 - s) * unconditional[row + id]
                    }
                    let chosen = Int(ids.ids[b * layout.length + t]) - segment[0]
                    #expect(segment.indices.contains(chosen), "token \(t) left its segment")
                    guard segment.indices.contains(chosen) else { continue }
                    // Rounding may swap logits that are equal to it.
                    #expect(mixed[chosen] >= (mixed.max() ?? 0) - 1e-4, "sequence \(b), token \(t)")
                }
            }
            #expect(Set((0..<5).map { Array(ids.ids[$0 * layout.length..<($0 + 1) * layout.length]) }).count > 2)
        }
    }

    /// The same in bfloat16, to the rounding of that.
    @Test(arguments: [TinyPrior.image, TinyPrior.prologue], guidances)
    func roundedDecodingFollowsTheFullForward(layout: SequenceLayout, guidance: Guidance) {
        let model = TinyPrior.model(layout, precision: .bfloat16)
        var settings = SamplerSettings()
        settings.topK = 1
        settings.guide(guidance)
        settings.precision = .bfloat16
        let labels: [Int32] = [0, 1, 2, 3, 0]
        let ids = Sampler(model, settings).sample(labels: labels, seed: 0)
        let conditional = TinyPrior.logits(model, ids, labels: labels).values
        let unconditional = TinyPrior.logits(model, ids, labels: labels.map { _ in model.unconditionalLabel }).values
        for b in 0..<5 {
            for t in 0..<layout.length {
                let row = (b * layout.length + t) * layout.vocabulary
                let s = Float(guidance.scale(at: t, layout: layout) ?? 1)
                let mixed = layout.segment(at: t).map { s * conditional[row + $0] + (1 - s) * unconditional[row + $0] }
                let chosen = Int(ids.ids[b * layout.length + t]) - layout.segment(at: t).lowerBound
                #expect(mixed.indices.contains(chosen), "token \(t) left its segment")
                guard mixed.indices.contains(chosen) else { continue }
                let spread = (mixed.max() ?? 0) - (mixed.min() ?? 0)
                #expect(mixed[chosen] >= (mixed.max() ?? 0) - 0.06 * spread, "sequence \(b), token \(t)")
            }
        }
        #expect(Set((0..<5).map { Array(ids.ids[$0 * layout.length..<($0 + 1) * layout.length]) }).count > 2)
    }

    /// The loss of a bfloat16 model is that of the float32 one, to its rounding; so is the mean gradient.
    @Test(arguments: [true, false]) func roundedLossIsNearTheExactOne(tied: Bool) {
        let layout = TinyPrior.prologue
        var stream = RandomStream(seed: 4, "ids")
        let indices = (0..<6 * 13).map { Int32(stream.integer(below: $0 % 13 < 4 ? 7 : 13)) }
        let input = ARInput(
            targets: layout.targets(TokenTensor(indices, shape: [6, 13])), labels: TokenTensor([0, 1, 2, 3, 0, 1], shape: [6]))
        func results(_ precision: Precision) -> (loss: Float, gradients: [[Float]]) {
            let model = TinyPrior.model(layout, tied: tied, precision: precision)
            let tape = Tape(differentiating: model.parameters)
            let loss = model.meanCrossEntropy(input, on: tape)
            tape.backward(from: loss)
            return (loss.scalar, model.parameters.map { tape.gradient(of: $0)?.values ?? [] })
        }
        let (exact, rounded) = (results(.float32), results(.bfloat16))
        #expect(abs(exact.loss - rounded.loss) < 0.01 * exact.loss)
        // Of all together; a small gradient that is the difference of large ones may be off by more.
        var (error, size) = (0.0, 0.0)
        for (a, b) in zip(exact.gradients, rounded.gradients) {
            #expect(a.count == b.count)
            for (x, y) in zip(a, b) {
                error += Double((x - y) * (x - y))
                size += Double(x * x)
            }
        }
        #expect(error.squareRoot() < 0.1 * size.squareRoot())
    }

    @Test func temperatureZeroIsGreedy() {
        let model = TinyPrior.model(TinyPrior.prologue)
        var (greedy, cold) = (SamplerSettings(), SamplerSettings())
        greedy.topK = 1
        cold.temperature = 0
        let labels: [Int32] = [0, 1, 2]
        #expect(Sampler(model, greedy).sample(labels: labels, seed: 1) == Sampler(model, cold).sample(labels: labels, seed: 2))
    }

    /// 70 sequences make three groups; each sequence is the same alone, in another batch, and again.
    @Test(arguments: [guidances[0], guidances[1]], Precision.allCases)
    func sequencesDoNotDependOnTheirBatch(guidance: Guidance, precision: Precision) {
        let model = TinyPrior.model(TinyPrior.prologue)
        var settings = SamplerSettings()
        settings.precision = precision
        settings.guide(guidance)
        let sampler = Sampler(model, settings)
        let labels = (0..<70).map { Int32($0 % 4) }
        let length = TinyPrior.prologue.length
        let whole = sampler.sample(labels: labels, seed: 5)
        #expect(sampler.sample(labels: labels, seed: 5) == whole)
        for range in [0..<1, 1..<40, 33..<35, 69..<70, 31..<64] {
            let part = sampler.sample(labels: Array(labels[range]), seed: 5, first: range.lowerBound)
            #expect(part.ids == Array(whole.ids[range.lowerBound * length..<range.upperBound * length]), "\(range)")
        }
        #expect(sampler.sample(labels: labels, seed: 6) != whole)
        let rows = (0..<70).map { Array(whole.ids[$0 * length..<($0 + 1) * length]) }
        #expect(Set(rows).count == 70)
    }

    /// Less memory means fewer sequences at once, and the same sequences.
    @Test(arguments: [guidances[0], guidances[1]])
    func theCacheIsBounded(guidance: Guidance) {
        let model = TinyPrior.model(TinyPrior.prologue)
        var settings = SamplerSettings()
        settings.guide(guidance)
        let labels = (0..<70).map { Int32($0 % 4) }
        let whole = Sampler(model, settings).sample(labels: labels, seed: 5)
        // Keys and values of 64 places, float32, in every layer; two branches where there is guidance.
        #expect(TinyPrior.prologue.length <= 64)
        let network = model.config.network
        let row = (guidance == .off ? 1 : 2) * network.layers * 2 * 64 * network.width * 4
        for (bytes, group) in [(0, 1), (row, 1), (7 * row, 7), (8 * row - 1, 7), (1000 * row, 128)] {
            let sampler = Sampler(model, settings, cacheBytes: bytes)
            #expect(sampler.group == group)
            #expect(sampler.sample(labels: labels, seed: 5) == whole)
        }
    }

    @Test(arguments: [TinyPrior.image, TinyPrior.prologue])
    func tokensStayInTheirSegments(layout: SequenceLayout) {
        var settings = SamplerSettings()
        settings.temperature = 5
        let ids = Sampler(TinyPrior.model(layout), settings).sample(labels: [Int32](repeating: 1, count: 100), seed: 3)
        for (i, id) in ids.ids.enumerated() { #expect(layout.segment(at: i % layout.length).contains(Int(id))) }
        // At this temperature every code of a segment is drawn somewhere.
        #expect(Set(ids.ids).count == layout.vocabulary)
    }

    /// Tokens given stay; those after them are drawn as they would have been, given these.
    @Test func givenTokensAreKept() {
        let (layout, sampler) = (TinyPrior.prologue, Sampler(TinyPrior.model(TinyPrior.prologue), SamplerSettings()))
        let labels = (0..<40).map { Int32($0 % 4) }
        let free = sampler.sample(labels: labels, seed: 7)
        let other = sampler.sample(labels: labels, seed: 8)
        // The prologue of another sample; the rest is drawn.
        var given = TokenTensor(repeating: -1, shape: free.shape)
        for i in 0..<given.count where i % layout.length < layout.prologueTokens { given.ids[i] = other.ids[i] }
        let resampled = sampler.sample(labels: labels, seed: 7, given: given)
        for i in 0..<given.count {
            if given.ids[i] >= 0 { #expect(resampled.ids[i] == given.ids[i]) }
            #expect(layout.segment(at: i % layout.length).contains(Int(resampled.ids[i])))
        }
        #expect(layout.visualIndices(resampled) != layout.visualIndices(free))
        // Given what it would have drawn itself, it goes on as before.
        var itsOwn = given
        for i in 0..<given.count where given.ids[i] >= 0 { itsOwn.ids[i] = free.ids[i] }
        #expect(sampler.sample(labels: labels, seed: 7, given: itsOwn) == free)
        #expect(sampler.sample(labels: labels, seed: 8, given: other) == other)
    }

    /// Pairs of first two tokens of 6000 sequences have the probabilities that the forward pass gives them,
    /// with temperatures of prologue and image, guidance and top-k on the way.
    @Test func sequencesHaveTheModelsProbabilities() {
        let layout = SequenceLayout(prologueTokens: 1, visualTokens: 1, visualCodes: 5, prologueCodes: 4)
        let model = TinyPrior.model(layout)
        var settings = SamplerSettings()
        settings.temperature = 0.8
        settings.prologueTemperature = 1.4
        settings.topK = 4
        settings.guide(
            .split(
                prologue: .init(schedule: .linear, scale: 2, start: 0.5),
                visual: .init(schedule: .linear, scale: 3, start: 1)))
        let n = 6000
        let ids = Sampler(model, settings).sample(labels: [Int32](repeating: 2, count: n), seed: 9).ids
        var counts = [Int](repeating: 0, count: 20)
        for i in 0..<n {
            #expect(Int(ids[3 * i + 1]) == layout.eos)
            counts[(Int(ids[3 * i]) - layout.visualCodes) * 5 + Int(ids[3 * i + 2])] += 1
        }
        var shares: [Double] = []
        for first in 0..<4 {
            let sequence = TokenTensor([Int32(layout.visualCodes + first), Int32(layout.eos), 0], shape: [1, 3])
            let rows = [Int32(2), 3].map { TinyPrior.logits(model, sequence, labels: [$0]).values }
            func probabilities(_ t: Int, temperature: Double, scale s: Double) -> [Double] {
                let ids = Array(layout.segment(at: t))
                let logits = ids.map { id -> Double in
                    let at = t * layout.vocabulary + id
                    return s * Double(rows[0][at]) + (1 - s) * Double(rows[1][at])
                }
                let kept = Set(logits.indices.sorted { logits[$0] > logits[$1] }.prefix(4))
                let weights = logits.indices.map { kept.contains($0) ? exp(logits[$0] / temperature) : 0 }
                return weights.map { $0 / weights.reduce(0, +) }
            }
            // Segments start at their curves' start; EOS takes the first of the image's two steps.
            let p = probabilities(0, temperature: 1.4, scale: 0.5)[first]
            shares += probabilities(2, temperature: 0.8, scale: 1 + 2 * 0.5).map { p * $0 }
        }
        let possible = shares.indices.filter { shares[$0] > 0 }
        #expect(possible.count == 16)
        #expect(possible.reduce(0) { $0 + counts[$1] } == n)
        // Cells that hold too few for the approximation are merged.
        let rare = possible.filter { shares[$0] * Double(n) < 5 }
        let cells =
            possible.filter { !rare.contains($0) }.map { (Double(counts[$0]), shares[$0] * Double(n)) }
            + [(rare.reduce(0.0) { $0 + Double(counts[$1]) }, rare.reduce(0.0) { $0 + shares[$1] * Double(n) })]
        let statistic = cells.filter { $0.1 > 0 }.reduce(0.0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) / $1.1 }
        // 15 degrees of freedom at most: larger once in 10⁵ seeds.
        #expect(statistic < 50)
    }
}
