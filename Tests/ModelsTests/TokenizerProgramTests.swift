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
    @Test(arguments: UpdateWay.all) func updates(way: UpdateWay) throws {
        let (here, there) = (UpdateExample(way), UpdateExample(way))
        let initial = here.state.map(\.tensor.values)
        let accelerator = try Accelerator(testClient(devices: 1))
        var programs: [TokenizerUpdate.StepKind: CompiledProgram] = [:]
        let state = DeviceState(there.state, on: accelerator)
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
        UpdateWay(testDescription: "baseline-1d", visual: .latent, prologue: .none, hasJoint: false, isPerceptual: true),
        UpdateWay(testDescription: "prologue"),
        UpdateWay(testDescription: "prologue, one pass for both steps", crossEntropies: (0.25, 0.25)),
        UpdateWay(testDescription: "gumbel", quantizers: (.gumbel, .gumbel)),
    ]

    /// A batch in parts is the whole batch, here and in a program: losses, codes, entropies, and what the steps leave.
    @Test(arguments: waysInParts) func updatesInParts(way: UpdateWay) throws {
        let (whole, here, there) = (UpdateExample(way), UpdateExample(way, microBatch: 2), UpdateExample(way, microBatch: 2))
        let initial = whole.state.map(\.tensor.values)
        let (accelerator, batch) = (try Accelerator(testClient(devices: 1)), 6)
        let program = try accelerator.compile(there.update.traced(batch: batch, given: there.given, extras: [.entropies, .points]))
        let state = DeviceState(there.state, on: accelerator)
        let labels = TokenTensor([0, 1, 2, 3, 1, 0], shape: [batch])
        let dropped = TokenTensor([1, 0, 0, 1, 0, 0], shape: [batch])
        for step in 0..<2 {
            var stream = RandomStream(seed: 6, "patches", step: step)
            let config = whole.tokenizer.config
            let patches = Tensor([batch, config.visualTokens, config.patchWidth]) { 2 * stream.uniform() - 1 }
            let noise = ["visual", "prologue"].map { RandomStream(seed: 7, $0, step: step) }
            func update(_ example: UpdateExample) -> TokenizerUpdate.Report {
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

    @Test(arguments: UpdateWay.all) func encodingAndDecoding(way: UpdateWay) throws {
        let (model, batch) = (UpdateExample(way).tokenizer, 3)
        let (config, accelerator) = (model.config, try Accelerator(testClient(devices: 1)))
        let encoding = try accelerator.compile(CodingProgram.encoding(config, batch: batch))
        let decoding = try accelerator.compile(CodingProgram.decoding(config, batch: batch))
        let state = DeviceState(model.parameters.map { (CodingProgram.prefix + $0.name, $0.value) }, on: accelerator)
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
