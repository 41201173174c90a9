import Archives
import Files
import Foundation
import ImageData
import Models
import RunStore
import Settings
import TensorCore

/// The models of a finished run, loaded to draw single pictures for somebody who looks at them. Nothing is kept in the store.
public final class RunDrawing {
    public let run: String
    public let classNames: [String]
    /// Tokens before the image, and how many codes each may be; 0 without a prologue.
    public let prologueTokens, prologueCodes: Int
    /// Tokens of a sequence with the one between prologue and image.
    public let length: Int
    private let drawing: SampleDrawing
    private let image: (height: Int, width: Int, channels: Int)

    /// Pictures that are drawn at once at most.
    public static let most = 64

    /// - Throws: `InputError` where the run has no finished prior.
    public init(_ id: String, _ context: ExperimentContext) throws {
        let plan = try context.plan(of: context.store.run(id))
        for input in [plan.prior.identity, plan.prior.tokenizer.identity] where try !context.store.stage(input).isComplete {
            throw InputError("\(id) has no finished prior yet: '\(input.id)' is not complete")
        }
        run = id
        drawing = try SampleDrawing(plan.prior.load(context), of: plan.prior.tokenizer, seed: 0, context)
        let (layout, set) = (drawing.layout, plan.prior.tokenizer.dataset.train)
        (prologueTokens, prologueCodes, length) = (layout.prologueTokens, layout.prologueCodes, layout.length)
        (classNames, image) = (set.classNames, (set.height, set.width, set.channels))
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
        let (layout, ar) = (drawing.layout, drawing.ar)
        var settings = SamplerSettings()
        settings.temperature = request.temperature
        settings.guidance.scale = request.guidance
        settings.unconditional = request.label == nil
        try settings.requireAllowed()
        let sampler = Sampler(ar, settings)
        let label = request.label.map { Int32($0) } ?? ar.unconditionalLabel
        var (pixels, ids, bits) = ([UInt8](), [[Int32]](), [[Double]]())
        for lower in stride(from: 0, to: request.count, by: 4) {
            guard goOn(lower) else { throw Interrupted() }
            let count = min(4, request.count - lower)
            let labels = [Int32](repeating: label, count: count)
            let row = request.given + [Int32](repeating: -1, count: length - request.given.count)
            let given = TokenTensor((0..<count).flatMap { _ in row }, shape: [count, length])
            let drawn = sampler.sample(labels: labels, seed: request.seed, first: lower, given: given)
            let nats = ar.crossEntropy(ARInput(targets: drawn, labels: TokenTensor(labels, shape: [count])), on: nil).values
            for image in 0..<count {
                ids.append(Array(drawn.ids[image * length..<(image + 1) * length]))
                bits.append(nats[image * length..<(image + 1) * length].map { Double($0) / 0.6931471805599453 })
            }
            pixels += drawing.tokenizer.decode(layout.visualIndices(drawn))
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
        for (t, id) in request.given.enumerated() where !drawing.layout.segment(at: t).contains(Int(id)) {
            let segment = drawing.layout.segment(at: t)
            throw InputError("token \(t) may be \(segment.lowerBound) to \(segment.upperBound - 1), not \(id)")
        }
    }
}
