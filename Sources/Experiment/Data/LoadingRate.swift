import Files
import Foundation
import ImageData
import RunStore
import Settings

/// How fast pictures of a data set come: opened, listed, read, decoded and cropped, with no model behind.
public struct LoadingRate: Sendable {
    public let train, test: Int
    /// Seconds to open the data set the first time, and once its list is kept.
    public let opening, openingAgain: Double
    /// Seconds to fill the cache of the settings; nil: there is none.
    public let filling: Double?
    /// Crops a second, all cores together; nil: no picture was asked for.
    public let imagesPerSecond: Double?
    /// The largest resident set of this process so far.
    public let peakBytes: Int

    /// Crops are drawn at random; of a cache of squares, which has no others, they are the middles.
    ///
    /// - Parameter batches: of 256 pictures, after one to warm up; 0: the data set is opened only.
    public init(_ settings: DataSettings, batches: Int) throws {
        let kept = FileManager.default.temporaryDirectory.appendingPathComponent("loading-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: kept) }
        func open() throws -> (Dataset, Double) {
            let start = ContinuousClock.now
            let dataset = try Dataset(settings, kept: kept)
            _ = dataset.identity
            return (dataset, (ContinuousClock.now - start) / .seconds(1))
        }
        // One after the other: nobody has a data set open twice, and its list is most of the memory.
        opening = try open().1
        let (dataset, again) = try open()
        openingAgain = again
        (train, test) = dataset.counts
        guard batches > 0 else {
            (filling, imagesPerSecond, peakBytes) = (nil, nil, StageWork.peakMemoryBytes)
            return
        }
        let (batch, edges) = (256, PictureView.edges(side: settings.imageSize, smallest: 0.8))
        var random = SplitMix64(key: 0, 0)
        func draw() throws {
            let places = (0..<batch).map { _ in random.index(below: dataset.train.count) }
            let views = places.map { _ in
                let edge = edges.lowerBound + random.index(below: edges.count)
                return PictureView(
                    settings.cache == .squares ? .centre : .random(edge: edge, down: 0.5, right: 0.5),
                    isMirrored: random.index(below: 2) == 1)
            }
            _ = try dataset.train.batch(places, views: views)
        }
        if settings.cache == .none {
            filling = nil
        } else {
            let start = ContinuousClock.now
            for first in stride(from: 0, to: dataset.train.count, by: batch) {
                _ = try dataset.train.pixels(of: first..<min(first + batch, dataset.train.count))
            }
            filling = (ContinuousClock.now - start) / .seconds(1)
        }
        try draw()
        let start = ContinuousClock.now
        for _ in 0..<batches { try draw() }
        imagesPerSecond = Double(batch * batches) / ((ContinuousClock.now - start) / .seconds(1))
        peakBytes = StageWork.peakMemoryBytes
    }
}
