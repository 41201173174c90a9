import Accelerators
import Foundation
import Models
import NN
import PJRT
import Settings
import TensorCore
import TestSupport
import Testing

/// Programs of AR models on the CPU plugin, against the engine that computes.
@Suite(.enabled(if: testPlugin != nil, "needs the CPU plugin of Tests/reference/requirements.txt"))
struct PriorProgramTests {
    private func config(precision: Precision = .float32, tied: Bool = false) -> ARConfig {
        var tokenizer = TokenizerConfig(
            visual: .grid, prologue: .shared, imageSize: 16, channels: 1, patch: 4,
            encoder: .init(width: 16, layers: 1, heads: 2, axes: [4, 4, 0]),
            decoder: .init(width: 16, layers: 1, heads: 2, axes: [4, 4, 0]),
            codeWidth: 4, codebook: 40, prologueTokens: 5, prologueCodebook: 30, labels: 5)
        tokenizer.condDim = 8
        var config = ARConfig(
            layout: tokenizer.layout, network: .init(width: 24, layers: 2, heads: 2, axes: [12, 0, 0]), labels: 5)
        (config.precision, config.tied, config.conditionWidth) = (precision, tied, 8)
        return config
    }

    private func batch(_ config: ARConfig, step: Int, count: Int) -> (targets: TokenTensor, labels: TokenTensor) {
        var stream = RandomStream(seed: 5, "batch", step: step)
        let segments = (0..<config.layout.length).map(config.layout.segment)
        let ids = (0..<count).flatMap { _ in segments.map { Int32($0.lowerBound + stream.integer(below: $0.count)) } }
        return (
            TokenTensor(ids, shape: [count, segments.count]),
            TokenTensor((0..<count).map { _ in Int32(stream.integer(below: config.labels)) }, shape: [count])
        )
    }

    /// Ten steps: losses, gradient norms, parameters, moments and averages.
    @Test(arguments: [(Precision.float32, Float(0), false), (.float32, 0.2, true), (.bfloat16, 0, false)])
    func trainingSteps(precision: Precision, p: Float, tied: Bool) throws {
        let (config, count) = (config(precision: precision, tied: tied), 6)
        let settings = OptimizerSettings(beta1: 0.9, beta2: 0.96, weightDecay: 0.03, clip: 0.5)
        func model() -> ARModel { ARModel(config, stream: RandomStream(seed: 1, "initial")) }
        let (here, there) = (model(), model())
        let (optimizer, mirror) = (
            AdamW(here.parameters, settings, averageHalfLife: 20), AdamW(there.parameters, settings, averageHalfLife: 20)
        )
        let accelerator = try Accelerator(testClient(devices: 1))
        let program = try accelerator.compile(
            PriorProgram.step(config, settings, averageHalfLife: 20, batch: count, dropout: (p, attention: p / 2)))
        var state: [String: Buffer] = [:]
        for (name, tensor) in mirror.state { state["prior/\(name)"] = try accelerator.copy(tensor) }
        let tolerance: Float = precision == .float32 ? 2e-4 : 0.03

        for step in 0..<10 {
            let (targets, labels) = batch(config, step: step, count: count)
            // The first step of a warm-up changes nothing.
            let rate = 1e-3 * Double(step)
            let tape = Tape(differentiating: here.parameters)
            let stream = RandomStream(seed: 2, "dropout", step: step)
            let loss = here.meanCrossEntropy(
                ARInput(targets: targets, labels: labels), on: tape, dropout: Dropout(p: p, attention: p / 2, stream: stream))
            tape.backward(from: loss)
            let report = optimizer.step(tape, rate: rate)

            let inputs = [
                "targets": try accelerator.copy(targets), "labels": try accelerator.copy(labels), "dropout": try accelerator.copy(stream),
                "prior/numbers": try accelerator.copy(mirror.numbers(rate: rate)),
            ]
            let values = try program.run(inputs, updating: &state)
            #expect(abs(try values.tensor("loss").scalar - loss.scalar) < tolerance / 10 * loss.scalar, "step \(step)")
            let norm = try values.tensor("gradient_norm").scalar
            #expect(abs(norm - Float(report.gradientNorm)) < tolerance * Float(report.gradientNorm))
            #expect(try values.tensor("replaced").scalar == 0)
        }
        guard precision == .float32 else { return }
        for (name, tensor) in optimizer.state {
            let values = try #require(state["prior/\(name)"]).tensor().values
            // Where a gradient is nearly 0, its sign may differ, and with it AdamW's step.
            let near = zip(values, tensor.values).count { abs($0 - $1) <= 1e-3 * (tensor.values.map(abs).max() ?? 0) }
            #expect(Double(near) >= 0.99 * Double(tensor.count), "\(name)")
        }
        #expect(optimizer.steps == 9 && mirror.steps == 9)
    }

