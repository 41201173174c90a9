import Evaluation
import Models
import Settings
import TensorCore

/// Samples of an AR model as they are drawn and decoded, batch by batch, classes in turn. Which sample comes out at a place
/// depends on the seed and the place, not on the batch.
struct SampleDrawing {
    let prior: TrainedPrior
    let tokenizer: TrainedTokenizer
    let layout: SequenceLayout
    let classes: Int
    let seed: Int
    /// Sequences drawn at once, between two reports of progress.
    var batch = Self.standardBatch
    static let standardBatch = 250

    init(_ prior: TrainedPrior, of stage: TokenizerStage, seed: Int, _ context: ExperimentContext) throws {
        (self.prior, tokenizer, self.seed) = (prior, try stage.load(context), seed)
        (layout, classes) = (stage.layout, stage.dataset.classes)
    }

    /// The class asked for at each of the first `count` places.
    func labels(_ count: Int) -> [Int32] { (0..<count).map { Int32($0 % classes) } }

    /// - Parameters:
    ///   - first: where to begin: so many were drawn before.
    ///   - body: is given how many are drawn by now, and the batch's ids in the AR vocabulary and pixels.
    func forEachBatch(
        _ count: Int, _ settings: SamplerSettings, from first: Int = 0,
        _ body: (_ drawn: Int, _ ids: [Int32], _ pixels: [UInt8]) throws -> Void
    ) throws {
        let sampler = prior.sampler(settings, batch: min(batch, count))
        let asked = settings.unconditional ? [Int32](repeating: prior.unconditionalLabel, count: count) : labels(count)
        for lower in stride(from: first, to: count, by: batch) {
            let upper = min(count, lower + batch)
            let drawn = try sampler.sample(labels: Array(asked[lower..<upper]), seed: seed, first: lower)
            try body(upper, drawn.ids, tokenizer.decode(layout.visualIndices(drawn)))
            try Interruption.check()
        }
    }

    /// What scores read of `count` samples; the samples themselves are not kept.
    func features(_ count: Int, _ settings: SamplerSettings, _ extractor: FeatureExtractor) throws -> ExtractedFeatures {
        var gathered = extractor.gathering()
        try forEachBatch(count, settings) { _, _, pixels in try gathered.add(pixels) }
        return try gathered.finished()
    }
}
