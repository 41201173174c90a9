import Archives
import Files
import Foundation
import ImageData
import Models
import RunStore
import Settings
import TensorCore

/// The models of a run, loaded to draw single pictures for somebody who looks at them. Nothing is kept in the store.
public final class RunDrawing {
    public let run: String
    public let classNames: [String]
    /// Tokens of a sequence with the one between prologue and image.
    public let length: Int
    private let tokenizer: TrainedTokenizer
    private let layout: SequenceLayout
    private let image: (height: Int, width: Int, channels: Int)
    private let prior: PriorStage
    private let context: ExperimentContext
    /// The prior that was asked for last, as it was after so many steps; nil: at its end.
    private var loaded: (step: Int?, ar: TrainedPrior)?

    /// Pictures that are drawn at once at most.
    public static let most = 64
    private static let together = 4

    /// - Throws: `InputError` where the run has no finished tokenizer.
    public init(_ id: String, _ context: ExperimentContext) throws {
        let plan = try context.plan(of: context.store.run(id))
        (run, self.context, prior) = (id, context, plan.prior)
        let stage = prior.tokenizer
        guard try context.store.stage(stage.identity).isComplete else {
            throw InputError("\(id) has no finished tokenizer yet: '\(stage.id)' is not complete")
        }
        tokenizer = try stage.load(context)
        layout = stage.layout
        length = layout.length
        let set = stage.dataset.train
        (classNames, image) = (set.classNames, (set.height, set.width, set.channels))
    }

    /// The prior as it was after `step` of its steps, also while it is still being trained; nil: at its end.
    private func ar(after step: Int?) throws -> TrainedPrior {
        if let loaded, loaded.step == step { return loaded.ar }
        loaded = nil
        let stage = context.store.stage(prior.identity)
        let ar: TrainedPrior
        if let step, step != prior.settings.training.steps {
            let kept = prior.settings.snapshots
            guard kept.contains(step) else {
                let steps = kept.isEmpty ? "none; prior.snapshots asks for them" : kept.map(String.init).joined(separator: ", ")
                throw InputError("\(run) keeps no snapshot of its prior after \(step) steps; there are: \(steps)")
            }
            guard FileManager.default.fileExists(atPath: stage.url(WeightFile.snapshot(step)).path) else {
                throw InputError("the prior of \(run) has not reached step \(step) yet")
            }
            ar = try prior.load(afterStep: step, context)
        } else {
            guard try stage.isComplete else { throw InputError("\(run) has no finished prior yet: '\(stage.id)' is not complete") }
            ar = try prior.load(context)
        }
        loaded = (step, ar)
        return ar
    }

    /// What is to be drawn.
    public struct Request: Sendable, Equatable {
        /// The class asked for; nil for none.
        public var label: Int?
        public var count = 10
        public var seed = 0
        public var temperature = 1.0
        /// 0 for none.
        public var guidance = 0.0
        /// The prior's weights as they were after so many steps, one of `prior.snapshots`; nil for its last.
        public var step: Int?
        /// Ids in the AR vocabulary that are taken instead of drawn, from the first token on.
        public var given: [Int32] = []

        public init() {}
    }

    /// Pictures with all that is to be known of them.
    public struct Drawn: Sendable {
        public let run: String
        public let request: Request
        /// Class asked for, by name; nil for none.
        public let className: String?
        /// (image, row, column, channel), and their sizes.
        public let pixels: [UInt8]
        public let height, width, channels: Int
        /// In the AR vocabulary, a row an image, and what each cost the prior in bits, told the same class.
        public let ids: [[Int32]]
        public let bits: [[Double]]
        public let prologueTokens, visualStart, visualCodes, prologueCodes: Int

        public var count: Int { ids.count }

        /// One picture as a PNG file.
        public func png(_ number: Int) throws -> Data {
            let size = height * width * channels
            let own = Array(pixels[number * size..<(number + 1) * size])
            return try PNG.data(Picture(height: height, width: width, channels: channels, pixels: own))
        }

