import Models
import NN
import Settings
import TensorCore
import Testing

/// One pass through the AR model must give what the two steps, taken apart, give.
@Suite struct TokenizerUpdateTests {
    private struct Example {
        let tokenizer: Tokenizer
        let ar: ARModel
        let patches: Tensor
        let dropped: TokenTensor?
        let labels: TokenTensor

        init(prologue: Bool) {
            let network = TokenizerConfig.Network(width: 24, layers: 2, heads: 2, axes: [4, 4, 4])
            var config = TokenizerConfig(
                visual: .grid, prologue: prologue ? .shared : .none, imageSize: 12, channels: 1, patch: 4,
                encoder: network, decoder: network, codeWidth: 5, codebook: 16, prologueTokens: 3,
                prologueCodebook: 8, labels: 4)
            if !prologue { config.settings.variant = .coupled2D }
            tokenizer = Tokenizer(config, seed: 3)
            ar = ARModel(
                ARConfig(layout: config.layout, network: network, labels: 4), stream: RandomStream(seed: 3, "ar"))
            // Away from the initial values, at which gates and affines let next to nothing through.
            var stream = RandomStream(seed: 4, "disturb")
            for parameter in tokenizer.parameters + ar.parameters {
                parameter.value.overwrite(with: parameter.value.values.map { $0 + 0.1 * stream.normal() })
            }
            patches = Tensor([5, config.visualTokens, config.patchWidth]) { 2 * stream.uniform() - 1 }
            dropped = prologue ? TokenTensor([1, 0, 0, 1, 0], shape: [5]) : nil
            labels = TokenTensor([0, 1, 2, 3, 1], shape: [5])
        }

        func weights(_ prologue: Double, _ visual: Double) -> TokenizerLossSettings {
            var weights = TokenizerLossSettings()
            weights.cePrologue = prologue
            weights.ceVisual = visual
            return weights
        }

        func stepA(on tape: Tape, _ weights: TokenizerLossSettings) -> Tokenizer.StepA {
            tokenizer.stepA(
                patches: tape.constant(patches), weights: weights, ar: ar, labels: labels, visualDropped: dropped)
        }
    }

    @Test(arguments: [true, false])
    func oneBackwardPassGivesBothGradients(_ prologue: Bool) throws {
        let example = Example(prologue: prologue)
        let weights = example.weights(0.5, 0.5)
        let shared = Tape(differentiating: example.tokenizer.parameters + example.ar.parameters)
        let a = example.stepA(on: shared, weights)
        shared.backward(from: a.total)

        let stepA = Tape(differentiating: example.tokenizer.parameters)
        stepA.backward(from: example.stepA(on: stepA, weights).total)
        try compare(example.tokenizer.parameters, shared, stepA, scale: 1)

        let stepB = Tape(differentiating: example.ar.parameters)
        let input = ARInput(
            targets: example.tokenizer.config.layout.targets(a.encoding.indices), labels: example.labels,
            visualDropped: example.dropped)
        let loss = example.ar.meanCrossEntropy(input, on: stepB)
        stepB.backward(from: loss)
        try compare(example.ar.parameters, shared, stepB, scale: 2)
        let total = try #require(a.crossEntropy).total.scalar
        #expect(abs(total - loss.scalar) <= 1e-5 * abs(loss.scalar))
    }

    /// The pass is shared only where every cross-entropy term has the same weight, and there is one.
    @Test func thePassIsSharedOnlyUnderOneWeight() {
        func shared(_ example: Example, _ prologue: Double, _ visual: Double) -> Double? {
            let optimizer = AdamW([], .init(beta1: 0, beta2: 0.9))
            return TokenizerUpdate(
                example.tokenizer, weights: example.weights(prologue, visual), autoencoder: optimizer,
                joint: (example.ar, optimizer)
            ).sharedWeight
        }
        let (prologue, coupled) = (Example(prologue: true), Example(prologue: false))
        #expect(shared(prologue, 0.25, 0.25) == 0.25)
        #expect(shared(prologue, 0.25, 0.5) == nil)
        #expect(shared(prologue, 0, 0) == nil)
        #expect(shared(coupled, 0.25, 0.03) == 0.03)
    }