    /// A step in parts is the step of the whole batch: loss and gradients here, in a program the loss, their norm and the next state;
    /// with dropout too, whose masks are those of the whole.
    @Test(arguments: [(Precision.float32, Float(0)), (.float32, 0.3), (.bfloat16, 0.3)])
    func stepsInParts(precision: Precision, p: Float) throws {
        let (config, count) = (config(precision: precision), 6)
        let settings = OptimizerSettings(beta1: 0.9, beta2: 0.96, weightDecay: 0.03, clip: 0.5)
        let model = ARModel(config, stream: RandomStream(seed: 1, "initial"))
        let stream = RandomStream(seed: 2, "dropout")
        let (targets, labels) = batch(config, step: 0, count: count)
        func gradients(rows: Int) -> (loss: Float, norms: [Float], all: [Float]) {
            let tape = Tape(differentiating: model.parameters)
            let loss = model.backwardMeanCrossEntropy(
                targets: targets, labels: labels, rows: rows, on: tape, dropout: Dropout(p: p, attention: p / 2, stream: stream))
            let values = model.parameters.map { tape.gradient(of: $0)?.values ?? [] }
            return (loss, values.map { $0.map(abs).max() ?? 0 }, values.flatMap { $0 })
        }
        let whole = gradients(rows: count)
        #expect(whole.all.count == model.parameters.reduce(0) { $0 + $1.count })
        let tolerance: Float = precision == .float32 ? 1e-4 : 0.02
        let largest = whole.norms.max() ?? 0
        for rows in [1, 2, 4] {
            let parts = gradients(rows: rows)
            #expect(abs(parts.loss - whole.loss) < 0.01 * tolerance * whole.loss)
            #expect(zip(parts.all, whole.all).allSatisfy { abs($0 - $1) <= tolerance * largest }, "\(rows) at a time")
        }

        let accelerator = try Accelerator(testClient(devices: 1))
        let optimizer = AdamW(model.parameters, settings, averageHalfLife: 20)
        let numbers = optimizer.numbers(rate: 1e-3)
        func step(rows: Int?) throws -> (loss: Float, norm: Float, moments: [Float]) {
            let program = try accelerator.compile(
                PriorProgram.step(
                    config, settings, averageHalfLife: 20, batch: count, microBatch: rows, dropout: (p, attention: p / 2)))
            var inputs = ["targets": try accelerator.copy(targets), "labels": try accelerator.copy(labels)]
            inputs["dropout"] = try accelerator.copy(stream)
            inputs["prior/numbers"] = try accelerator.copy(numbers)
            for (name, tensor) in optimizer.state { inputs["prior/\(name)"] = try accelerator.copy(tensor) }
            let values = try program.run(inputs)
            let moments = try model.parameters.flatMap { try values.tensor("prior/moment1/\($0.name)").values }
            return (try values.tensor("loss").scalar, try values.tensor("gradient_norm").scalar, moments)
        }
        let (together, parted) = (try step(rows: nil), try step(rows: 2))
        #expect(abs(together.loss - whole.loss) < tolerance * whole.loss)
        #expect(abs(parted.loss - together.loss) < 0.01 * tolerance * together.loss)
        #expect(abs(parted.norm - together.norm) < tolerance * together.norm)
        let most = together.moments.map(abs).max() ?? 0
        #expect(most > 0 && zip(parted.moments, together.moments).allSatisfy { abs($0 - $1) <= tolerance * most })
    }

