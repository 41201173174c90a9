import Evaluation
import ImageData
import RunStore

/// Runs a feature network over images.
struct FeatureExtractor {
    let network: any FeatureNetwork
    /// Of the images of the data set.
    let size: PixelSize

    init(_ network: any FeatureNetwork, _ dataset: Dataset) {
        self.network = network
        size = PixelSize(height: dataset.train.height, width: dataset.train.width, channels: dataset.channels)
    }

    init(network: any FeatureNetwork, size: PixelSize) { (self.network, self.size) = (network, size) }

    /// Images that should come at a time.
    var chunk: Int { network.chunk }

    func features(_ set: ImageSet, of dataset: Dataset) throws -> ExtractedFeatures {
        var gathered = gathering()
        try dataset.forEachBatch(set, of: chunk) { try gathered.add($0.pixels) }
        return try gathered.finished()
    }

    /// Pixels (n, row, column, channel) of the data set's image size.
    func features(_ pixels: [UInt8]) throws -> ExtractedFeatures {
        var gathered = gathering()
        let step = chunk * size.count
        for lower in stride(from: 0, to: pixels.count, by: step) {
            try gathered.add(Array(pixels[lower..<min(pixels.count, lower + step)]))
        }
        return try gathered.finished()
    }

    /// Nothing yet; images are added to it.
    func gathering() -> GatheredFeatures { GatheredFeatures(passes()) }

    func passes() -> FeaturePasses { FeaturePasses(network: network, size: size) }

    /// The features of `count` images, those of each part kept with the stage until it is complete.
    ///
    /// - Parameter images: hands over the pixels of the images in a range, in order.
    func features(
        of count: Int, keptWith work: StageWork,
        _ images: (_ range: Range<Int>, _ add: (_ pixels: [UInt8]) throws -> Void) throws -> Void
    ) throws -> ExtractedFeatures {
        var parts = KeptParts(work, named: "features", on: network.deviceName)
        try parts.fill(count, size: network.part) { range, file in
            var (passes, rows) = (passes(), FeatureBatch())
            try images(range) {
                rows += try passes.add($0)
                try work.report(Status(.running, step: range.lowerBound + rows.count, of: count))
                try Interruption.check()
            }
            rows += try passes.finish()
            try rows.write(to: file, "features")
        }
        var features = ExtractedFeatures(network.widths)
        try parts.forEach { features.append(try FeatureBatch(reading: $1, "features", count: $0.count, network.widths)) }
        return features
    }
}

/// Takes images as they come and passes them to a network in batches of its size.
struct FeaturePasses {
    let network: any FeatureNetwork
    let size: PixelSize
    private var waiting: [UInt8] = []

    init(network: any FeatureNetwork, size: PixelSize) { (self.network, self.size) = (network, size) }

    /// What the batches that are full now say.
    mutating func add(_ pixels: [UInt8]) throws -> FeatureBatch {
        waiting += pixels
        return try take(atLeast: network.batch)
    }

    /// What is left.
    mutating func finish() throws -> FeatureBatch { try take(atLeast: 1) }

    private mutating func take(atLeast least: Int) throws -> FeatureBatch {
        var (rows, taken) = (FeatureBatch(), 0)
        while waiting.count - taken >= least * size.count {
            let count = min(network.batch, (waiting.count - taken) / size.count)
            rows += try network.pass(Array(waiting[taken..<taken + count * size.count]), count: count, size: size)
            taken += count * size.count
        }
        waiting.removeFirst(taken)
        return rows
    }
}

/// The features of images that come batch by batch.
struct GatheredFeatures {
    private var passes: FeaturePasses
    private var features: ExtractedFeatures

    init(_ passes: FeaturePasses) { (self.passes, features) = (passes, ExtractedFeatures(passes.network.widths)) }

    /// Adds images, (n, row, column, channel).
    mutating func add(_ pixels: [UInt8]) throws { features.append(try passes.add(pixels)) }

    /// Those of all images that were added.
    mutating func finished() throws -> ExtractedFeatures {
        features.append(try passes.finish())
        return features
    }
}

extension FeatureBatch {
    func write(to file: HDF5File, _ group: String) throws {
        for (name, values) in [("pooled", pooled), ("spatial", spatial), ("logits", logits)] {
            try file.write(values, to: "\(group)/\(name)", shape: [count, values.count / max(1, count)])
        }
    }

    init(reading file: HDF5File, _ group: String, count: Int, _ widths: (pooled: Int, spatial: Int, logits: Int)) throws {
        func rows(_ name: String, _ width: Int) throws -> [Float] {
            try file.read("\(group)/\(name)", as: Float.self, shape: [count, width]).values
        }
        self.count = count
        pooled = try rows("pooled", widths.pooled)
        spatial = try rows("spatial", widths.spatial)
        logits = try rows("logits", widths.logits)
    }
}
