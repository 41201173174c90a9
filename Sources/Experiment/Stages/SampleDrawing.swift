import Evaluation
import Models
import Settings
import TensorCore

/// Samples of an AR model as they are drawn and decoded, batch by batch, classes in turn. Which sample comes out at a place
/// depends on the seed and the place, not on the batch.
struct SampleDrawing {
    let ar: ARModel
    let tokenizer: Tokenizer
    let layout: SequenceLayout
    let classes: Int
    let seed: Int
    /// Sequences drawn at once, between two reports of progress.
    var batch = FeatureExtractor.batch

    init(_ ar: ARModel, of stage: TokenizerStage, seed: Int, _ context: ExperimentContext) throws {
        (self.ar, tokenizer, self.seed) = (ar, try stage.load(context), seed)
        (layout, classes) = (stage.layout, stage.dataset.classes)
    }

    /// The class asked for at each of the first `count` places.
    func labels(_ count: Int) -> [Int32] { (0..<count).map { Int32($0 % classes) } }

    /// - Parameter body: is given how many are drawn by now, and the batch's ids in the AR vocabulary and pixels.
    func forEachBatch(
        _ count: Int, _ settings: SamplerSettings,
        _ body: (_ drawn: Int, _ ids: [Int32], _ pixels: [UInt8]) throws -> Void
    ) throws {
        let sampler = Sampler(ar, settings)
        let asked = settings.unconditional ? [Int32](repeating: ar.unconditionalLabel, count: count) : labels(count)
        for lower in stride(from: 0, to: count, by: batch) {
            let upper = min(count, lower + batch)
            let drawn = sampler.sample(labels: Array(asked[lower..<upper]), seed: seed, first: lower)
            try body(upper, drawn.ids, tokenizer.decode(layout.visualIndices(drawn)))
            try Interruption.check()
        }
    }

    /// What scores read of `count` samples; the samples themselves are not kept.
    func features(_ count: Int, _ settings: SamplerSettings, _ extractor: FeatureExtractor) throws -> ExtractedFeatures {
        var gathered = extractor.gathering()
        try forEachBatch(count, settings) { _, _, pixels in gathered.add(pixels) }
        return gathered.features
    }
}
