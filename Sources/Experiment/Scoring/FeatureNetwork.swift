import Models

/// A network in whose features images are compared: the data set's own classifier, or Inception. All scores are made of what it says.
protocol FeatureNetwork {
    /// Images in a pass: results vary with their number in the last digits.
    var batch: Int { get }
    /// Images between two looks at whether to stop.
    var chunk: Int { get }
    /// Images whose features are worth keeping before all have theirs.
    var part: Int { get }
    /// Numbers for an image: in its features, in those that keep places, in its outputs.
    var widths: (pooled: Int, spatial: Int, logits: Int) { get }

    /// Of at most `batch` images, (n, row, column, channel), levels 0…255.
    func pass(_ pixels: [UInt8], count: Int, size: PixelSize) -> FeatureBatch
}

/// Height, width and channels of images.
struct PixelSize: Equatable {
    let height, width, channels: Int
    var count: Int { height * width * channels }
}

/// What a network says of some images, row by row.
struct FeatureBatch: Equatable {
    var count = 0
    /// [count, features], the layer that distances, precision and recall compare.
    var pooled: [Float] = []
    /// [count, cells·cells·channels], a small map that keeps places.
    var spatial: [Float] = []
    /// [count, outputs]
    var logits: [Float] = []

    static func += (all: inout FeatureBatch, more: FeatureBatch) {
        all.count += more.count
        all.pooled += more.pooled
        all.spatial += more.spatial
        all.logits += more.logits
    }
}

/// The classifier of a data set, for images of its size.
struct ClassifierNetwork: FeatureNetwork {
    let model: ImageClassifier
    let dataset: Dataset

    static let batch = 250

    var batch: Int { Self.batch }
    var chunk: Int { Self.batch }
    var part: Int { 10_000 }

    func pass(_ pixels: [UInt8], count: Int, size: PixelSize) -> FeatureBatch {
        let maps = model.maps(dataset.images(pixels))
        let features = model.features(ofMaps: maps)
        return FeatureBatch(
            count: count, pooled: features.values, spatial: ImageClassifier.spatialFeatures(ofMaps: maps).values,
            logits: model.logits(features).values)
    }

    let widths: (pooled: Int, spatial: Int, logits: Int)

    init(_ model: ImageClassifier, _ dataset: Dataset) {
        (self.model, self.dataset) = (model, dataset)
        widths = (model.features, model.spatialWidth, model.outputs)
    }
}

/// Inception, for images of any size.
struct InceptionNetwork: FeatureNetwork {
    let model: InceptionV3

    var batch: Int { InceptionV3.batch }
    var chunk: Int { 8 * InceptionV3.batch }
    var part: Int { 32 * InceptionV3.batch }
    var widths: (pooled: Int, spatial: Int, logits: Int) {
        (InceptionV3.poolWidth, InceptionV3.spatialWidth, InceptionV3.classes)
    }

    func pass(_ pixels: [UInt8], count: Int, size: PixelSize) -> FeatureBatch {
        // A batch that is not full is filled up: results of another number differ by rounding.
        let padding = [UInt8](repeating: 0, count: (batch - count) * size.count)
        let features = model.features(
            padding.isEmpty ? pixels : pixels + padding, count: batch, height: size.height, width: size.width, channels: size.channels)
        func rows(_ values: [Float]) -> [Float] { Array(values[..<(count * values.count / batch)]) }
        return FeatureBatch(
            count: count, pooled: rows(features.pool.values), spatial: rows(features.spatial.values), logits: rows(features.logits.values))
    }
}
