import Accelerators
import Evaluation
import Models
import Settings
import TensorCore

/// Samples of an AR model as they are drawn and decoded, batch by batch, classes in turn. Which sample comes out at a place
/// depends on the seed and the place, not on the batch.
struct SampleDrawing {
    let ar: ARModel
    let tokenizer: TrainedTokenizer
    let layout: SequenceLayout
    let classes: Int
    let seed: Int
    /// Where sequences are drawn; nil: on this program's own kernels.
    let accelerator: Accelerator?
    /// Sequences drawn at once, between two reports of progress.
    var batch = Self.standardBatch
    static let standardBatch = 250

    init(_ ar: ARModel, of stage: TokenizerStage, seed: Int, _ context: ExperimentContext) throws {
        (self.ar, tokenizer, self.seed) = (ar, try stage.load(context), seed)
        (layout, classes) = (stage.layout, stage.dataset.classes)
        accelerator = try context.device.accelerator()
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
        let draw: (_ labels: [Int32], _ first: Int) throws -> TokenTensor
        if let accelerator {
            let sampler = try DeviceSampler(accelerator, ar, settings, count: min(batch, count))
            draw = { try sampler.sample(labels: $0, seed: seed, first: $1) }
        } else {
            let sampler = Sampler(ar, settings)
            draw = { sampler.sample(labels: $0, seed: seed, first: $1) }
        }
        let asked = settings.unconditional ? [Int32](repeating: ar.unconditionalLabel, count: count) : labels(count)
        for lower in stride(from: first, to: count, by: batch) {
            let upper = min(count, lower + batch)
            let drawn = try draw(Array(asked[lower..<upper]), lower)
            try body(upper, drawn.ids, tokenizer.decode(layout.visualIndices(drawn)))
            try Interruption.check()
        }
    }

    /// What scores read of `count` samples; the samples themselves are not kept.
    func features(_ count: Int, _ settings: SamplerSettings, _ extractor: FeatureExtractor) throws -> ExtractedFeatures {
        var gathered = extractor.gathering()
        try forEachBatch(count, settings) { _, _, pixels in gathered.add(pixels) }
        return gathered.finished()
    }
}
