import Evaluation
import Files
import Metrics
import Settings
import TensorCore

/// How far samples are from held-out images and from their reconstructions, in one feature space: every distance, what it would
/// be for a perfect sampler or for infinitely many samples, and its noise. All samples, tuned or not, are measured by this.
struct SampleDistances {
    let images, reconstructions: FeatureMatrix
    let imageGaussian, reconstructionGaussian: Gaussian
    /// The class of each held-out image.
    let classes: [Int]

    typealias Measuring = (Measure, () throws -> Double) throws -> Void

    /// - Parameters:
    ///   - drawn: features of the samples.
    ///   - strata: the class asked for of each; nil: none was.
    ///   - seed: of the sampler.
    func measure(_ drawn: FeatureMatrix, strata: [Int]?, seed: Int, _ measure: Measuring) throws {
        let statistics = Result { try FeatureStatistics(of: drawn).gaussian() }
        // Samples without a class are compared with images drawn without regard to theirs.
        let classes = strata == nil ? nil : self.classes
        try measure(.gfid) { try frechetDistance(statistics.get(), imageGaussian) }
        try measure(.priorGap) { try frechetDistance(statistics.get(), reconstructionGaussian) }
        try measure(.gfidNoise) {
            var stream = RandomStream(seed: seed, "scores/bootstrap")
            return try frechetNoise(of: drawn, to: imageGaussian, strata: strata) { stream.integer(below: $0) }
        }
        for (score, reference) in [(Measure.gfidFloor, images), (.priorGapFloor, reconstructions)] {
            try measure(score) {
                var stream = RandomStream(seed: seed, "scores/floor")
                return try frechetFloor(of: reference, samples: drawn.rows, strata: classes) { stream.integer(below: $0) }
            }
        }
        for (score, reference) in [(Measure.gfidExtrapolated, imageGaussian), (.priorGapExtrapolated, reconstructionGaussian)] {
            try measure(score) { try ExtrapolatedDistance(drawn, to: reference, strata: strata).value }
        }
        let set = Result { try KernelSet(drawn) }
        let toImages = Result { try KernelDistance(set.get(), to: KernelSet(images), strata: strata) }
        try measure(.kid) { try toImages.get().value }
        try measure(.kidNoise) {
            guard let error = try toImages.get().standardError else { throw InputError("a class has a single sample") }
            return error
        }
        try measure(.kidGap) { try KernelDistance(set.get(), to: KernelSet(reconstructions), strata: strata).value }
    }
}

extension ScoreReference {
    /// To all held-out images, or to those at every second place from `parity` on.
    func distances(classes labels: [Int32], half parity: Int? = nil) throws -> SampleDistances {
        let classes = labels.map(Int.init)
        guard let parity else {
            return SampleDistances(
                images: features, reconstructions: reconstructed, imageGaussian: images.pooled,
                reconstructionGaussian: reconstructions.pooled, classes: classes)
        }
        let rows = Array(stride(from: parity, to: count, by: 2))
        let (images, others) = (features.selecting(rows), reconstructed.selecting(rows))
        return SampleDistances(
            images: images, reconstructions: others, imageGaussian: try FeatureStatistics(of: images).gaussian(),
            reconstructionGaussian: try FeatureStatistics(of: others).gaussian(), classes: rows.map { classes[$0] })
    }
}