    /// With and without a shared pass an update ends at the same parameters, but for rounding.
    @Test func updatesAgree() {
        func updated(_ weights: (Double, Double)) -> [Float] {
            let example = Example(prologue: true)
            // An epsilon above all gradients keeps an update proportional to the gradient, rounding included.
            let settings = OptimizerSettings(beta1: 0, beta2: 0.9, epsilon: 10, clip: 0.5)
            let update = TokenizerUpdate(
                example.tokenizer, weights: example.weights(weights.0, weights.1),
                autoencoder: AdamW(example.tokenizer.parameters, settings),
                joint: (example.ar, AdamW(example.ar.parameters, settings)))
            _ = update(patches: example.patches, labels: example.labels, visualDropped: example.dropped, rate: 1)
            return example.ar.parameters.flatMap(\.value.values)
        }
        let (shared, apart) = (updated((0.25, 0.25)), updated((0.25, 0.5)))
        let differs = zip(shared, apart).contains { abs($0 - $1) > 1e-5 }
        #expect(!differs, "step B depends on the weights of step A")
    }

    /// Without any reconstruction, as `prologue-post` trains, and with it, an update is what a whole record gives.
    @Test(arguments: [true, false]) func updatesAreThoseOfAWholeRecord(reconstructs: Bool) {
        let settings = OptimizerSettings(beta1: 0, beta2: 0.9, epsilon: 10)
        func weights(_ example: Example) -> TokenizerLossSettings {
            var weights = example.weights(0.25, 0.25)
            if !reconstructs { (weights.l1, weights.l2, weights.quantizer) = (0, 0, 0) }
            return weights
        }
        let (whole, updated) = (Example(prologue: true), Example(prologue: true))
        let initial = whole.tokenizer.parameters.flatMap(\.value.values)
        let tape = Tape(differentiating: whole.tokenizer.parameters)
        tape.backward(from: whole.stepA(on: tape, weights(whole)).total)
        AdamW(whole.tokenizer.parameters, settings).step(tape, rate: 1)

        let update = TokenizerUpdate(
            updated.tokenizer, weights: weights(updated), autoencoder: AdamW(updated.tokenizer.parameters, settings),
            joint: (updated.ar, AdamW(updated.ar.parameters, settings)))
        _ = update(patches: updated.patches, labels: updated.labels, visualDropped: updated.dropped, rate: 1)
        let (a, b) = (whole.tokenizer.parameters.flatMap(\.value.values), updated.tokenizer.parameters.flatMap(\.value.values))
        let moved = zip(a, initial).map { abs($0 - $1) }.max() ?? 0
        let off = zip(a, b).map { abs($0 - $1) }.max() ?? 1
        #expect(moved > 0 && off < 1e-4 * moved, "\(off) of \(moved)")
    }

