import Accelerators
import Models
import PJRT
import Settings
import TensorCore
import TestSupport
import Testing

/// Trainings of tokenizers whose batches several devices share, against those on one.
@Suite(.enabled(if: testPlugin != nil, "needs the CPU plugin of Tests/reference/requirements.txt"))
struct DataParallelTokenizerTests {
    private static let batch = 8

    /// Ways to train and quantizers. Entropies are soft: sharp ones make a large difference of a rounding.
    private static let every =
        UpdateWay.all.filter { $0.entropy == 0 } + [
            UpdateWay(testDescription: "prologue, entropies", entropy: 0.1, entropyTemperature: 0.5),
            UpdateWay(testDescription: "probq and vq", quantizers: (.probq, .vq)),
            UpdateWay(testDescription: "lfq, entropies", quantizers: (.lfq, .probq), entropy: 0.1, entropyTemperature: 0.5),
            UpdateWay(testDescription: "perceptual", prologue: .none, hasJoint: false, isPerceptual: true),
        ]

    /// The most telling ones have noise, statistics of the batch and a discriminator's state.
    static let ways =
        triesEveryCaseOnDevices
        ? every : every.filter { ["gumbel", "prologue, entropies", "prologue, losses of images"].contains($0.testDescription) }

    private struct Trained {
        /// What every device says of each step, by name.
        var scalars: [[String: Float]] = []
        var indices: [[Int32]] = []
        var points: [[Float]] = []
        /// What is brought back, by name.
        var state: [String: [Float]] = [:]
    }

    private func train(_ way: UpdateWay, devices: Int, microBatch: Int? = nil, shardsState: Bool = false, steps: Int) throws -> Trained {
        let accelerator = try Accelerator(testClient(devices: 4), .these(Array(0..<devices)), shardsState: shardsState)
        // An epsilon above what gradients that are 0 are rounded to.
        let settings = OptimizerSettings(beta1: 0.5, beta2: 0.9, epsilon: 1e-2, weightDecay: 0.01, clip: 1)
        let example = UpdateExample(way, microBatch: microBatch, settings)
        let (config, update) = (example.tokenizer.config, example.update)
        var programs: [TokenizerUpdate.StepKind: CompiledProgram] = [:]
        let state = DeviceState(update.tracedState + update.tracedConstants, on: accelerator)
        var trained = Trained()
        for step in 0..<steps {
            var stream = RandomStream(seed: 5, "batch", step: step)
            let labels = (0..<Self.batch).map { _ in Int32(stream.integer(below: 4)) }
            let size = config.visualTokens * config.patchWidth
            let patches = Tensor(
                labels.flatMap { label in
                    (0..<size).map { place in
                        let isOn = (place / 3) % 4 == Int(label)
                        return (isOn ? 0.7 : -0.7) + 0.3 * stream.normal()
                    }
                }, shape: [Self.batch, config.visualTokens, config.patchWidth])
            var inputs = ProgramInputs(accelerator)
            try inputs.share("patches", patches)
            try inputs.share("labels", TokenTensor(labels, shape: [Self.batch]))
            // Unequally among devices.
            try inputs.share("visual_dropped", TokenTensor([1, 1, 0, 0, 0, 1, 0, 0], shape: [Self.batch]))
            for name in ["visual", "prologue"] { try inputs.repeat("\(name)_noise", RandomStream(seed: 7, name, step: step)) }
            for (name, numbers) in update.tracedNumbers(rate: 3e-3, adversaryRate: 1e-3, step: step) {
                try inputs.repeat(name, numbers)
            }
            let kind = update.kind(of: step)
            let program =
                try programs[kind]
                ?? accelerator.compile(
                    update.traced(
                        batch: Self.batch, given: example.given, extras: [.entropies, .points], step: step, replicas: accelerator.replicas))
            programs[kind] = program
            let values = try state.run(program, inputs)
            let updated = Set(program.program.updated)
            let names = program.program.outputs.filter { $0.shape == [1] && !updated.contains($0.name) }.map(\.name)
            let scalars = try values.map { values in
                Dictionary(uniqueKeysWithValues: try names.map { ($0, try values.tensor($0).scalar) })
            }
            for (name, first) in scalars[0] {
                let all = scalars.map { $0[name] ?? .nan }
                #expect(all.allSatisfy { $0 == first }, "every device says the same \(name) in step \(step): \(all)")
            }
            trained.scalars.append(scalars[0])
            trained.indices.append(try values.tokenRows("indices").ids)
            trained.points.append(try values.rows("visual_points").values)
            for name in program.program.updated where !program.program.shards.contains(name) && step == steps - 1 {
                let states = try values.map { try $0.tensor(name).values }
                #expect(states.allSatisfy { $0 == states[0] }, "devices have the same \(name)")
            }
        }
        try state.bringBack()
        trained.state = Dictionary(uniqueKeysWithValues: update.tracedState.map { ($0.name, $0.tensor.values) })
        return trained
    }

    private func compare(_ one: Trained, _ several: Trained, _ title: String) {
        for (step, (a, b)) in zip(one.scalars, several.scalars).enumerated() {
            for (name, expected) in a {
                let value = b[name] ?? .nan
                // Parts of a loss are as exact as the loss; reported entropies look at distances a hundred times enlarged.
                let tolerance =
                    name.hasSuffix("entropy") ? 1e-3 : 1e-4 * max(abs(expected), name == "gradient_norm" ? 0 : abs(a["loss"] ?? 0))
                #expect(abs(value - expected) <= tolerance, "\(title), step \(step), \(name): \(value) is not \(expected)")
            }
        }
        #expect(one.indices == several.indices, "\(title): codes come back in the batch's order")
        let off = zip(one.points.joined(), several.points.joined()).map { abs($0 - $1) }.max() ?? 1
        #expect(off <= 1e-3, "\(title): points are \(off) off")
        // Running moments and LeCam's averages, too, which no loss tells.
        for (name, values) in one.state {
            let largest = values.map(abs).max() ?? 0
            let off = zip(values, several.state[name] ?? []).map { abs($0 - $1) }.max() ?? 1
            // Gradients of little size are what is left of large ones.
            #expect(off <= (name.contains("/moment") ? 2e-2 : 1e-3) * largest + 1e-6, "\(title), \(name): \(off) of \(largest)")
        }
    }

    private static let steps = 20

    /// Statistics of the batch, too, and noise are those of the whole batch: with others the losses part in the first step.
    @Test(arguments: ways) func tokenizersLearnTheSame(way: UpdateWay) throws {
        let one = try train(way, devices: 1, steps: Self.steps)
        let (first, last) = (try #require(one.scalars[1]["loss"]), try #require(one.scalars[Self.steps - 1]["loss"]))
        #expect(last < 0.8 * first, "there is something to learn: \(last) after \(first)")
        #expect(Set(one.indices[Self.steps - 1]).count > 3)
        compare(one, try train(way, devices: 2, steps: Self.steps), "2 devices")
        guard ["gumbel", "prologue, entropies", "prologue, losses of images"].contains(way.testDescription) else { return }
        // Here they share out what optimisers hold, too.
        compare(one, try train(way, devices: 4, shardsState: way.adversary != nil, steps: Self.steps), "4 devices")
        guard way.adversary == nil, way.entropy == 0 else { return }
        compare(one, try train(way, devices: 2, microBatch: 2, steps: Self.steps), "2 devices, parts of 2")
    }
}
