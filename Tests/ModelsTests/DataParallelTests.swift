import Accelerators
import Foundation
import Models
import NN
import PJRT
import Settings
import TensorCore
import TestSupport
import Testing

/// Trainings whose batches several devices share, against those on one.
@Suite(.enabled(if: testPlugin != nil, "needs the CPU plugin of Tests/reference/requirements.txt"))
struct DataParallelTests {
    private static let batch = 8

    private func accelerator(_ devices: Int) throws -> Accelerator {
        try Accelerator(testClient(devices: 4), .these(Array(0..<devices)))
    }

    private let prior: ARConfig = {
        let layout = SequenceLayout(prologueTokens: 3, visualTokens: 6, visualCodes: 20, prologueCodes: 10)
        var config = ARConfig(layout: layout, network: .init(width: 16, layers: 2, heads: 2, axes: [8, 0, 0]), labels: 5)
        config.conditionWidth = 8
        return config
    }()

    /// Sequences with something to learn: a prologue says what follows.
    private func sequences(step: Int) -> (targets: TokenTensor, labels: TokenTensor) {
        var stream = RandomStream(seed: 5, "batch", step: step)
        let segments = (0..<prior.layout.length).map(prior.layout.segment)
        var (ids, labels) = ([Int32](), [Int32]())
        for _ in 0..<Self.batch {
            let label = stream.integer(below: 4)
            labels.append(Int32(label))
            ids += segments.enumerated().map { place, segment in
                Int32(
                    segment.lowerBound
                        + (stream.integer(below: 4) == 0 ? stream.integer(below: segment.count) : (label + place) % segment.count))
            }
        }
        return (TokenTensor(ids, shape: [Self.batch, segments.count]), TokenTensor(labels, shape: [Self.batch]))
    }

    private struct Trained {
        var losses: [Float] = []
        /// By device.
        var states: [[String: [Float]]] = []
        var samples: [Int32] = []
    }

    private func trainPrior(devices: Int, microBatch: Int? = nil, steps: Int) throws -> Trained {
        let accelerator = try accelerator(devices)
        let model = ARModel(prior, stream: RandomStream(seed: 1, "initial"))
        let settings = OptimizerSettings(beta1: 0.9, beta2: 0.96, weightDecay: 0.03, clip: 1)
        let optimizer = AdamW(model.parameters, settings, averageHalfLife: 20)
        let program = try accelerator.compile(
            PriorProgram.step(
                prior, settings, averageHalfLife: 20, batch: Self.batch, microBatch: microBatch, dropout: (0.1, attention: 0.1),
                replicas: devices))
        let state = try DeviceState(optimizer.state.map { ("prior/\($0.name)", $0.tensor) }, on: accelerator, each: true)
        var trained = Trained()
        for step in 0..<steps {
            let (targets, labels) = sequences(step: step)
            var inputs = ProgramInputs(accelerator)
            try inputs.share("targets", targets)
            try inputs.share("labels", labels)
            try inputs.repeat("dropout", RandomStream(seed: 2, "dropout", step: step))
            try inputs.repeat("prior/numbers", optimizer.numbers(rate: 3e-3))
            let values = try state.run(program, inputs)
            let losses = try values.map { try $0.tensor("loss").scalar }
            #expect(Set(losses).count == 1, "every device says the same")
            trained.losses.append(losses[0])
            if step == steps - 1 {
                trained.states = try values.map { values in
                    try Dictionary(uniqueKeysWithValues: program.program.updated.map { ($0, try values.tensor($0).values) })
                }
            }
        }
        try state.bringBack()
        var sampling = SamplerSettings()
        (sampling.topK, sampling.guidance.scale) = (1, 1.5)
        trained.samples = Sampler(model, sampling).sample(labels: [0, 1, 2, 3], seed: 0).ids
        return trained
    }

    /// Masks, too, are those of the whole batch: with others the losses part in the first step.
    @Test func priorsLearnTheSame() throws {
        let one = try trainPrior(devices: 1, steps: 50)
        #expect(one.losses[49] < 0.8 * one.losses[0])
        #expect(Set(one.samples).count > 5)
        for (devices, microBatch) in [(2, nil), (4, nil), (2, 2)] as [(Int, Int?)] {
            let several = try trainPrior(devices: devices, microBatch: microBatch, steps: 50)
            for (step, (a, b)) in zip(one.losses, several.losses).enumerated() {
                #expect(abs(a - b) <= 1e-4 * a, "\(devices) devices, parts of \(microBatch ?? 0), step \(step): \(b) is not \(a)")
            }
            #expect(several.samples == one.samples, "\(devices) devices")
            #expect(several.states.count == devices && several.states.allSatisfy { $0 == several.states[0] }, "devices stay equal")
        }
        // The same bits again.
        #expect(try trainPrior(devices: 4, steps: 10).states == trainPrior(devices: 4, steps: 10).states)
    }

