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
        /// By device, as each has it.
        var states: [[String: [Float]]] = []
        /// What is brought back.
        var state: [[Float]] = []
        /// Bytes that a device keeps of it, and those that it needs beside that, by the compiler's account.
        var bytes = (state: 0, temporaries: 0)
        var samples: [Int32] = []
    }

    private func trainPrior(devices: Int, microBatch: Int? = nil, shardsState: Bool = false, steps: Int) throws -> Trained {
        let accelerator = try Accelerator(testClient(devices: 4), .these(Array(0..<devices)), shardsState: shardsState)
        let model = ARModel(prior, stream: RandomStream(seed: 1, "initial"))
        let settings = OptimizerSettings(beta1: 0.9, beta2: 0.96, weightDecay: 0.03, clip: 1)
        let optimizer = AdamW(model.parameters, settings, averageHalfLife: 20)
        let program = try accelerator.compile(
            PriorProgram.step(
                prior, settings, averageHalfLife: 20, batch: Self.batch, microBatch: microBatch, dropout: (0.1, attention: 0.1),
                replicas: accelerator.replicas))
        let state = DeviceState(optimizer.state.map { ("prior/\($0.name)", $0.tensor) }, on: accelerator)
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
        trained.state = optimizer.state.map(\.tensor.values)
        let memory = try program.memory()
        trained.bytes = (memory.aliased, memory.temporaries)
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

    /// Each device keeps its part of moments and averages; nothing else changes.
    @Test func stateIsSharedOut() throws {
        let whole = try trainPrior(devices: 4, steps: 20)
        for devices in [2, 4] {
            let parts = try trainPrior(devices: devices, shardsState: true, steps: 20)
            for (step, (a, b)) in zip(whole.losses, parts.losses).enumerated() {
                #expect(abs(a - b) <= 1e-4 * a, "\(devices) devices, step \(step): \(b) is not \(a)")
            }
            #expect(parts.samples == whole.samples)
            for (a, b) in zip(whole.state, parts.state) {
                let largest = a.map(abs).max() ?? 0
                #expect(a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= 1e-3 * largest + 1e-6 })
            }
            // Values are whole on every device; of two moments and the average there are parts, some with zeros behind them.
            let values = parts.states[0].filter { $0.key.contains("/value/") }
            let rest = parts.states[0].filter { !$0.key.contains("/value/") }
            #expect(parts.states.allSatisfy { $0.filter { $0.key.contains("/value/") } == values })
            let (all, kept) = (values.values.reduce(0) { $0 + $1.count }, rest.values.reduce(0) { $0 + $1.count })
            #expect(kept >= 3 * all / devices && kept <= 3 * (all / devices + values.count))
            #expect(parts.bytes.state == 4 * (all + kept) && whole.bytes.state == 4 * 4 * all)
        }
        let again = try (0..<2).map { _ in try trainPrior(devices: 4, shardsState: true, steps: 10) }
        #expect(again[0].states == again[1].states, "the same bits again")
    }

    @Test func classifiersLearnTheSame() throws {
        let sizes = ImageClassifier.Sizes(imageSize: 8, channels: 1, outputs: 3, width: 4, features: 8)
        let settings = OptimizerSettings(beta2: 0.999, weightDecay: 0.01)
        func train(devices: Int) throws -> (losses: [Float], logits: [Float]) {
            let accelerator = try accelerator(devices)
            let model = ImageClassifier(sizes, parameters: .random(RandomStream(seed: 3, "initial")))
            let optimizer = AdamW(model.parameters, settings)
            let program = try accelerator.compile(
                ClassifierProgram.step(sizes, settings, batch: Self.batch, targets: .classes, replicas: accelerator.replicas))
            let state = DeviceState(
                optimizer.state.map { ("classifier/\($0.name)", $0.tensor) }, on: accelerator)
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
        #expect(try accelerator.share(of: 8, "prior") == 2)
        let said = #expect(throws: (any Error).self) { try accelerator.share(of: 6, "prior") }
        #expect(
            "\(said.map { "\($0)" } ?? "")".contains(
                "prior.batch: a batch of 6 cannot be shared out equally to 4 devices; the nearest that can: 4 or 8"))
        // Parts that are larger than a share are the share.
        #expect(try accelerator.share(of: 24, microBatch: 12, "tokenizer") == 6)
        let parts = #expect(throws: (any Error).self) { try accelerator.share(of: 24, microBatch: 4, "tokenizer") }
        #expect(
            "\(parts.map { "\($0)" } ?? "")".contains(
                "tokenizer.micro_batch: parts of 4 do not make up the 6 of each of 4 devices; the nearest that do: 3"))
        #expect(throws: (any Error).self) { try Accelerator(testClient(devices: 4), .these([1, 4])) }
        // A device that is not the first, alone and with another.
        for devices in [[2], [3, 1]] {
            let accelerator = try Accelerator(testClient(devices: 4), .these(devices))
            let program = Program("mean", replicas: accelerator.replicas)
            program.output("y", program.meanOverReplicas(program.input("x", [1])))
            var inputs = ProgramInputs(accelerator)
            try inputs.share("x", Tensor(devices.map(Float.init), shape: [devices.count]))
            #expect(try accelerator.compile(program.traced()).run(inputs.byDevice).rows("y").values == devices.map { _ in 2 })
        }
    }

    /// Each of several workers has its own devices, or as many as others share one.
    @Test func workersShareDevices() throws {
        func shares(_ device: String, _ workers: Int) throws -> [String] {
            try DeviceShare.shares(of: DeviceChoice(device), among: workers).map { share in
                share.choice.description + (share.memory.map { " \($0)" } ?? "")
            }
        }
        #expect(try shares("xla:0-3", 4) == ["xla:0", "xla:1", "xla:2", "xla:3"])
        #expect(try shares("xla:cuda:4-7:sharded", 2) == ["xla:cuda:4,5:sharded", "xla:cuda:6,7:sharded"])
        #expect(try shares("xla:0,2", 4) == ["xla:0 0.5", "xla:0 0.5", "xla:2 0.5", "xla:2 0.5"])
        #expect(try shares("xla", 2) == ["xla 0.5", "xla 0.5"])
        #expect(try shares("xla:all", 2) == ["xla:1/2", "xla:2/2"])
        #expect(try shares("cpu", 2) == ["cpu", "cpu"] && shares("xla:0-3", 1) == ["xla:0,1,2,3"])
        let said = #expect(throws: (any Error).self) { try shares("xla:0-3", 3) }
        #expect("\(said.map { "\($0)" } ?? "")".contains("3 workers cannot have equally many of 4 devices; the nearest that can: 2"))
        // Of all devices, when they are open.
        func places(_ share: String) throws -> [Int] {
            guard let numbers = try DeviceNumbers(share) else { return [] }
            return try Accelerator(testClient(devices: 4), numbers).devices.map(\.id)
        }
        #expect(try places("1/2") == [0, 1] && places("2/2") == [2, 3] && places("4/4") == [3] && places("5/8") == [2])
        #expect(throws: (any Error).self) { try places("1/3") }
    }

    @Test(arguments: [
        ("xla:2/4", DeviceChoice.xla(plugin: nil, devices: .share(2, of: 4))),
        ("cpu", DeviceChoice.cpu), ("xla", .xla(plugin: nil)), ("xla:cuda", .xla(plugin: "cuda")),
        ("xla:all", .xla(plugin: nil, devices: .all)),
        ("xla:cuda:0-1:sharded", .xla(plugin: "cuda", devices: .these([0, 1]), shardsState: true)),
        ("xla:all:sharded", .xla(plugin: nil, devices: .all, shardsState: true)),
        ("xla:cuda:1", .xla(plugin: "cuda", devices: .these([1]))), ("xla:0-2,5", .xla(plugin: nil, devices: .these([0, 1, 2, 5]))),
    ]) func choicesAreRead(text: String, choice: DeviceChoice) throws {
        #expect(try DeviceChoice(text) == choice)
        #expect(try DeviceChoice(choice.description) == choice)
    }

    @Test(arguments: [
        "gpu", "xla:", "xla:cuda:", "xla:cuda:x", "xla:0:1", "xla:3-1", "xla:0,0", "xla:1-", "xla:0,", "cpu:1", "xla:sharded",
        "xla:all:shared", "", "xla:3/2", "xla:0/2", "xla:1/",
    ])
    func choicesThatAreNone(text: String) { #expect(throws: (any Error).self) { try DeviceChoice(text) } }
}
