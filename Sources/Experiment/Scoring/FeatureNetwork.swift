import Accelerators
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

    /// The device that it runs on, as records call it; nil: this program's own kernels.
    var deviceName: String? { get }

    /// Of at most `batch` images, (n, row, column, channel), levels 0…255.
    func pass(_ pixels: [UInt8], count: Int, size: PixelSize) throws -> FeatureBatch
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
    private let model: ImageClassifier
    private let dataset: Dataset
    private let device: DeviceFeatures?
    let widths: (pooled: Int, spatial: Int, logits: Int)

    init(_ model: ImageClassifier, _ dataset: Dataset, on accelerator: Accelerator? = nil) throws {
        (self.model, self.dataset) = (model, dataset)
        widths = (model.sizes.features, model.spatialWidth, model.sizes.outputs)
        device = try accelerator.map {
            try DeviceFeatures($0, parameters: model.parameters.map { (ClassifierProgram.prefix + $0.name, $0.value) }) { _ in
                ClassifierProgram.features(model.sizes, batch: Self.batch)
            }
        }
    }

    static let batch = 250

    var batch: Int { Self.batch }
    var chunk: Int { Self.batch }
    var part: Int { 10_000 }

    var deviceName: String? { device?.deviceName }

    func pass(_ pixels: [UInt8], count: Int, size: PixelSize) throws -> FeatureBatch {
        if let device { return try device(dataset.images(pixels.padded(from: count, to: batch, size)), count: count) }
        let maps = model.maps(dataset.images(pixels))
        let features = model.features(ofMaps: maps)
        return FeatureBatch(
            count: count, pooled: features.values, spatial: ImageClassifier.spatialFeatures(ofMaps: maps).values,
            logits: model.logits(features).values)
    }
}

/// Inception, for images of any size.
struct InceptionNetwork: FeatureNetwork {
    private let model: InceptionV3
    private let device: DeviceFeatures?

    init(_ model: InceptionV3, on accelerator: Accelerator? = nil) throws {
        self.model = model
        device = try accelerator.map { try DeviceFeatures($0, parameters: model.tensors) { model.traced(height: $0[1], width: $0[2]) } }
    }

    var deviceName: String? { device?.deviceName }
    var batch: Int { InceptionV3.batch }
    var chunk: Int { 8 * InceptionV3.batch }
    var part: Int { 32 * InceptionV3.batch }
    var widths: (pooled: Int, spatial: Int, logits: Int) {
        (InceptionV3.poolWidth, InceptionV3.spatialWidth, InceptionV3.classes)
    }

    func pass(_ pixels: [UInt8], count: Int, size: PixelSize) throws -> FeatureBatch {
        // A batch that is not full is filled up: results of another number differ by rounding.
        let full = pixels.padded(from: count, to: batch, size)
        if let device {
            return try device(InceptionV3.levels(full, shape: [batch, size.height, size.width, size.channels]), count: count)
        }
        let features = model.features(full, count: batch, height: size.height, width: size.width, channels: size.channels)
        func rows(_ values: [Float]) -> [Float] { Array(values[..<(count * values.count / batch)]) }
        return FeatureBatch(
            count: count, pooled: rows(features.pool.values), spatial: rows(features.spatial.values), logits: rows(features.logits.values))
    }
}

extension [UInt8] {
    /// Black images added to `from`, so that there are `count`.
    fileprivate func padded(from images: Int, to count: Int, _ size: PixelSize) -> [UInt8] {
        images == count ? self : self + [UInt8](repeating: 0, count: (count - images) * size.count)
    }
}
