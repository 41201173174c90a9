/// Rows of features that a logistic regression can be fitted to: dense ones, or one-hot ones that are never written out.
public protocol RegressionRows: FeatureRows {
    associatedtype Design: RegressionDesign

    /// The rows with these indices, in this order.
    func selecting(_ indices: [Int]) -> Self

    /// Throws `InputError` naming the first entry that is not finite.
    func requireFinite() throws

    /// Mean and deviation of each column. Throws `InputError` if an entry is not finite.
    func standardisation(scaling: Bool) throws -> Standardisation

    /// The rows after `standardisation`, ready to be multiplied with weights.
    func design(_ standardisation: Standardisation) -> Design
}

/// Standardised rows under a linear model.
public protocol RegressionDesign: Sendable {
    var rows: Int { get }
    var columns: Int { get }

    /// Goes through the rows block by block with the scores features · weightsᵀ + biases.
    ///
    /// - Parameters:
    ///   - parameters: weights [classes, columns] row-major, then biases [classes].
    ///   - gradient: [classes, columns], where residualsᵀ · features is added up; nil where it is not wanted.
    ///   - body: gets the rows of a block and their scores, [rows, classes], and leaves residuals in their place.
    func forEachBlock(
        _ parameters: [Float], classes: Int, gradient: UnsafeMutablePointer<Double>?,
        _ body: (Range<Int>, UnsafeMutablePointer<Float>) -> Void)

    /// Mean of x·xᵀ over the rows, [columns, columns], both triangles; nil where it would cost more than it helps.
    func secondMoments() -> [Double]?
}

extension RegressionRows where Design == DenseDesign {
    public func standardisation(scaling: Bool) throws -> Standardisation {
        try Standardisation(of: self, scaling: scaling)
    }

    public func design(_ standardisation: Standardisation) -> DenseDesign {
        DenseDesign(features: standardisation.applied(to: self))
    }
}

extension FeatureMatrix: RegressionRows { public typealias Design = DenseDesign }

/// Rounded to float32 only after the mean is taken off, which may be so large that float32 would keep nothing else.
extension DoubleFeatureMatrix: RegressionRows { public typealias Design = DenseDesign }

/// Products run in float32 over blocks of rows that stay in the cache between the two of them, so the features are read
/// from memory once a pass; blocks are summed in float64.
public struct DenseDesign: RegressionDesign {
    let features: FeatureMatrix
    public var rows: Int { features.rows }
    public var columns: Int { features.columns }
    private static let blockRows = 1024

    init(features: FeatureMatrix) { self.features = features }

    public func forEachBlock(
        _ parameters: [Float], classes: Int, gradient: UnsafeMutablePointer<Double>?,
        _ body: (Range<Int>, UnsafeMutablePointer<Float>) -> Void
    ) {
        let (d, weightCount) = (columns, classes * columns)
        let room = UnsafeMutableBufferPointer<Float>.allocate(capacity: max(1, Self.blockRows * classes + weightCount))
        defer { room.deallocate() }
        let scores = room.baseAddress!
        let blockGradient = scores + Self.blockRows * classes
        features.values.withUnsafeBufferPointer { values in
            parameters.withUnsafeBufferPointer { parameters in
                for start in stride(from: 0, to: rows, by: Self.blockRows) {
                    let count = min(Self.blockRows, rows - start)
                    for r in 0..<count {
                        for c in 0..<classes { scores[r * classes + c] = parameters[weightCount + c] }
                    }
                    guard d > 0 else {
                        body(start..<start + count, scores)
                        continue
                    }
                    let block = values.baseAddress! + start * d
                    multiply(
                        into: scores, block, transposed: parameters.baseAddress!, m: count, n: classes, k: d, beta: 1)
                    body(start..<start + count, scores)
                    guard let gradient else { continue }
                    multiply(into: blockGradient, transposed: scores, block, m: classes, n: d, k: count)
                    for i in 0..<weightCount { gradient[i] += Double(blockGradient[i]) }
                }
            }
        }
    }

    public func secondMoments() -> [Double]? {
        let d = columns
        guard d > 0, d <= min(rows, 2048) else { return nil }
        var (sum, block) = ([Double](repeating: 0, count: d * d), [Float](repeating: 0, count: d * d))
        features.values.withUnsafeBufferPointer { values in
            for start in stride(from: 0, to: rows, by: Self.blockRows) {
                let count = min(Self.blockRows, rows - start)
                let part = values.baseAddress! + start * d
                multiply(into: &block, transposed: part, part, m: d, n: d, k: count)
                for i in sum.indices { sum[i] += Double(block[i]) }
            }
        }
        return sum.map { $0 / Double(rows) }
    }
}
