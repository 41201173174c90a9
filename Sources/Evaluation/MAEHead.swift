import Files
import Foundation

/// The linear head of masked autoencoders (He et al. 2021, appendix A.1): batch norm without affine weights, then a linear
/// layer, trained with LARS or SGD, momentum, and a cosine schedule after a linear warm-up.
///
/// Unlike `LogisticRegression` it is stopped, not converged: its accuracy depends on rate, epochs and batches. It is there
/// because published probes use it.
public struct MAEHead: Sendable {
    public enum Optimizer: String, Sendable, Codable { case lars, sgd }

    public struct Options: Sendable, Codable, Equatable {
        public var optimizer = Optimizer.lars
        /// The rate reached after the warm-up: that published for LARS (0.1 for each 256 of 16 384 rows). It moves weights by
        /// a share of their size, so it is not scaled down with the batch.
        public var peakRate = 6.4
        public var momentum = 0.9
        public var weightDecay = 0.0
        public var epochs = 90
        public var warmupEpochs = 10
        public var batch = 512

        public init() {}

        /// The rate at a point of the training, in epochs.
        func rate(atEpoch epoch: Double) -> Double {
            if epoch < Double(warmupEpochs) { return peakRate * epoch / Double(warmupEpochs) }
            return peakRate * 0.5 * (1 + cos(.pi * (epoch - Double(warmupEpochs)) / Double(epochs - warmupEpochs)))
        }
    }

    public let options: Options
    public let classes: Int
    public let features: Int
    /// [classes, features] row-major.
    public private(set) var weights: [Float]
    public private(set) var biases: [Float]
    /// Running moments of the features, which are used where images are classified.
    public private(set) var runningMean, runningVariance: [Double]

    /// LARS's trust coefficient and batch norm's epsilon, both as published.
    private static let trust = 0.001, epsilon = 1e-6
    private static let runningMomentum = 0.1

    /// Trains from normal weights of deviation 0.01, each epoch in an order of its own.
    ///
    /// - Parameters:
    ///   - rows: features [rows, columns], as they are: batch norm does the scaling.
    ///   - labels: one per row, in 0..<classes.
    /// - Throws: `InputError` if a label is out of range, a feature is not finite or there are fewer than two rows.
    public init(
        fitting rows: some FeatureRows, labels: [Int], classes: Int, options: Options = Options(), seed: UInt64 = 0
    ) throws {
        var generator = SplitMix64(seed: seed)
        let weights = (0..<classes * rows.columns).map { _ in Float(0.01 * generator.normal()) }
        let orders = (0..<options.epochs).map { _ in generator.permutation(of: rows.rows) }
        try self.init(fitting: rows, labels: labels, classes: classes, options: options, from: weights, orders: orders)
    }

    /// The same from given weights, with the order of rows of each epoch. Rows that fill no batch at an epoch's end are
    /// left out of it, unless there are fewer than one batch.
    package init(
        fitting rows: some FeatureRows, labels: [Int], classes: Int, options: Options, from weights: [Float],
        orders: [[Int]]
    ) throws {
        try checkLabels(labels, rows: rows.rows, classes: classes)
        guard rows.rows > 1 else { throw InputError("\(rows.rows) rows are too few for batch norm") }
        precondition(weights.count == classes * rows.columns, "\(weights.count) weights")
        precondition(orders.count == options.epochs && options.epochs > options.warmupEpochs, "\(orders.count) epochs")
        (self.options, self.classes, features) = (options, classes, rows.columns)
        self.weights = weights
        biases = [Float](repeating: 0, count: classes)
        runningMean = [Double](repeating: 0, count: rows.columns)
        runningVariance = [Double](repeating: 1, count: rows.columns)

        let batch = min(options.batch, rows.rows)
        let batches = rows.rows / batch
        var step = HeadStep(rows: batch, columns: rows.columns, classes: classes)
        for (epoch, order) in orders.enumerated() {
            for i in 0..<batches {
                let chosen = Array(order[i * batch..<(i + 1) * batch])
                let rate = options.rate(atEpoch: Double(epoch) + Double(i) / Double(batches))
                try step.load(rows, chosen)
                update(&step, chosen.map { labels[$0] }, rate: rate)
            }
        }
    }

    private mutating func update(_ step: inout HeadStep, _ labels: [Int], rate: Double) {
        let moments = step.normalise(epsilon: Self.epsilon)
        let unbiased = Double(step.rows) / Double(step.rows - 1)
        for j in 0..<features {
            runningMean[j] += Self.runningMomentum * (moments.mean[j] - runningMean[j])
            runningVariance[j] += Self.runningMomentum * (unbiased * moments.variance[j] - runningVariance[j])
        }
        step.differentiate(weights, biases, labels)
        // LARS scales the layer's weights only; a bias takes the plain step.
        let ratio = options.optimizer == .lars ? Self.larsRatio(weights, &step.weightGradient, options.weightDecay) : 1
        if options.optimizer == .sgd, options.weightDecay > 0 {
            for i in weights.indices { step.weightGradient[i] += Float(options.weightDecay) * weights[i] }
            for c in biases.indices { step.biasGradient[c] += Float(options.weightDecay) * biases[c] }
        }
        let (momentum, rate) = (Float(options.momentum), Float(rate))
        for i in weights.indices {
            step.weightVelocity[i] = momentum * step.weightVelocity[i] + step.weightGradient[i] * ratio
            weights[i] -= rate * step.weightVelocity[i]
        }
        for c in biases.indices {
            step.biasVelocity[c] = momentum * step.biasVelocity[c] + step.biasGradient[c]
            biases[c] -= rate * step.biasVelocity[c]
        }
    }

