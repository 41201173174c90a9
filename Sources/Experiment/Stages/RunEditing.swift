import Evaluation
import Files
import Foundation
import ImageData
import Models
import RunStore
import Settings
import TensorCore

/// Pictures changed by given tokens, with the models of a finished run: what a mask covers is drawn anew, under another class if asked for,
/// and all other tokens are taken from the picture. Nothing is kept in the store.
///
/// The prior reads from left to right: a token that is drawn knows what stands before it, given or drawn, and nothing behind it.
public final class RunEditing {
    public let classNames: [String]
    private let plan: RunPlan
    private let drawing: SampleDrawing
    private let context: ExperimentContext
    private var prior: PriorStage { plan.prior }
    private var dataset: Dataset { prior.tokenizer.dataset }

    /// Pictures that are drawn at once at most.
    public static let most = 1000

    /// - Throws: `InputError` where the run has no finished prior.
    public init(_ id: String, _ context: ExperimentContext) throws {
        plan = try context.plan(of: context.store.run(id))
        for input in [plan.prior.identity, plan.prior.tokenizer.identity] where try !context.store.stage(input).isComplete {
            throw InputError("\(id) has no finished prior yet: '\(input.id)' is not complete")
        }
        drawing = try SampleDrawing(plan.prior.load(context), of: plan.prior.tokenizer, seed: 0, context)
        classNames = plan.prior.tokenizer.dataset.train.classNames
        self.context = context
    }

    public struct Request: Sendable {
        /// The class asked for; nil: none.
        public var label: Int?
        /// Whether the picture's prologue is given; else it is drawn, for the class asked for.
        public var keepsPrologue = true
        public var count = 8
        public var seed = 0
        public var sampler = SamplerSettings()

        public init() {}
    }

    /// What came of it. Levels are 0…255; places are those of whole patches.
    public struct Edited: Sendable {
        /// The picture as the models see it, what they make of its own tokens, and the edits, (image, row, column, channel).
        public let original, rebuilt, edits: [UInt8]
        public let height, width, channels: Int
        public let count: Int
        /// Visual tokens that were given, and those that were drawn.
        public let kept, drawn: Int
        /// Of the drawn ones, the share that is not the picture's own.
        public let changedTokens: Double?
        /// Mean difference of the edits to the reconstruction, where tokens were given and where they were drawn; nil: there are no such places.
        public let stays, changes: Double?
        /// The same where tokens were given, to the picture itself.
        public let staysLikeOriginal: Double?
        /// What the run's classifier takes the picture for, and the share of edits that it takes for the class asked for; nil: it has
        /// none, or no class was asked for.
        public let namedBefore: String?
        public let namedAsAsked: Double?
    }

    /// - Parameters:
    ///   - image: a PNG or JPEG of any size; its middle is taken, as of all pictures.
    ///   - mask: of the same size, light where the picture is to change; nil: everywhere.
    public func edit(_ image: URL, mask: URL?, _ request: Request) throws -> Edited {
        try check(request)
        let (config, layout) = (drawing.tokenizer.model.config, drawing.layout)
        let picture = try Self.read(image)
        let original = picture.converted(toChannels: dataset.channels).square(config.imageSize).pixels
        let isDrawn =
            try mask.map { try masked($0, like: picture, of: image, config) } ?? [Bool](repeating: true, count: layout.visualTokens)

        let indices = try drawing.tokenizer.encode(original, of: dataset)
        let own = layout.targets(prior.order(indices)).ids
        var given = own
        if !request.keepsPrologue { for t in 0..<layout.prologueTokens { given[t] = -1 } }
        for (place, isDrawn) in isDrawn.enumerated() where isDrawn { given[layout.visualStart + place] = -1 }

        let label = request.label.map { Int32($0) } ?? drawing.prior.unconditionalLabel
        var sampler = request.sampler
        sampler.unconditional = request.label == nil
        try sampler.requireAllowed()
        var ids: [Int32] = []
        let engine = drawing.prior.sampler(sampler, batch: min(SampleDrawing.standardBatch, request.count))
        for lower in stride(from: 0, to: request.count, by: SampleDrawing.standardBatch) {
            let count = min(SampleDrawing.standardBatch, request.count - lower)
            let rows = TokenTensor((0..<count).flatMap { _ in given }, shape: [count, layout.length])
            ids +=
                try engine.sample(
                    labels: [Int32](repeating: label, count: count), seed: request.seed, first: lower, given: rows
                ).ids
            try Interruption.check()
        }
        let edits = try drawing.tokenizer.decode(layout.visualIndices(TokenTensor(ids, shape: [request.count, layout.length])))
        let rebuilt = try drawing.tokenizer.decode(layout.visualIndices(TokenTensor(own, shape: [1, layout.length])))
        let (before, after) = try named(original, edits, request.label)

        let drawnPlaces = isDrawn.indices.filter { isDrawn[$0] }
        let changed = (0..<request.count).reduce(0) { sum, row in
            sum + drawnPlaces.count { ids[row * layout.length + layout.visualStart + $0] != own[layout.visualStart + $0] }
        }
        func difference(_ other: [UInt8], drawn: Bool) -> Double? {
            Self.difference(edits, other, config, isDrawn.map { $0 == drawn })
        }
        return Edited(
            original: original, rebuilt: rebuilt, edits: edits, height: config.imageSize, width: config.imageSize,
            channels: config.channels,
            count: request.count, kept: isDrawn.count - drawnPlaces.count, drawn: drawnPlaces.count,
            changedTokens: drawnPlaces.isEmpty ? nil : Double(changed) / Double(request.count * drawnPlaces.count),
            stays: difference(rebuilt, drawn: false), changes: difference(rebuilt, drawn: true),
            staysLikeOriginal: difference(original, drawn: false), namedBefore: before, namedAsAsked: after)
    }