    /// Step A takes the generator's and the perceptual loss, each with its weight; step B trains the discriminator on step
    /// A's images as if there had been no step A.
    @Test(arguments: [true, false])
    func imageLossesTrainTheirOwnSideOnly(_ prologue: Bool) throws {
        let settings = OptimizerSettings(beta1: 0, beta2: 0.9, epsilon: 10)
        let classifier = ImageClassifier(
            .init(imageSize: 12, channels: 1, outputs: 3, width: 4, features: 5), parameters: .random(RandomStream(seed: 6, "classifier")))
        func adversary() -> Adversary {
            let network = PatchDiscriminator(channels: 1, width: 3, layers: 2, stream: RandomStream(seed: 7, "d"))
            return Adversary(
                network, adversarySettings(weight: 0.7, .hinge, lecam: 0.5, startStep: 3),
                optimizer: AdamW(network.parameters, settings))
        }
        func values(_ parameters: [Parameter]) -> [Float] { parameters.flatMap(\.value.values) }
        /// Tokenizer, joint AR model, discriminator after one update at `step`.
        func updated(_ losses: ImageLosses?, step: Int) -> (tokenizer: [Float], ar: [Float], report: TokenizerUpdate.Report) {
            let example = Example(prologue: prologue)
            let update = TokenizerUpdate(
                example.tokenizer, weights: example.weights(0.25, 0.25),
                autoencoder: AdamW(example.tokenizer.parameters, settings),
                joint: (example.ar, AdamW(example.ar.parameters, settings)), imageLosses: losses)
            let report = update(
                patches: example.patches, labels: example.labels, visualDropped: example.dropped, rate: 1,
                adversaryRate: 0.5, step: step)
            return (values(example.tokenizer.parameters), values(example.ar.parameters), report)
        }
        let plain = updated(nil, step: 3)
        let (early, trained) = (adversary(), adversary())
        let initial = values(early.discriminator.parameters)
        let before = updated(ImageLosses(adversary: early, perceptual: nil), step: 2)
        #expect(before.tokenizer == plain.tokenizer && before.report.adversary == nil, "before the start step")
        #expect(values(early.discriminator.parameters) == initial && early.lecam.averages.value.values == [0, 0])

        let full = updated(ImageLosses(adversary: trained, perceptual: (PerceptualLoss(classifier), 0.4)), step: 3)
        #expect(full.tokenizer != plain.tokenizer)
        let differs = zip(full.ar, plain.ar).contains { abs($0 - $1) > 1e-6 * (1 + abs($1)) }
        #expect(!differs, "image losses reach the joint AR model")
        // Step A as the sum of its terms.
        let example = Example(prologue: prologue)
        let tape = Tape(differentiating: example.tokenizer.parameters)
        let a = example.stepA(on: tape, example.weights(0.25, 0.25))
        let rebuilt = imagesFromPatches(try #require(a.reconstruction), rows: 3, columns: 3, patch: 4)
        let real = imagesFromPatches(example.patches, rows: 3, columns: 3, patch: 4)
        let fresh = adversary()
        tape.backward(
            from: a.total + 0.7 * fresh.generatorLoss(rebuilt) + 0.4 * PerceptualLoss(classifier)(rebuilt: rebuilt, real: real))
        AdamW(example.tokenizer.parameters, settings).step(tape, rate: 1)
        let off = zip(values(example.tokenizer.parameters), full.tokenizer).map { abs($0 - $1) }.max() ?? 1
        let moved = zip(full.tokenizer, plain.tokenizer).map { abs($0 - $1) }.max() ?? 0
        #expect(off < 1e-4 * moved, "\(off) of \(moved)")
        // Step B alone on the same images.
        let report = fresh.update(real: real, rebuilt: rebuilt, rate: 0.5)
        #expect(values(fresh.discriminator.parameters) == values(trained.discriminator.parameters))
        #expect(values(trained.discriminator.parameters) != initial)
        #expect(report.loss == full.report.adversary?.loss)
        for (mine, its) in zip(fresh.state, trained.state) {
            #expect(mine.name == its.name && mine.tensor.values == its.tensor.values)
        }
        #expect(
            values(classifier.parameters)
                == values(
                    ImageClassifier(
                        .init(imageSize: 12, channels: 1, outputs: 3, width: 4, features: 5),
                        parameters: .random(RandomStream(seed: 6, "classifier"))
                    ).parameters))
    }

    private func compare(_ parameters: [Parameter], _ a: Tape, _ b: Tape, scale: Float) throws {
        for parameter in parameters {
            guard let expected = b.gradient(of: parameter)?.values else { continue }
            let found = try #require(a.gradient(of: parameter), "\(parameter.name) has no gradient").values
            let largest = expected.reduce(0) { max($0, abs($1)) }
            let error = zip(found, expected).reduce(0) { max($0, abs($1.0 * scale - $1.1)) }
            #expect(error <= 1e-4 * largest, "\(parameter.name): \(error) of \(largest)")
        }
    }
}
