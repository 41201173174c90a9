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

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let dataset = tokenizer.dataset
        var drawing = try SampleDrawing(prior.load(averaged: settings.ema, context), of: tokenizer, seed: seed, context)
        drawing.batch = batch
        var ids: [Int32] = []
        var pixels: [UInt8] = []
        var rate = RateMeter()
        let (length, size) = (tokenizer.layout.length, dataset.train.pixelsPerImage)
        var parts = KeptParts(work, named: Self.partName, on: drawing.accelerator?.description)
        try parts.restore { file in
            ids += try file.read("tokens", as: Int32.self).values
            pixels += try file.read("images", as: UInt8.self).values
        }
        func write(_ file: HDF5File, _ part: Range<Int>) throws {
            try file.write(Array(ids[part.lowerBound * length..<part.upperBound * length]), to: "tokens", shape: [part.count, length])
            try file.write(Array(pixels[part.lowerBound * size..<part.upperBound * size]), to: "images", shape: [part.count, size])
        }
        do {
            try drawing.forEachBatch(count, settings, from: parts.end) { drawn, batchIDs, batchPixels in
                ids += batchIDs
                pixels += batchPixels
                if parts.isDue { try parts.keep(through: drawn, write) }
                rate.tick()
                context.progress.update(
                    StageProgress(
                        stage: role, step: drawn, steps: count, rate: rate.perSecond.map { $0 * Double(batch) }, values: []))
                try work.report(Status(.running, step: drawn, of: count))
            }
        } catch is Interrupted {
            try parts.keep(through: ids.count / length, write)
            throw Interrupted()
        }
        context.progress.finish()
        try HDF5File.write(atomicallyTo: work.url(Self.samplesFile)) { file in
            try file.write(
                ids, to: "tokens", shape: [count, length], compressed: true,
                attributes: ["axes": ["sample", "token"], "content": "ids in the AR vocabulary"])
            try file.write(
                pixels, to: "images", shape: [count, dataset.imageSize, dataset.imageSize, dataset.channels],
                compressed: true,
                attributes: ["axes": ["sample", "row", "column", "channel"], "unit": "level 0…255"])
            try file.write(
                settings.unconditional ? [Int32](repeating: -1, count: count) : drawing.labels(count), to: "labels", shape: [count],
                attributes: ["axes": ["sample"], "content": "class asked for; -1: none"])
            try file.setAttribute("order", "classes in turn")
            try file.setAttribute("seed", .int(seed))
        }
        try picture(pixels, to: work.url(Self.pictureFile))
        var summary: [String: JSONValue] = ["count": .int(count)]
        summary["device"] = drawing.accelerator.map { .string($0.description) }
        return .object(summary)
    }

    /// Hands over the pixels of all samples in order, at most `size` images at a time; returns their labels.
    func forEachBatch(
        of size: Int, _ context: ExperimentContext, _ body: (_ pixels: [UInt8]) throws -> Void
    ) throws -> [Int32] {
        let file = try HDF5File(reading: context.store.stage(identity).verified(Self.samplesFile))
        let labels = try labels(in: file)
        for lower in stride(from: 0, to: labels.count, by: size) {
            let rows = lower..<min(labels.count, lower + size)
            try body(file.read(rows: rows, of: "images", as: UInt8.self).values)
        }
        return labels
    }

    func load(_ context: ExperimentContext) throws -> (pixels: [UInt8], labels: [Int32]) {
        let file = try HDF5File(reading: context.store.stage(identity).verified(Self.samplesFile))
        return (try file.read("images", as: UInt8.self).values, try labels(in: file))
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
    private func picture(_ pixels: [UInt8], to url: URL) throws {
        let dataset = tokenizer.dataset
        let (classes, size) = (dataset.classes, dataset.train.pixelsPerImage)
        let (shown, columns) = ImageGrid.sheet(of: count, like: dataset.train)
        var chosen: [UInt8] = []
        for label in 0..<shown {
            for column in 0..<columns {
                let index = column * classes + label
                chosen += pixels[index * size..<(index + 1) * size]
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
        return StageCost(
            parameters: drawing.parameters + decoding.parameters, tokens: count * tokenizer.layout.length,
            flops: Double(count) * (drawing.flops + decoding.flops),
            memory: 4 * (Double(drawing.parameters + tokenizer.encoding.parameters + decoding.parameters) + held) + size,
            disk: size, scratch: size)
    }
}
