import Files

/// Which images a training step sees: epochs in shuffled order, one after the other, cut into full batches.
///
/// The order is a function of seed, epoch and number of images alone, so a training that is resumed at any step needs no
/// state to go on with the same images. A batch that reaches over the end of an epoch continues in the next.
public struct BatchOrder: Sendable {
    public let seed: UInt64
    /// Images an epoch visits, each once.
    public let count: Int
    private var cached: (epoch: Int, order: [Int])?

    public init(seed: UInt64, count: Int) {
        precondition(count > 0, "an order of \(count) images")
        (self.seed, self.count) = (seed, count)
    }

    /// The images of step `step` (from 0), each in 0..<count.
    public mutating func indices(step: Int, batch: Int) -> [Int] {
        precondition(step >= 0 && batch > 0, "step \(step) of batches of \(batch)")
        var indices: [Int] = []
        indices.reserveCapacity(batch)
        while indices.count < batch {
            let (epoch, start) = (step * batch + indices.count).quotientAndRemainder(dividingBy: count)
            let end = min(count, start + batch - indices.count)
            indices.append(contentsOf: order(epoch: epoch)[start..<end])
        }
        return indices
    }

    private mutating func order(epoch: Int) -> [Int] {
        if let cached, cached.epoch == epoch { return cached.order }
        var random = SplitMix64(key: seed, DrawPurpose.order, UInt64(epoch))
        let order = random.permutation(of: count)
        cached = (epoch, order)
        return order
    }
}
