import Evaluation
import Files
import Foundation
import ImageData
import Metrics
import Models
import RunStore
import Settings

/// Reconstructions of the held-out images and their distance to the originals, in features and in pixels; and what
/// samples are scored against: features and statistics of the originals, statistics of the reconstructions.
struct ReconstructionStage: Stage {
    let scores: ScoreSettings
    let features: FeatureStage
    let tokenizer: TokenizerStage

    var role: String { "reconstructions\(features.roleSuffix)" }

    var identity: StageIdentity {
        // Of the settings of scores, the reference alone is read here.
        let reference = scores.identity["reference_count"] ?? .null
        let read: [String: JSONValue] = ["scores": ["reference_count": reference]]
        return StageIdentity(
            kind: "reconstructions", settings: .object(read.merging(tokenizer.weightIdentity) { $1 }),
            inputs: ["tokenizer": tokenizer.id, "features": features.id], formatVersion: 4)
    }

    /// The held-out images that scores refer to.
    var references: ImageSet {
        get throws { try scores.referenceCount.map(tokenizer.dataset.test.balanced) ?? tokenizer.dataset.test }
    }

    static let pictureFile = "reconstructions.png"

    func perform(_ work: StageWork, _ context: ExperimentContext) throws -> JSONValue {
        let dataset = tokenizer.dataset
        let set = try references
        context.progress.note("reconstructions: \(set.count) held-out images")
        let model = try tokenizer.load(context)
        let extractor = try features.extractor(context)
        var parts = KeptParts(work, named: "features", on: model.deviceName)
        try parts.fill(set.count, size: extractor.network.part) { range, file in
            var (real, rebuilt) = (extractor.passes(), extractor.passes())
            var (images, others, errors) = (FeatureBatch(), FeatureBatch(), PixelErrors())
            try dataset.forEachBatch(set, range, of: extractor.chunk) { batch in
                let copies = try model.reconstruct(batch.pixels, of: dataset)
                images += try real.add(batch.pixels)
                others += try rebuilt.add(copies)
                errors.add(batch.pixels, copies, height: set.height, width: set.width, channels: set.channels)
                try work.report(Status(.running, step: range.lowerBound + images.count, of: set.count))
                try Interruption.check()
            }
            images += try real.finish()
            others += try rebuilt.finish()
            try images.write(to: file, "real")
            try others.write(to: file, "reconstruction")
            try errors.write(to: file, "pixels")
        }
        let widths = extractor.network.widths
        var (original, copy, errors) = (ExtractedFeatures(widths), ExtractedFeatures(widths), PixelErrors())
        try parts.forEach { range, file in
            original.append(try FeatureBatch(reading: file, "real", count: range.count, widths))
            copy.append(try FeatureBatch(reading: file, "reconstruction", count: range.count, widths))
            try errors.add(reading: file, "pixels", count: range.count)
        }
        let reference = ScoreReference(
            images: try ScoreReference.Side(original), reconstructions: try ScoreReference.Side(copy))
        try reference.write(to: work.url(ScoreReference.file), features: features.id)
        try picture(set, model, to: work.url(Self.pictureFile))
        try save(reference, errors, set, work)
        return try work.summary(
            ["count": .int(set.count)], warnings: try ScoreWarnings(features, reference: set, count: set.count, context).texts, context)
    }

    private func save(
        _ reference: ScoreReference, _ errors: PixelErrors, _ set: ImageSet, _ work: StageWork
    ) throws {
        let space = features.spaceName
        var read: [String: JSONValue] = ["reference": .string(set.fingerprint), "count": .int(set.count)]
        let pixels = errors.values
        for (name, value) in pixels where !value.isFinite {
            try work.log("\(name) is missing: \(value.isNaN ? "the images are too small for it" : "an image came back equal")")
        }
        try work.save(Scores(protocol: .object(read), values: pixels.mapValues(Optional.some)), named: "pixels")
        read["features"] = .string(features.id)
        if features.space == .inception {
            read["published"] = PublishedProtocol(reconstructions: set.count, of: tokenizer.dataset).member
        }
        guard let copies = reference.reconstructions else { return }
        func kernelDistance() throws -> Double {
            guard let images = reference.images.features, let others = copies.features else {
                throw InputError("there are statistics alone")
            }
            return try KernelDistance(KernelSet(others), to: KernelSet(images)).value
        }
        try work.save(
            Scores(
                protocol: .object(read),
                values: [
                    Measure.rfid.name([.features: space]): try work.measured("rFID") {
                        try frechetDistance(copies.pooled, reference.images.pooled)
                    },
                    Measure.rkid.name([.features: space]): try work.measured("rKID", kernelDistance),
                    Measure.rsfid.name([.features: space]): try work.measured("rsFID") {
                        try frechetDistance(copies.spatial, reference.images.spatial)
                    },
                ]), named: space)
    }

    /// What samples are scored against.
    func reference(_ context: ExperimentContext) throws -> ScoreReference {
        try ScoreReference(reading: context.store.stage(identity).verified(ScoreReference.file))
    }

    /// Two originals and their reconstructions per class: a row of originals above a row of reconstructions.
    private func picture(_ set: ImageSet, _ model: TrainedTokenizer, to url: URL) throws {
        var rows: [[Int]] = [[], []]
        let shown = ImageGrid.capacity(of: set) / 4
        for label in set.classNames.indices where rows[0].count < shown {
            let first = set.labels.indices.lazy.filter { set.labels[$0] == Int32(label) }.prefix(2)
            for (row, index) in first.enumerated() { rows[row].append(index) }
        }
        var pixels: [UInt8] = []
        for row in rows where row.count == rows[0].count {
            let originals = try set.pixels(of: row)
            pixels += originals
            pixels += try model.reconstruct(originals, of: tokenizer.dataset)
        }
        let grid = ImageGrid(
            columns: rows[0].count, rowLabels: ["original", "rebuilt", "original", "rebuilt"],
            title: "\(tokenizer.settings.variant.rawValue): reconstructions of held-out images")
        try PNG.write(grid.picture(pixels, height: set.height, width: set.width, channels: set.channels), to: url)
    }
}

extension StageWork {
    /// A measure that fails is missing, and the stage's log says why.
    func measured(_ what: String, _ measure: () throws -> Double) throws -> Double? {
        do { return try measure() } catch let error as InputError {
            try log("\(what) is missing: \(error)")
            return nil
        }
    }
}

extension ReconstructionStage {
    var picture: (file: String, description: String)? {
        (Self.pictureFile, "held-out images, each above its reconstruction")
    }

    var cost: StageCost? {
        let count = scores.referenceCount ?? tokenizer.dataset.counts.test
        let (encoding, decoding, extraction) = (tokenizer.encoding, tokenizer.decoding, features.extraction)
        let held = Double(features.batch) * max(encoding.held, extraction.held)
        let parameters = encoding.parameters + decoding.parameters + extraction.parameters
        // Features are float64.
        let gathered = 8 * Double(count) * Double(features.width)
        return StageCost(
            parameters: parameters, tokens: nil,
            flops: Double(count) * (encoding.flops + decoding.flops + 2 * extraction.flops),
            memory: 4 * (Double(parameters) + held) + 2 * gathered, disk: gathered)
    }
}