    /// Layers that are computed again for the gradient: the same step to rounding, here and in a program.
    @Test(arguments: [Precision.float32, .bfloat16]) func layersComputedAgain(precision: Precision) throws {
        let (count, p) = (6, Float(0.3))
        let settings = OptimizerSettings(beta1: 0.9, beta2: 0.96, weightDecay: 0.03, clip: 0.5)
        let stream = RandomStream(seed: 2, "dropout")
        let accelerator = try Accelerator(testClient(devices: 1))
        var (gradients, losses, moments): ([[Float]], [Float], [[Float]]) = ([], [], [])
        for recomputes in [false, true] {
            var config = config(precision: precision)
            config.recomputes = recomputes
            let (targets, labels) = batch(config, step: 0, count: count)
            let model = ARModel(config, stream: RandomStream(seed: 1, "initial"))
            let tape = Tape(differentiating: model.parameters)
            let loss = model.meanCrossEntropy(
                ARInput(targets: targets, labels: labels), on: tape, dropout: Dropout(p: p, attention: p / 2, stream: stream))
            tape.backward(from: loss)
            gradients.append([loss.scalar] + model.parameters.flatMap { tape.gradient(of: $0)?.values ?? [] })

            let optimizer = AdamW(model.parameters, settings)
            let program = try accelerator.compile(
                PriorProgram.step(config, settings, averageHalfLife: nil, batch: count, dropout: (p, attention: p / 2)))
            var inputs = ["targets": try accelerator.copy(targets), "labels": try accelerator.copy(labels)]
            inputs["dropout"] = try accelerator.copy(stream)
            inputs["prior/numbers"] = try accelerator.copy(optimizer.numbers(rate: 1e-3))
            for (name, tensor) in optimizer.state { inputs["prior/\(name)"] = try accelerator.copy(tensor) }
            let values = try program.run(inputs)
            losses.append(try values.tensor("loss").scalar)
            moments.append(try model.parameters.flatMap { try values.tensor("prior/moment1/\($0.name)").values })
        }
        // What layers share, the condition, gets its gradient layer by layer: sums in another order.
        let largest = gradients[0].map(abs).max() ?? 0
        #expect(gradients[0][0] == gradients[1][0] && gradients[0].count > 1000 && gradients[0].count == gradients[1].count)
        #expect(zip(gradients[0], gradients[1]).allSatisfy { abs($0 - $1) <= 1e-6 * largest })
        let tolerance: Float = precision == .float32 ? 1e-4 : 0.02
        let most = moments[0].map(abs).max() ?? 0
        #expect(abs(losses[0] - losses[1]) <= 1e-5 * losses[0] && abs(losses[0] - gradients[0][0]) < tolerance * losses[0])
        #expect(most > 0 && zip(moments[0], moments[1]).allSatisfy { abs($0 - $1) <= tolerance * most })
    }

    @Test func crossEntropyOfEveryToken() throws {
        let config = config()
        let model = ARModel(config, stream: RandomStream(seed: 1, "initial"))
        let (targets, labels) = batch(config, step: 0, count: 4)
        let accelerator = try Accelerator(testClient(devices: 1))
        var inputs = ["targets": try accelerator.copy(targets), "labels": try accelerator.copy(labels)]
        for parameter in model.parameters { inputs["prior/value/\(parameter.name)"] = try accelerator.copy(parameter.value) }
        let nats = try accelerator.compile(PriorProgram.crossEntropy(config, batch: 4)).run(inputs).tensor("nats").values
        let expected = model.crossEntropy(ARInput(targets: targets, labels: labels), on: nil).values
        #expect(zip(nats, expected).allSatisfy { abs($0 - $1) < 1e-5 * $1 })
    }

    struct Way: Sendable, CustomTestStringConvertible {
        var topK = 0
        var topP = 1.0
        var temperature = 1.0
        var prologueTemperature: Double?
        var scale = 0.0
        var isSplit = false
        var takesGiven = false
        var testDescription: String {
            "top-k \(topK), top-p \(topP), temperature \(temperature), guidance \(scale)\(isSplit ? " by segment" : ""), given \(takesGiven)"
        }
        var settings: SamplerSettings {
            var settings = SamplerSettings()
            (settings.topK, settings.topP, settings.temperature) = (topK, topP, temperature)
            settings.prologueTemperature = prologueTemperature
            (settings.guidance.scale, settings.guidance.schedule) = (scale, .cosine)
            if isSplit {
                var segment = SplitGuidanceSettings()
                (segment.schedule, segment.scale) = (.linear, scale)
                settings.visualGuidance = segment
            }
            return settings
        }
    }

    static let ways = [
        Way(topK: 1, scale: 2.5), Way(temperature: 0.7, prologueTemperature: 0, scale: 1.5, isSplit: true), Way(topK: 7),
        Way(topP: 0.6, takesGiven: true), Way(topK: 12, topP: 0.8, temperature: 1.3, scale: 3),
    ]

