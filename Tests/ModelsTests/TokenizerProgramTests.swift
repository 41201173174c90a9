import Accelerators
import Models
import NN
import PJRT
import Settings
import TensorCore
import TestSupport
import Testing

/// Updates of tokenizers as programs on the CPU plugin, against those that compute.
@Suite(.enabled(if: testPlugin != nil, "needs the CPU plugin of Tests/reference/requirements.txt"))
struct TokenizerProgramTests {
    struct Way: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var visual = TokenizerConfig.Visual.grid
        var prologue = TokenizerConfig.Prologue.shared
        var hasJoint = true
        var isCoupled = false
        /// Weights of the prologue's and the visual tokens' cross-entropy: one pass for both steps where they are equal.
        var crossEntropies = (0.5, 0.03)
        var trainsPrologueOnly = false
        var quantizers = (visual: TokenizerSettings.Quantizer.vq, prologue: TokenizerSettings.Quantizer.probq)
        var entropy = 0.0
        var precision = Precision.float32
        /// Of a discriminator, which comes with a perceptual loss; nil: there are no losses of whole images.
        var adversary: AdversarySettings.Loss?
        /// A perceptual loss without a discriminator.
        var isPerceptual = false
    }

    static let ways = [
        Way(testDescription: "baseline-2d", prologue: .none, hasJoint: false),
        Way(testDescription: "baseline-1d", visual: .latent, prologue: .none, hasJoint: false),
        Way(testDescription: "coupled-2d", prologue: .none, isCoupled: true, crossEntropies: (0, 0.25)),
        Way(testDescription: "prologue, entropies", entropy: 0.1),
        Way(testDescription: "prologue, one pass for both steps", crossEntropies: (0.25, 0.25)),
        Way(testDescription: "prologue-post", prologue: .separate(layers: 1), crossEntropies: (0.5, 0.5), trainsPrologueOnly: true),
        Way(testDescription: "gumbel", quantizers: (.gumbel, .gumbel)),
        Way(testDescription: "fsq and lfq", quantizers: (.fsq, .lfq)),
        Way(testDescription: "prologue, losses of images", adversary: .hinge),
        Way(testDescription: "baseline-1d, losses of images", visual: .latent, prologue: .none, hasJoint: false, adversary: .nonSaturating),
    ]

    private struct Example {
        let tokenizer: Tokenizer
        let ar: ARModel?
        let update: TokenizerUpdate
        let given: TokenizerUpdate.TracedInputs

        init(_ way: Way, microBatch: Int? = nil) {
            let network = TokenizerConfig.Network(width: 24, layers: 1, heads: 2, axes: [4, 4, 4])
            var config = TokenizerConfig(
                visual: way.visual, prologue: way.prologue, imageSize: 12, channels: 1, patch: 4, encoder: network, decoder: network,
                codeWidth: 5, codebook: 16, prologueTokens: 3, prologueCodebook: 8, labels: 4)
            if way.isCoupled { config.settings.variant = .coupled2D }
            (config.settings.visualQuantizer, config.settings.prologueQuantizer) = way.quantizers
            if way.quantizers.visual == .fsq { (config.settings.visualLevels, config.settings.codebook) = ([4, 4], 16) }
            (config.settings.loss.visualEntropy, config.settings.loss.prologueEntropy) = (way.entropy, way.entropy)
            tokenizer = Tokenizer(config, seed: 3)
            ar =
                way.hasJoint
                ? ARModel(ARConfig(layout: config.layout, network: network, labels: 4), stream: RandomStream(seed: 3, "ar")) : nil
            // Away from the initial values, at which gates and affines let next to nothing through.
            var stream = RandomStream(seed: 4, "disturb")
            for parameter in tokenizer.parameters + (ar?.parameters ?? []) {
                parameter.value.overwrite(with: parameter.value.values.map { $0 + 0.1 * stream.normal() })
            }
            var weights = TokenizerLossSettings()
            (weights.cePrologue, weights.ceVisual) = way.crossEntropies
            (weights.visualEntropy, weights.prologueEntropy) = (way.entropy, way.entropy)
            if way.trainsPrologueOnly { (weights.l1, weights.l2, weights.quantizer) = (0, 0, 0) }
            // An epsilon above all gradients keeps an update proportional to the gradient, rounding included.
            let settings = OptimizerSettings(beta1: 0.5, beta2: 0.9, epsilon: 10, weightDecay: 0.01, clip: 0.5)
            let trained = way.trainsPrologueOnly ? tokenizer.encoder.prologueParameters : tokenizer.parameters
            update = TokenizerUpdate(
                tokenizer, weights: weights, autoencoder: AdamW(trained, settings, averageHalfLife: 5),
                joint: ar.map { ($0, AdamW($0.parameters, settings)) },
                imageLosses: way.adversary.flatMap { Self.imageLosses($0, settings) }
                    ?? (way.isPerceptual ? ImageLosses(adversary: nil, perceptual: (Self.perceptual, 0.4)) : nil),
                microBatch: microBatch)
            var given = TokenizerUpdate.TracedInputs()
            given.labels = way.hasJoint
            given.visualDropped = config.layout.hasEOS && way.hasJoint
            given.visualNoise = way.quantizers.visual == .gumbel
            given.prologueNoise = way.quantizers.prologue == .gumbel
            self.given = given
        }

        private static var perceptual: PerceptualLoss {
            PerceptualLoss(
                ImageClassifier(
                    .init(imageSize: 12, channels: 1, outputs: 3, width: 4, features: 5),
                    parameters: .random(RandomStream(seed: 6, "classifier"))))
        }

        /// A discriminator that begins with step 1 and has R1 at even steps.
        private static func imageLosses(_ loss: AdversarySettings.Loss, _ settings: OptimizerSettings) -> ImageLosses? {
            let discriminator = PatchDiscriminator(channels: 1, width: 3, layers: 2, stream: RandomStream(seed: 9, "discriminator"))
            var stream = RandomStream(seed: 9, "disturb")
            for parameter in discriminator.parameters {
                parameter.value.overwrite(with: parameter.value.values.map { $0 + 0.2 * stream.normal() })
            }
            var adversary = AdversarySettings()
            (adversary.weight, adversary.loss, adversary.startStep) = (0.7, loss, 1)
            (adversary.lecam, adversary.r1, adversary.r1Every) = (0.5, 0.3, 2)
            return ImageLosses(
                adversary: Adversary(discriminator, adversary, optimizer: AdamW(discriminator.parameters, settings)),
                perceptual: (PerceptualLoss([(perceptual, 0.5)]), 0.4))
        }

        var state: [(name: String, tensor: Tensor)] { update.tracedState + update.tracedConstants }
    }

    @Test(arguments: ways) func updates(way: Way) throws {
        let (here, there) = (Example(way), Example(way))
        let initial = here.state.map(\.tensor.values)
        let accelerator = try Accelerator(testClient(devices: 1))
        var programs: [TokenizerUpdate.StepKind: CompiledProgram] = [:]
        let state = try DeviceState(there.state, on: accelerator)
        let labels = TokenTensor([0, 1, 2, 3, 1], shape: [5])
        let dropped = TokenTensor([1, 0, 0, 1, 0], shape: [5])
        for step in 0..<3 {
            var stream = RandomStream(seed: 6, "patches", step: step)
            let config = here.tokenizer.config
            let patches = Tensor([5, config.visualTokens, config.patchWidth]) { 2 * stream.uniform() - 1 }
            let noise = ["visual", "prologue"].map { RandomStream(seed: 7, $0, step: step) }
            let report = here.update(
                patches: patches, labels: labels, visualDropped: here.given.visualDropped ? dropped : nil,
                noise: GumbelNoise(visual: noise[0], prologue: noise[1]), rate: 0.5, adversaryRate: 0.25, step: step)
            var inputs = [
                "patches": try accelerator.copy(patches), "labels": try accelerator.copy(labels),
                "visual_dropped": try accelerator.copy(dropped), "visual_noise": try accelerator.copy(noise[0]),
                "prologue_noise": try accelerator.copy(noise[1]),
            ]
            for (name, numbers) in there.update.tracedNumbers(rate: 0.5, adversaryRate: 0.25, step: step) {
                inputs[name] = try accelerator.copy(numbers)
            }
            let kind = there.update.kind(of: step)
            let program =
                try programs[kind]
                ?? accelerator.compile(there.update.traced(batch: 5, given: there.given, extras: [.entropies, .points], step: step))
            programs[kind] = program
            let values = try state.run(program, inputs)
            #expect(try values.tokens("indices") == report.stepA.encoding.indices, "step \(step)")
            func agree(_ name: String, _ expected: Float) throws {
                let value = try values.tensor(name).scalar
                #expect(abs(value - expected) <= 1e-4 * abs(expected) + 1e-6, "\(name) at step \(step): \(value), not \(expected)")
            }
            try agree("loss", report.stepA.total.scalar)
            try agree("l1", report.stepA.l1.scalar)
            try agree("quantizer", report.stepA.quantizer.scalar)
            try agree("gradient_norm", Float(report.gradientNorm))
            for (name, quantized) in [("visual", report.stepA.encoding.visual), ("prologue", report.stepA.encoding.prologue)] {
                guard let quantized else { continue }
                let points = try values.tensor("\(name)_points")
                #expect(zip(points.values, quantized.points.values).allSatisfy { abs($0 - $1) <= 1e-4 }, "\(name) points")
                guard let similarities = quantized.similarities else { continue }
                let entropy = AssignmentEntropy(similarities, scale: AssignmentEntropy.reportedScale)
                try agree("\(name)_entropy", Float(entropy.sample))
                try agree("\(name)_batch_entropy", Float(entropy.batch))
            }
            if let loss = report.jointLoss { try agree("ce_joint", loss) }
            if let parts = report.stepA.crossEntropy { try agree("ce_visual", parts.visual.scalar) }
            if let distance = report.stepA.images?.perceptual { try agree("perceptual", distance.scalar) }
            if let generator = report.stepA.images?.generator { try agree("gan_generator", generator.scalar) }
            if let adversary = report.adversary {
                try agree("gan_discriminator", adversary.loss)
                try agree("gan_real", adversary.real)
                try agree("gan_rebuilt", adversary.rebuilt)
            }
        }
        // Before the discriminator, with it, and with R1.
        #expect(programs.count == (way.adversary == nil ? 1 : 3))
        try state.bringBack()
        for ((a, b), before) in zip(zip(here.state, there.state), initial) {
            let moved = zip(a.tensor.values, before).map { abs($0 - $1) }.max() ?? 0
            let off = zip(a.tensor.values, b.tensor.values).map { abs($0 - $1) }.max() ?? 1
            #expect(off <= 2e-3 * moved + 1e-7, "\(a.name): \(off) of \(moved)")
        }
    }

    static let waysInParts = [
        Way(testDescription: "baseline-1d", visual: .latent, prologue: .none, hasJoint: false, isPerceptual: true),
        Way(testDescription: "prologue"), Way(testDescription: "prologue, one pass for both steps", crossEntropies: (0.25, 0.25)),
        Way(testDescription: "gumbel", quantizers: (.gumbel, .gumbel)),
    ]

    /// A batch in parts is the whole batch, here and in a program: losses, codes, entropies, and what the steps leave.
    @Test(arguments: waysInParts) func updatesInParts(way: Way) throws {
        let (whole, here, there) = (Example(way), Example(way, microBatch: 2), Example(way, microBatch: 2))
        let initial = whole.state.map(\.tensor.values)
        let (accelerator, batch) = (try Accelerator(testClient(devices: 1)), 6)
        let program = try accelerator.compile(there.update.traced(batch: batch, given: there.given, extras: [.entropies, .points]))
        let state = try DeviceState(there.state, on: accelerator)
        let labels = TokenTensor([0, 1, 2, 3, 1, 0], shape: [batch])
        let dropped = TokenTensor([1, 0, 0, 1, 0, 0], shape: [batch])
        for step in 0..<2 {
            var stream = RandomStream(seed: 6, "patches", step: step)
            let config = whole.tokenizer.config
            let patches = Tensor([batch, config.visualTokens, config.patchWidth]) { 2 * stream.uniform() - 1 }
            let noise = ["visual", "prologue"].map { RandomStream(seed: 7, $0, step: step) }
            func update(_ example: Example) -> TokenizerUpdate.Report {
                example.update(
                    patches: patches, labels: labels, visualDropped: example.given.visualDropped ? dropped : nil,
                    noise: GumbelNoise(visual: noise[0], prologue: noise[1]), rate: 0.5)
            }
            let (report, parts) = (update(whole), update(here))
            var inputs = [
                "patches": try accelerator.copy(patches), "labels": try accelerator.copy(labels),
                "visual_dropped": try accelerator.copy(dropped), "visual_noise": try accelerator.copy(noise[0]),
                "prologue_noise": try accelerator.copy(noise[1]),
            ]
            for (name, numbers) in there.update.tracedNumbers(rate: 0.5) { inputs[name] = try accelerator.copy(numbers) }
            let values = try state.run(program, inputs)
            #expect(parts.stepA.encoding.indices == report.stepA.encoding.indices)
            #expect(try values.tokens("indices") == report.stepA.encoding.indices)
            func agree(_ name: String, _ value: Float, _ expected: Float) throws {
                for (place, value) in [("here", value), ("there", try values.tensor(name).scalar)] {
                    #expect(abs(value - expected) <= 1e-4 * abs(expected) + 1e-6, "\(name) \(place): \(value), not \(expected)")
                }
            }
            try agree("loss", parts.stepA.total.scalar, report.stepA.total.scalar)
            try agree("l1", parts.stepA.l1.scalar, report.stepA.l1.scalar)
            try agree("gradient_norm", Float(parts.gradientNorm), Float(report.gradientNorm))
            if let loss = report.jointLoss { try agree("ce_joint", try #require(parts.jointLoss), loss) }
            if let distance = report.stepA.images?.perceptual {
                try agree("perceptual", try #require(parts.stepA.images?.perceptual).scalar, distance.scalar)
            }
            let kinds = [
                ("visual", report.stepA.encoding.visual, parts.stepA.encoding.visual),
                ("prologue", report.stepA.encoding.prologue, parts.stepA.encoding.prologue),
            ]
            for case (let name, let quantized?, let part?) in kinds {
                for points in [part.points, try values.tensor("\(name)_points")] {
                    #expect(zip(points.values, quantized.points.values).allSatisfy { abs($0 - $1) <= 1e-4 }, "\(name) points")
                }
                let entropies = [quantized, part].compactMap(\.similarities).map {
                    AssignmentEntropy($0, scale: AssignmentEntropy.reportedScale)
                }
                try #require(entropies.count == 2)
                try agree("\(name)_entropy", Float(entropies[1].sample), Float(entropies[0].sample))
                try agree("\(name)_batch_entropy", Float(entropies[1].batch), Float(entropies[0].batch))
            }
        }
        try state.bringBack()
        for (index, a) in whole.state.enumerated() {
            let moved = zip(a.tensor.values, initial[index]).map { abs($0 - $1) }.max() ?? 0
            for other in [here.state[index], there.state[index]] {
                let off = zip(a.tensor.values, other.tensor.values).map { abs($0 - $1) }.max() ?? 1
                #expect(off <= 2e-3 * moved + 1e-7, "\(a.name): \(off) of \(moved)")
            }
        }
    }

    @Test(arguments: ways) func encodingAndDecoding(way: Way) throws {
        let (model, batch) = (Example(way).tokenizer, 3)
        let (config, accelerator) = (model.config, try Accelerator(testClient(devices: 1)))
        let encoding = try accelerator.compile(CodingProgram.encoding(config, batch: batch))
        let decoding = try accelerator.compile(CodingProgram.decoding(config, batch: batch))
        let state = try DeviceState(model.parameters.map { (CodingProgram.prefix + $0.name, $0.value) }, on: accelerator)
        var stream = RandomStream(seed: 8, "patches")
        let patches = Tensor([batch, config.visualTokens, config.patchWidth]) { 2 * stream.uniform() - 1 }
        let codes = model.encoder(patches)
        #expect(try state.run(encoding, ["patches": accelerator.copy(patches)]).tokens("indices") == codes.indices)
        let decoded = try state.run(decoding, ["indices": accelerator.copy(codes.visual.indices)]).tensor("patches")
        let expected = model.decoder(model.encoder.visualCodes(codes.visual.indices))
        let largest = expected.values.map(abs).max() ?? 0
        #expect(zip(decoded.values, expected.values).allSatisfy { abs($0 - $1) <= 1e-5 * largest })
    }
}
