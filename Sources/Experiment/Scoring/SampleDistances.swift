import Evaluation
import Files
import Metrics
import Settings
import TensorCore

/// How far samples are from held-out images and from their reconstructions, in one feature space: every distance, what it would
/// be for a perfect sampler or for infinitely many samples, and its noise. All samples, tuned or not, are measured by this.
struct SampleDistances {
    /// A set of images that is compared with.
    struct Side {
        /// Image by image; nil where statistics alone are known.
        let features: FeatureMatrix?
        let gaussian: Gaussian
    }

    let images: Side
    /// Nil where there are none.
    let reconstructions: Side?
    /// The class of each image; nil: they are images of a file, whose statistics may be of others.
    let classes: [Int]?

    typealias Measuring = (Measure, () throws -> Double) throws -> Void

    /// - Parameters:
    ///   - drawn: features of the samples.
    ///   - strata: the class asked for of each; nil: none was.
    ///   - seed: of the sampler.
    func measure(_ drawn: FeatureMatrix, strata: [Int]?, seed: Int, _ measure: Measuring) throws {
        let statistics = Result { try FeatureStatistics(of: drawn).gaussian() }
        // Samples without a class are compared with images drawn without regard to theirs.
        let classes = strata == nil ? nil : self.classes
        try measure(.gfid) { try frechetDistance(statistics.get(), images.gaussian) }
        if let reconstructions { try measure(.priorGap) { try frechetDistance(statistics.get(), reconstructions.gaussian) } }
        try measure(.gfidNoise) {
            var stream = RandomStream(seed: seed, "scores/bootstrap")
            return try frechetNoise(of: drawn, to: images.gaussian, strata: strata) { stream.integer(below: $0) }
        }
        for (score, side) in [(Measure.gfidFloor, images), (.priorGapFloor, reconstructions)] {
            // What is stored of a file may be of more images than are in it, so that a floor cannot be scaled to them.
            guard self.classes != nil, let reference = side?.features else { continue }
            try measure(score) {
                var stream = RandomStream(seed: seed, "scores/floor")
                return try frechetFloor(of: reference, samples: drawn.rows, strata: classes) { stream.integer(below: $0) }
            }
        }
        for (score, side) in [(Measure.gfidExtrapolated, images), (.priorGapExtrapolated, reconstructions)] {
            guard let side else { continue }
            try measure(score) { try ExtrapolatedDistance(drawn, to: side.gaussian, strata: strata).value }
        }
        let set = Result { try KernelSet(drawn) }
        if let images = images.features {
            let toImages = Result { try KernelDistance(set.get(), to: KernelSet(images), strata: strata) }
            try measure(.kid) { try toImages.get().value }
            try measure(.kidNoise) {
                guard let error = try toImages.get().standardError else { throw InputError("a class has a single sample") }
                return error
            }
        }
        if let reconstructions = reconstructions?.features {
            try measure(.kidGap) { try KernelDistance(set.get(), to: KernelSet(reconstructions), strata: strata).value }
        }
    }
}

extension ScoreReference {
    /// To all images, or to those at every second place from `parity` on.
    ///
    /// - Parameter classes: of the images; nil: they have none.
    func distances(classes: [Int]?, half parity: Int? = nil) throws -> SampleDistances {
        func side(_ side: Side) throws -> SampleDistances.Side {
            guard let parity else { return SampleDistances.Side(features: side.features, gaussian: side.pooled) }
            guard let features = side.features else {
                throw InputError("the reference has statistics alone, and halves of its images were asked for")
            }
            let half = features.selecting(Array(stride(from: parity, to: features.rows, by: 2)))
            return SampleDistances.Side(features: half, gaussian: try FeatureStatistics(of: half).gaussian())
        }
        let labels = parity.flatMap { parity in
            classes.map { classes in stride(from: parity, to: classes.count, by: 2).map { classes[$0] } }
        }
        return SampleDistances(
            images: try side(images), reconstructions: try reconstructions.map(side), classes: parity == nil ? classes : labels)
    }
}