    /// Token by token the sequences that the computing sampler draws.
    @Test(arguments: ways) func samples(way: Way) throws {
        let (config, count) = (config(), 5)
        let model = ARModel(config, stream: RandomStream(seed: 1, "initial"))
        // Weights with more to say than those of a new model.
        for parameter in model.parameters { parameter.value.overwrite(with: parameter.value.values.map { $0 * 6 }) }
        let labels = TokenTensor([0, 3, 1, 4, 2], shape: [count])
        var given: TokenTensor?
        if way.takesGiven {
            let ids = batch(config, step: 1, count: count).targets
            given = TokenTensor(ids.ids.enumerated().map { $0 % 3 == 0 ? $1 : -1 }, shape: ids.shape)
        }
        let expected = Sampler(model, way.settings).sample(labels: labels.ids, seed: 9, first: 1000, given: given)

        let accelerator = try Accelerator(testClient(devices: 1))
        func sample(_ range: Range<Int>, stretch: Int = 64) throws -> [Int32] {
            let length = config.layout.length
            let program = SamplingProgram(config, way.settings, count: range.count, given: given != nil, stretch: stretch)
            let streams = program.streams(seed: 9, first: 1000 + range.lowerBound)
            var inputs = [
                "labels": try accelerator.copy(TokenTensor(Array(labels.ids[range]), shape: [range.count])),
                "scales": try accelerator.copy(program.scales), "temperatures": try accelerator.copy(program.temperatures),
                "sampler/key": try accelerator.copy(words: streams.key), "sampler/steps": try accelerator.copy(words: streams.steps),
            ]
            if let given {
                let ids = Array(given.ids[range.lowerBound * length..<range.upperBound * length])
                inputs["given"] = try accelerator.copy(TokenTensor(ids, shape: [range.count, length]))
            }
            for parameter in model.parameters { inputs["prior/value/\(parameter.name)"] = try accelerator.copy(parameter.value) }
            return try accelerator.compile(program.traced).run(inputs).tokens("ids").ids
        }
        let whole = try sample(0..<count)
        #expect(whole == expected.ids)
        #expect(Set(whole).count > 5, "a model that says one thing only tests nothing")
        // The same sequences in another batch, in stretches of which the last is short.
        #expect(try sample(2..<count, stretch: 8) == Array(whole[(2 * config.layout.length)...]))
    }

    /// Greedy sequences of bfloat16 are as near to what float32 would choose as those of the computing sampler: how far the logits of
    /// chosen tokens are below the largest ones.
    @Test(arguments: [(0.0, 64), (2.0, 64), (2.0, 7)]) func samplesInBFloat16(scale: Double, stretch: Int) throws {
        let model = TinyPrior.model(TinyPrior.prologue)
        let (layout, labels) = (TinyPrior.prologue, (0..<24).map { Int32($0 % 4) })
        var settings = SamplerSettings()
        (settings.topK, settings.precision, settings.guidance.scale) = (1, .bfloat16, scale)
        let accelerator = try Accelerator(testClient(devices: 1))
        let program = SamplingProgram(model.config, settings, count: labels.count, stretch: stretch)
        var inputs = ["labels": try accelerator.copy(TokenTensor(labels, shape: [labels.count]))]
        inputs["scales"] = try accelerator.copy(program.scales)
        for parameter in model.parameters { inputs["prior/value/\(parameter.name)"] = try accelerator.copy(parameter.value) }
        let theirs = try accelerator.compile(program.traced).run(inputs).tokens("ids")
        let ours = Sampler(model, settings).sample(labels: labels, seed: 0)
        // Keys and values of both branches are kept rounded.
        let rows = scale == 0 ? labels.count : 2 * labels.count
        #expect(program.traced.text.contains("tensor<\(rows)x\(layout.length)x24xbf16>"))

        /// By how much of the range of a token's logits, on the mean, those of the chosen ones are below the largest.
        func regret(_ ids: TokenTensor) -> Float {
            let conditional = TinyPrior.logits(model, ids, labels: labels).values
            let unconditional = TinyPrior.logits(model, ids, labels: labels.map { _ in model.unconditionalLabel }).values
            var sum: Float = 0
            for (i, id) in ids.ids.enumerated() {
                let segment = layout.segment(at: i % layout.length)
                let s = Float(Guidance(settings).scale(at: i % layout.length, layout: layout) ?? 1)
                let mixed = segment.map {
                    s * conditional[i * layout.vocabulary + $0] + (1 - s) * unconditional[i * layout.vocabulary + $0]
                }
                guard segment.count > 1, let largest = mixed.max(), let least = mixed.min() else { continue }
                sum += (largest - mixed[Int(id) - segment.lowerBound]) / (largest - least)
            }
            return sum / Float(ids.count)
        }
        let (here, there) = (regret(ours), regret(theirs))
        #expect(there <= 2 * here + 1e-3, "\(there), here \(here)")
        // Few tokens are so near to another one that rounding decides between them, though what follows one differs.
        let equal = zip(ours.ids, theirs.ids).count { $0 == $1 }
        #expect(Double(equal) >= 0.7 * Double(ours.count), "\(equal) of \(ours.count)")
        #expect(Set(theirs.ids).count > 5)
    }
}