    /// Adds the decay to the gradient, and returns trust · ‖weights‖ / ‖gradient‖ (You, Gitman and Ginsburg 2017).
    private static func larsRatio(_ weights: [Float], _ gradient: inout [Float], _ decay: Double) -> Float {
        var (own, others) = (0.0, 0.0)
        for i in weights.indices {
            gradient[i] += Float(decay) * weights[i]
            own += Double(weights[i]) * Double(weights[i])
            others += Double(gradient[i]) * Double(gradient[i])
        }
        return own > 0 && others > 0 ? Float(trust * (own / others).squareRoot()) : 1
    }

    /// Class scores (logits), [rows, classes].
    public func scores(_ rows: some FeatureRows) -> FeatureMatrix {
        precondition(rows.columns == features, "\(rows.columns) features for a fit of \(features)")
        let scale = runningVariance.map { 1 / ($0 + Self.epsilon).squareRoot() }
        var values: [Float] = []
        values.reserveCapacity(rows.rows * classes)
        rows.forEachBlock(of: 256) { range, block in
            var input = [Float](repeating: 0, count: range.count * features)
            for r in 0..<range.count {
                for j in 0..<features {
                    input[r * features + j] = Float((block[r * features + j] - runningMean[j]) * scale[j])
                }
            }
            var scores = (0..<range.count).flatMap { _ in biases }
            if features > 0 {
                multiply(into: &scores, input, transposed: weights, m: range.count, n: classes, k: features, beta: 1)
            }
            values += scores
        }
        return FeatureMatrix(rows: rows.rows, columns: classes, values: values)
    }
}

/// Room for one step: a batch, its scores, gradients and velocities.
private struct HeadStep {
    let rows, columns, classes: Int
    private var batch: [Double]
    private var input: [Float]
    private var residuals: [Float]
    var weightGradient, biasGradient, weightVelocity, biasVelocity: [Float]

    init(rows: Int, columns: Int, classes: Int) {
        (self.rows, self.columns, self.classes) = (rows, columns, classes)
        batch = [Double](repeating: 0, count: rows * columns)
        input = [Float](repeating: 0, count: rows * columns)
        residuals = [Float](repeating: 0, count: rows * classes)
        weightGradient = [Float](repeating: 0, count: classes * columns)
        biasGradient = [Float](repeating: 0, count: classes)
        (weightVelocity, biasVelocity) = (weightGradient, biasGradient)
    }

    mutating func load(_ source: some FeatureRows, _ chosen: [Int]) throws {
        let columns = columns
        try batch.withUnsafeMutableBufferPointer { batch in
            guard columns > 0, let base = batch.baseAddress else { return }
            for (place, row) in chosen.enumerated() { source.copy(rows: row..<row + 1, into: base + place * columns) }
            for (place, row) in chosen.enumerated() {
                let own = UnsafeMutableBufferPointer(rebasing: batch[place * columns..<(place + 1) * columns])
                try requireFinite(own, rows: row..<row + 1, columns: columns)
            }
        }
    }

    /// Batch norm of what was loaded; returns its moments, the variance with divisor n.
    mutating func normalise(epsilon: Double) -> (mean: [Double], variance: [Double]) {
        let (rows, columns) = (rows, columns)
        var mean = [Double](repeating: 0, count: columns), variance = mean
        batch.withUnsafeBufferPointer { batch in
            input.withUnsafeMutableBufferPointer { input in
                for r in 0..<rows {
                    for j in 0..<columns { mean[j] += batch[r * columns + j] }
                }
                for j in 0..<columns { mean[j] /= Double(rows) }
                for r in 0..<rows {
                    for j in 0..<columns {
                        let step = batch[r * columns + j] - mean[j]
                        variance[j] += step * step
                    }
                }
                for j in 0..<columns { variance[j] /= Double(rows) }
                let scale = variance.map { 1 / ($0 + epsilon).squareRoot() }
                for r in 0..<rows {
                    for j in 0..<columns {
                        input[r * columns + j] = Float((batch[r * columns + j] - mean[j]) * scale[j])
                    }
                }
            }
        }
        return (mean, variance)
    }

    /// Gradients of the mean cross-entropy.
    mutating func differentiate(_ weights: [Float], _ biases: [Float], _ labels: [Int]) {
        for r in 0..<rows {
            for c in 0..<classes { residuals[r * classes + c] = biases[c] }
        }
        if columns > 0 {
            multiply(into: &residuals, input, transposed: weights, m: rows, n: classes, k: columns, beta: 1)
        }
        for c in 0..<classes { biasGradient[c] = 0 }
        for r in 0..<rows {
            let own = r * classes..<(r + 1) * classes
            let top = residuals[own].max() ?? 0
            var sum: Float = 0
            for i in own {
                residuals[i] = exp(residuals[i] - top)
                sum += residuals[i]
            }
            for c in 0..<classes {
                let i = r * classes + c
                residuals[i] = (residuals[i] / sum - (c == labels[r] ? 1 : 0)) / Float(rows)
                biasGradient[c] += residuals[i]
            }
        }
        if columns > 0 { multiply(into: &weightGradient, transposed: residuals, input, m: classes, n: columns, k: rows) }
    }
}

extension SplitMix64 {
    /// Standard normal, by Box and Muller.
    fileprivate mutating func normal() -> Double {
        let (a, b) = (Double(next() >> 11) * 0x1p-53, Double(next() >> 11) * 0x1p-53)
        return (-2 * log(1 - a)).squareRoot() * cos(2 * .pi * b)
    }
}