        /// All of them: `images` [n, height, width, channels], `tokens` and `bits` [n, T], `label`, `seed`.
        public func npz() throws -> Data {
            let file = FileManager.default.temporaryDirectory.appendingPathComponent("prologue-\(UUID().uuidString).npz")
            defer { try? FileManager.default.removeItem(at: file) }
            let length = ids.first?.count ?? 0
            try Npz.write(
                [
                    ("images", NumpyArray(shape: [count, height, width, channels], .uint8(pixels))),
                    ("tokens", NumpyArray(shape: [count, length], .int32(ids.flatMap { $0 }))),
                    ("bits", NumpyArray(shape: [count, length], .float64(bits.flatMap { $0 }))),
                    ("label", NumpyArray(shape: [1], .int32([Int32(request.label ?? -1)]))),
                    ("seed", NumpyArray(shape: [1], .int64([Int64(request.seed)]))),
                ], to: file)
            return try Data(contentsOf: file)
        }
    }

    /// Draws pictures one after another in small groups.
    ///
    /// - Parameter goOn: told how many are drawn; false stops the work with `Interrupted`.
    public func draw(_ request: Request, goOn: (Int) -> Bool) throws -> Drawn {
        try check(request)
        let ar = try ar(after: request.step)
        var settings = SamplerSettings()
        settings.temperature = request.temperature
        settings.guidance.scale = request.guidance
        settings.unconditional = request.label == nil
        try settings.requireAllowed()
        let sampler = ar.sampler(settings, batch: Self.together)
        let label = request.label.map { Int32($0) } ?? ar.unconditionalLabel
        var (pixels, ids, bits) = ([UInt8](), [[Int32]](), [[Double]]())
        for lower in stride(from: 0, to: request.count, by: Self.together) {
            guard goOn(lower) else { throw Interrupted() }
            let count = min(Self.together, request.count - lower)
            let labels = [Int32](repeating: label, count: count)
            let row = request.given + [Int32](repeating: -1, count: length - request.given.count)
            let given = TokenTensor((0..<count).flatMap { _ in row }, shape: [count, length])
            let drawn = try sampler.sample(labels: labels, seed: request.seed, first: lower, given: given)
            let nats = try ar.crossEntropy(targets: drawn, labels: TokenTensor(labels, shape: [count])).values
            for image in 0..<count {
                ids.append(Array(drawn.ids[image * length..<(image + 1) * length]))
                bits.append(nats[image * length..<(image + 1) * length].map { Double($0) / 0.6931471805599453 })
            }
            pixels += try tokenizer.decode(layout.visualIndices(drawn))
        }
        return Drawn(
            run: run, request: request, className: request.label.map { classNames[$0] }, pixels: pixels, height: image.height,
            width: image.width, channels: image.channels, ids: ids, bits: bits, prologueTokens: layout.prologueTokens,
            visualStart: layout.visualStart, visualCodes: layout.visualCodes, prologueCodes: layout.prologueCodes)
    }

    private func check(_ request: Request) throws {
        guard (1...Self.most).contains(request.count) else {
            throw InputError("1 to \(Self.most) pictures can be drawn at once, not \(request.count)")
        }
        if let label = request.label, !classNames.indices.contains(label) {
            throw InputError("there is no class \(label); classes are 0 to \(classNames.count - 1)")
        }
        guard request.given.count <= length else { throw InputError("a sequence has \(length) tokens, not \(request.given.count)") }
        for (t, id) in request.given.enumerated() where !layout.segment(at: t).contains(Int(id)) {
            let segment = layout.segment(at: t)
            throw InputError("token \(t) may be \(segment.lowerBound) to \(segment.upperBound - 1), not \(id)")
        }
    }
}

extension RunDrawing {
    /// The names of a run's classes as far as they are known without reading its images; empty where they are not.
    public static func classNames(of run: RunRecord) -> [String] {
        let data = run.config["data"]
        switch data?["set"]?.stringValue.flatMap(DataSettings.Collection.init) {
        case .fashionMNIST: return FashionMNIST.classNames
        case .shapes: return Shapes.classNames
        case .cifar10: return data?["path"]?.stringValue.flatMap { try? CIFAR10.classNames(in: URL(fileURLWithPath: $0)) } ?? []
        case .imageFolder, .imageHDF5, .imagenet, .some(.none), nil: return []
        }
    }
}