    private func check(_ request: Request) throws {
        guard (1...Self.most).contains(request.count) else {
            throw InputError("1 to \(Self.most) edits can be drawn at once, not \(request.count)")
        }
        if let label = request.label, !classNames.indices.contains(label) {
            throw InputError("there is no class \(label); classes are 0 to \(classNames.count - 1)")
        }
        if request.label == nil, prior.settings.training.steps > 0, prior.settings.labelDrop == 0, !prior.settings.unconditional {
            throw InputError("the run's prior was always told the class (prior.label_drop 0): an edit needs one, --class")
        }
    }

    private static func read(_ url: URL) throws -> Picture {
        let isPNG = (try? FileHandle(forReadingFrom: url).read(upToCount: 3)) == Data([0x89, 0x50, 0x4E])
        return try isPNG ? PNG.read(url) : JPEG.read(url)
    }

    /// Which patches the light places of a mask touch.
    private func masked(_ url: URL, like picture: Picture, of image: URL, _ config: TokenizerConfig) throws -> [Bool] {
        guard config.visual == .grid else {
            throw InputError(
                "the tokens of \(config.settings.variant.rawValue) have no places in the picture, so a mask says nothing of them; without --mask all are drawn"
            )
        }
        let mask = try Self.read(url)
        guard (mask.height, mask.width) == (picture.height, picture.width) else {
            throw InputError(
                file: url.path,
                "is \(mask.height)×\(mask.width); expected the size of \(image.lastPathComponent), \(picture.height)×\(picture.width)")
        }
        let levels = mask.converted(toChannels: 1).square(config.imageSize).pixels
        var touched = [Bool](repeating: false, count: config.grid * config.grid)
        for (place, level) in levels.enumerated() where level >= 128 {
            let (row, column) = place.quotientAndRemainder(dividingBy: config.imageSize)
            touched[row / config.patch * config.grid + column / config.patch] = true
        }
        return touched
    }

    /// Mean absolute difference of each of `edits` to one image, over the patches that are wanted; nil where there are none.
    private static func difference(_ edits: [UInt8], _ other: [UInt8], _ config: TokenizerConfig, _ wanted: [Bool]) -> Double? {
        // Tokens without places are drawn together or not at all.
        guard wanted.contains(true) else { return nil }
        let (side, channels) = (config.imageSize, config.channels)
        var (sum, count) = (0, 0)
        for (place, value) in edits.enumerated() {
            let pixel = place % other.count / channels
            let (row, column) = pixel.quotientAndRemainder(dividingBy: side)
            guard wanted[row / config.patch * config.grid + column / config.patch] else { continue }
            sum += abs(Int(value) - Int(other[place % other.count]))
            count += 1
        }
        return Double(sum) / Double(count)
    }

    /// What the classifier of the run's features says, if it is there and knows the classes.
    private func named(_ original: [UInt8], _ edits: [UInt8], _ label: Int?) throws -> (String?, Double?) {
        guard let features = plan.stages.lazy.compactMap({ $0 as? FeatureStage }).first(where: \.isOfClasses),
            try context.store.stage(features.identity).isComplete
        else { return (nil, nil) }
        let extractor = try features.extractor(context)
        let before = try extractor.features(original).predictions[0]
        guard let label else { return (classNames[Int(before)], nil) }
        let after = try extractor.features(edits).predictions
        return (classNames[Int(before)], Double(after.count { $0 == Int32(label) }) / Double(after.count))
    }
}

extension RunEditing.Edited {
    /// The picture, what the models make of it, and the edits, side by side.
    public func sheet(title: String) -> Data? {
        let columns = min(count + 2, 10)
        let grid = ImageGrid(columns: columns, scale: max(1, 96 / max(1, height)), columnLabels: ["picture", "rebuilt"], title: title)
        return try? PNG.data(grid.picture(original + rebuilt + edits, height: height, width: width, channels: channels))
    }
}
