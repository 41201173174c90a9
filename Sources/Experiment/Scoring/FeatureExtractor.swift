import Evaluation
import Foundation
import ImageData
import Models
import TensorCore

/// What scores read of images: features, class probabilities and predictions of the data set's own classifier.
struct ExtractedFeatures {
    /// Its penultimate layer, [images, features].
    let pooled: FeatureMatrix
    /// A small map that keeps places (`ImageClassifier.spatialFeatures`), [images, cells·cells·channels].
    let spatial: FeatureMatrix
    /// What its head says, [images, outputs].
    let logits: [Float]
    /// Softmax of its logits, [images, outputs].
    let probabilities: FeatureMatrix
    let predictions: [Int32]
}

/// Runs the classifier over images, in batches of fixed size: results vary with the batch in the last digits.
struct FeatureExtractor {
    static let batch = 250

    let model: ImageClassifier
    let dataset: Dataset

    func features(_ set: ImageSet) throws -> ExtractedFeatures {
        var gathered = gathering()
        try dataset.forEachBatch(set, of: Self.batch) { gathered.add($0.pixels) }
        return gathered.features
    }

    /// Pixels (n, row, column, channel) of the data set's image size.
    func features(_ pixels: [UInt8]) -> ExtractedFeatures {
        var gathered = gathering()
        let size = Self.batch * dataset.train.pixelsPerImage
        for lower in stride(from: 0, to: pixels.count, by: size) {
            gathered.add(Array(pixels[lower..<min(pixels.count, lower + size)]))
        }
        return gathered.features
    }

    /// Nothing yet; images are added to it.
    func gathering() -> Gathered { Gathered(model: model, dataset: dataset) }

    /// The features of images that come batch by batch, at most `batch` at a time.
    struct Gathered {
        private let model: ImageClassifier
        private let dataset: Dataset
        private var count = 0
        private var pooled: [Float] = []
        private var spatial: [Float] = []
        private var logits: [Float] = []
        private var probabilities: [Float] = []
        private var predictions: [Int32] = []

        fileprivate init(model: ImageClassifier, dataset: Dataset) { (self.model, self.dataset) = (model, dataset) }

        /// Adds images of the data set's size, (n, row, column, channel).
        mutating func add(_ pixels: [UInt8]) {
            let maps = model.maps(dataset.images(pixels))
            let features = model.features(ofMaps: maps)
            let outputs = model.logits(features)
            count += features.shape[0]
            pooled += features.values
            spatial += ImageClassifier.spatialFeatures(ofMaps: maps).values
            predictions += argmax(outputs).ids
            let (values, width) = (outputs.values, outputs.shape[1])
            logits += values
            for row in stride(from: 0, to: values.count, by: width) { probabilities += Self.softmax(values[row..<row + width]) }
        }

        var features: ExtractedFeatures {
            func matrix(_ values: [Float]) -> FeatureMatrix {
                FeatureMatrix(rows: count, columns: values.count / max(1, count), values: values)
            }
            return ExtractedFeatures(
                pooled: matrix(pooled), spatial: matrix(spatial), logits: logits, probabilities: matrix(probabilities),
                predictions: predictions)
        }

        private static func softmax(_ logits: ArraySlice<Float>) -> [Float] {
            let top = logits.max() ?? 0
            let powers = logits.map { exp(Double($0 - top)) }
            let sum = powers.reduce(0, +)
            return powers.map { Float($0 / sum) }
        }
    }
}
