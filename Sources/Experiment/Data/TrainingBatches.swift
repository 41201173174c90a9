import ImageData
import Settings
import Synchronization
import TensorCore

/// The images of each training step. What is not in memory is read and decoded ahead, on a thread of its own.
///
/// A batch is a function of its step: reading ahead, or starting at any step, changes no batch.
struct TrainingBatches {
    private let batches: Prefetcher<ImageBatch>

    /// - Parameters:
    ///   - order: which images a step sees.
    ///   - views: what a step sees of them; empty: the middle of every picture.
    init(
        _ dataset: Dataset, order: BatchOrder, batch: Int, steps: Int,
        views: @escaping @Sendable (_ step: Int) -> [PictureView] = { _ in [] }
    ) {
        let set = dataset.train
        let order = SharedOrder(order)
        batches = Prefetcher(ahead: dataset.ahead(of: set), end: steps) { step in
            try set.batch(order.indices(step: step, batch: batch), views: views(step))
        }
    }

    /// - Throws: `InputError` naming the file that could not be read.
    func batch(_ step: Int) throws -> ImageBatch { try batches.item(step) }

    /// An order with what it remembers of the current epoch.
    private final class SharedOrder: Sendable {
        private let order: Mutex<BatchOrder>
        init(_ order: BatchOrder) { self.order = Mutex(order) }
        func indices(step: Int, batch: Int) -> [Int] { order.withLock { $0.indices(step: step, batch: batch) } }
    }
}

extension Dataset {
    /// All images of a set in order, or those in a range, as `view` shows them, in batches of `size`.
    func forEachBatch(
        _ set: ImageSet, _ part: Range<Int>? = nil, of size: Int, from first: Int = 0, view: PictureView = PictureView(),
        _ body: (ImageBatch) throws -> Void
    ) throws {
        let part = part ?? 0..<set.count
        let steps = (part.count + size - 1) / size
        let batches = Prefetcher(ahead: ahead(of: set), end: steps) { step in
            let first = part.lowerBound + step * size
            let range = Array(first..<min(part.upperBound, first + size))
            return try set.batch(range, views: [PictureView](repeating: view, count: range.count))
        }
        for step in (first + size - 1) / size..<steps { try body(batches.item(step)) }
    }
}

/// How a training step varies its pictures: a function of seed and step.
struct Augmentation: Sendable {
    let seed, batch: Int
    let flip: Bool
    /// Lengths that a random crop scales the shorter edge to; nil: the middle of every picture.
    let edges: ClosedRange<Int>?

    init(_ settings: TokenizerSettings, seed: Int, imageSize: Int) {
        (self.seed, batch, flip) = (seed, settings.training.batch, settings.flip)
        edges = settings.crop == .random ? PictureView.edges(side: imageSize, smallest: settings.cropMin) : nil
    }

    /// One for each image of the batch; empty where nothing varies.
    func views(_ step: Int) -> [PictureView] {
        if !flip && edges == nil { return [] }
        var views = [PictureView](repeating: PictureView(), count: batch)
        if let edges {
            var stream = RandomStream(seed: seed, "tokenizer/crop", step: step)
            for i in 0..<batch {
                views[i].crop = .random(
                    edge: edges.lowerBound + stream.integer(below: edges.count), down: Double(stream.uniform()),
                    right: Double(stream.uniform()))
            }
        }
        if flip {
            var stream = RandomStream(seed: seed, "tokenizer/flip", step: step)
            for i in 0..<batch { views[i].isMirrored = stream.uniform() < 0.5 }
        }
        return views
    }
}
