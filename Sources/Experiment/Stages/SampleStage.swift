import Files
import Foundation
import ImageData
import Models
import RunStore
import Settings
import TensorCore

/// Generated tokens and images under one named sampler setting, classes in turn.
struct SampleStage: Stage {
    let name: String
    let settings: SamplerSettings
    let count: Int
    /// Sequences drawn at once, between two reports of progress; no result depends on it.
    let batch: Int
    let seed: Int
    let prior: PriorStage

    var role: String { "samples.\(name)" }
    private var tokenizer: TokenizerStage { prior.tokenizer }

    var identity: StageIdentity {
        let read: [String: JSONValue] = ["sampler": settings.identity, "count": .int(count), "seed": .int(seed)]
        return StageIdentity(
            kind: "samples", settings: .object(read.merging(prior.decodingIdentity) { $1 }),
            inputs: ["prior": prior.id], formatVersion: 1)
    }

    static let samplesFile = "samples.h5"
    static let pictureFile = "samples.png"
    private static let partName = "drawn"
    /// Bytes of pixels that are held before they are kept.
    private static let mostHeld = 64 << 20

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let dataset = tokenizer.dataset
        var drawing = try SampleDrawing(prior.load(averaged: settings.ema, context), of: tokenizer, seed: seed, context)
        drawing.batch = batch
        var ids: [Int32] = []
        var pixels: [UInt8] = []
        var rate = RateMeter()
        let (length, side, size) = (tokenizer.layout.length, dataset.imageSize, dataset.train.pixelsPerImage)
        var parts = KeptParts(work, named: Self.partName, on: drawing.prior.deviceName)
        try parts.restore { _ = try $0.shape(of: "images") }
        /// Keeps what was drawn since the last part, and holds it no longer.
        func keep() throws {
            let rows = parts.end + ids.count / length
            try parts.keep(through: rows) { part, file in
                try file.write(ids, to: "tokens", shape: [part.count, length])
                try file.write(pixels, to: "images", shape: [part.count, size])
            }
            (ids, pixels) = ([], [])
        }
        do {
            try drawing.forEachBatch(count, settings, from: parts.end) { drawn, batchIDs, batchPixels in
                ids += batchIDs
                pixels += batchPixels
                if parts.isDue || pixels.count > Self.mostHeld { try keep() }
                rate.tick()
                context.progress.update(
                    StageProgress(
                        stage: role, step: drawn, steps: count, rate: rate.perSecond.map { $0 * Double(batch) }, values: []))
                try work.report(Status(.running, step: drawn, of: count))
            }
        } catch is Interrupted {
            try keep()
            throw Interrupted()
        }
        try keep()
        context.progress.finish()
        try HDF5File.write(atomicallyTo: work.url(Self.samplesFile)) { file in
            try file.makeDataset(
                "tokens", of: Int32.self, shape: [count, length], compressed: true,
                attributes: ["axes": ["sample", "token"], "content": "ids in the AR vocabulary"])
            try file.makeDataset(
                "images", of: UInt8.self, shape: [count, side, side, dataset.channels], compressed: true,
                attributes: ["axes": ["sample", "row", "column", "channel"], "unit": "level 0…255"])
            try copy("tokens", as: Int32.self, width: length, from: parts, to: file)
            try copy("images", as: UInt8.self, width: size, from: parts, to: file)
            try file.write(
                settings.unconditional ? [Int32](repeating: -1, count: count) : drawing.labels(count), to: "labels", shape: [count],
                attributes: ["axes": ["sample"], "content": "class asked for; -1: none"])
            try file.setAttribute("order", "classes in turn")
            try file.setAttribute("seed", .int(seed))
        }
        try picture(of: HDF5File(reading: work.url(Self.samplesFile)), to: work.url(Self.pictureFile))
        return ["count": .int(count)]
    }

    /// Copies rows of `width` numbers from all parts, in blocks that do not depend on where parts end, so that the file's bytes do not.
    private func copy<Element: HDF5Element>(
        _ name: String, as type: Element.Type, width: Int, from parts: KeptParts, to file: HDF5File
    ) throws {
        var (waiting, row): ([Element], Int) = ([], 0)
        func write(_ rows: Int) throws {
            try file.write(Array(waiting[..<(rows * width)]), rows: row..<row + rows, of: name)
            waiting.removeFirst(rows * width)
            row += rows
        }
        try parts.forEach { part, kept in
            for lower in stride(from: 0, to: part.count, by: batch) {
                waiting += try kept.read(rows: lower..<min(part.count, lower + batch), of: name, as: Element.self).values
                while waiting.count >= batch * width { try write(batch) }
            }
        }
        if !waiting.isEmpty { try write(waiting.count / width) }
    }

    /// Hands over the pixels of the samples in `range`, at most `size` images at a time.
    func forEachBatch(
        _ range: Range<Int>, of size: Int, _ context: ExperimentContext, _ body: (_ pixels: [UInt8]) throws -> Void
    ) throws {
        let file = try open(context)
        for lower in stride(from: range.lowerBound, to: range.upperBound, by: size) {
            try body(file.read(rows: lower..<min(range.upperBound, lower + size), of: "images", as: UInt8.self).values)
        }
    }

    /// The class asked for of each sample; −1: none was.
    func labels(_ context: ExperimentContext) throws -> [Int32] { try labels(in: open(context)) }

    func load(_ context: ExperimentContext) throws -> (pixels: [UInt8], labels: [Int32]) {
        let file = try open(context)
        return (try file.read("images", as: UInt8.self).values, try labels(in: file))
    }

    private func open(_ context: ExperimentContext) throws -> HDF5File {
        try HDF5File(reading: context.store.stage(identity).verified(Self.samplesFile))
    }

    /// The labels, one for each image of the data's size.
    private func labels(in file: HDF5File) throws -> [Int32] {
        let set = tokenizer.dataset.train
        let (shape, expected) = (try file.shape(of: "images"), [count, set.height, set.width, set.channels])
        guard shape == expected else {
            throw InputError(file: file.name, "dataset 'images' has shape \(shape); expected \(expected)")
        }
        return try file.read("labels", as: Int32.self, shape: [count]).values
    }

    /// Eight samples a class, a row each; unconditional samples in the order drawn.
    private func picture(of file: HDF5File, to url: URL) throws {
        let dataset = tokenizer.dataset
        let classes = dataset.classes
        let (shown, columns) = ImageGrid.sheet(of: count, like: dataset.train)
        var chosen: [UInt8] = []
        for label in 0..<shown {
            for column in 0..<columns {
                let index = column * classes + label
                chosen += try file.read(rows: index..<index + 1, of: "images", as: UInt8.self).values
            }
        }
        let grid = ImageGrid(
            columns: columns, rowLabels: settings.unconditional ? [] : dataset.train.classNames,
            title: "\(tokenizer.settings.variant.rawValue): samples, \(name)"
                + (shown < min(classes, count) ? ", first \(shown) of \(classes) classes" : ""))
        try PNG.write(
            grid.picture(chosen, height: dataset.imageSize, width: dataset.imageSize, channels: dataset.channels),
            to: url)
    }
}

extension SampleStage {
    var picture: (file: String, description: String)? {
        (Self.pictureFile, "samples under '\(name)'")
    }

    var cost: StageCost? {
        let (tokenizer, drawing) = (prior.tokenizer, prior.drawing(settings, count: count))
        let (decoding, dataset) = (tokenizer.decoding, tokenizer.dataset)
        let pixels = Double(count * dataset.imageSize * dataset.imageSize * dataset.channels)
        let size = pixels + 4 * Double(count) * Double(tokenizer.layout.length + 1)
        let held = max(drawing.held, Double(min(batch, TrainedTokenizer.batch)) * decoding.held)
        let part = min(size, 2 * Double(Self.mostHeld))
        return StageCost(
            parameters: drawing.parameters + decoding.parameters, tokens: count * tokenizer.layout.length,
            flops: Double(count) * (drawing.flops + decoding.flops),
            memory: 4 * (Double(drawing.parameters + tokenizer.encoding.parameters + decoding.parameters) + held) + part,
            disk: size, scratch: size)
    }
}