    @Test func classifiersLearnTheSame() throws {
        let sizes = ImageClassifier.Sizes(imageSize: 8, channels: 1, outputs: 3, width: 4, features: 8)
        let settings = OptimizerSettings(beta2: 0.999, weightDecay: 0.01)
        func train(devices: Int) throws -> (losses: [Float], logits: [Float]) {
            let accelerator = try accelerator(devices)
            let model = ImageClassifier(sizes, parameters: .random(RandomStream(seed: 3, "initial")))
            let optimizer = AdamW(model.parameters, settings)
            let program = try accelerator.compile(
                ClassifierProgram.step(sizes, settings, batch: Self.batch, targets: .classes, replicas: devices))
            let state = try DeviceState(optimizer.state.map { ("classifier/\($0.name)", $0.tensor) }, on: accelerator, each: true)
            var (losses, logits) = ([Float](), [Float]())
            for step in 0..<50 {
                var stream = RandomStream(seed: 4, "images", step: step)
                let labels = (0..<Self.batch).map { _ in Int32(stream.integer(below: 3)) }
                let images = Tensor(
                    labels.flatMap { label in (0..<64).map { Float($0 % 3 == label ? 1 : 0) + 0.3 * stream.normal() } },
                    shape: [Self.batch, 8, 8, 1])
                var inputs = ProgramInputs(accelerator)
                try inputs.share("images", images)
                try inputs.share("labels", TokenTensor(labels, shape: [Self.batch]))
                try inputs.repeat("classifier/numbers", optimizer.numbers(rate: 3e-3))
                let values = try state.run(program, inputs)
                losses.append(try values[0].tensor("loss").scalar)
                logits = try values.rows("logits").values
            }
            return (losses, logits)
        }
        let one = try train(devices: 1)
        for devices in [2, 4] {
            let several = try train(devices: devices)
            #expect(zip(one.losses, several.losses).allSatisfy { abs($0 - $1) <= 1e-4 * $0 }, "\(devices) devices")
            #expect(zip(one.logits, several.logits).allSatisfy { abs($0 - $1) <= 1e-3 }, "rows come back in the batch's order")
        }
    }

    @Test func devicesThatDoNotFitAreNamed() throws {
        let accelerator = try accelerator(4)
        #expect(try accelerator.share(of: 8, "prior.batch") == 2)
        let said = #expect(throws: (any Error).self) { try accelerator.share(of: 6, "prior.batch") }
        #expect(
            "\(said.map { "\($0)" } ?? "")".contains(
                "prior.batch: a batch of 6 cannot be shared out equally to 4 devices; the nearest that can: 4 or 8"))
        #expect(throws: (any Error).self) { try Accelerator(testClient(devices: 4), .these([1, 4])) }
        // A device that is not the first, alone and with another.
        for devices in [[2], [3, 1]] {
            let accelerator = try Accelerator(testClient(devices: 4), .these(devices))
            let program = Program("mean", replicas: devices.count)
            program.output("y", program.meanOverReplicas(program.input("x", [1])))
            var inputs = ProgramInputs(accelerator)
            try inputs.share("x", Tensor(devices.map(Float.init), shape: [devices.count]))
            #expect(try accelerator.compile(program.traced()).run(inputs.byDevice).rows("y").values == devices.map { _ in 2 })
        }
    }

    @Test(arguments: [
        ("cpu", DeviceChoice.cpu), ("xla", .xla(plugin: nil)), ("xla:cuda", .xla(plugin: "cuda")),
        ("xla:all", .xla(plugin: nil, devices: .all)),
        ("xla:cuda:1", .xla(plugin: "cuda", devices: .these([1]))), ("xla:0-2,5", .xla(plugin: nil, devices: .these([0, 1, 2, 5]))),
    ]) func choicesAreRead(text: String, choice: DeviceChoice) throws {
        #expect(try DeviceChoice(text) == choice)
        #expect(try DeviceChoice(choice.description) == choice)
    }

    @Test(arguments: ["gpu", "xla:", "xla:cuda:", "xla:cuda:x", "xla:0:1", "xla:3-1", "xla:0,0", "xla:1-", "xla:0,", "cpu:1"])
    func choicesThatAreNone(text: String) { #expect(throws: (any Error).self) { try DeviceChoice(text) } }
}
