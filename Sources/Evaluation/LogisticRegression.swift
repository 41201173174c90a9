import Files
import Foundation

/// Multinomial logistic regression with an L2 penalty, fitted to convergence: the linear probe.
///
/// Minimises mean cross-entropy + penalty/2·‖weights‖² over weights and unpenalised biases. In terms of scikit-learn's
/// `LogisticRegression(C=…)` the penalty is 1/(C·rows).
public struct LogisticRegression: Sendable {
    public struct Options: Sendable, Codable, Equatable {
        public var penalty: Double
        /// Shift and scale each feature to mean 0 and deviation 1 over the rows fitted; constant features are only shifted.
        public var standardised: Bool
        /// Converged when no entry of the objective's gradient is larger.
        public var gradientTolerance: Double
        public var maximumIterations: Int

        public init(
            penalty: Double = 1e-4, standardised: Bool = true, gradientTolerance: Double = 1e-5,
            maximumIterations: Int = 1000
        ) {
            self.penalty = penalty
            self.standardised = standardised
            self.gradientTolerance = gradientTolerance
            self.maximumIterations = maximumIterations
        }
    }

    public let options: Options
    public let classes: Int
    public let features: Int
    /// For centred (or standardised) features: weights, [classes, features] row-major, then biases, [classes].
    let parameters: [Double]
    /// Centring changes only what the unpenalised biases mean, and makes the problem far better conditioned.
    private let standardisation: Standardisation

    public let iterations: Int
    /// False if the iterations ran out or rounding stopped progress before the gradient was small enough.
    public let converged: Bool
    /// Value of the objective at the end.
    public let objective: Double

    /// - Parameters:
    ///   - features: [rows, features].
    ///   - labels: one per row, in 0..<classes.
    ///   - start: a fit of the same sizes to start from, for a path of penalties.
    /// - Throws: `InputError` if a label is out of range, a feature is not finite or there are no rows.
    public init(
        fitting features: FeatureMatrix, labels: [Int], classes: Int, options: Options = Options(),
        startingFrom start: LogisticRegression? = nil
    ) throws {
        try checkLabels(labels, rows: features.rows, classes: classes)
        guard features.rows > 0 else { throw InputError("no rows to fit a logistic regression to") }
        let standardisation = try Standardisation(of: features, scaling: options.standardised)
        let problem = SoftmaxProblem(
            features: standardisation.applied(to: features), labels: labels, classes: classes,
            penalty: options.penalty)
        let size = classes * (features.columns + 1)
        let solver = LBFGS(maximumIterations: options.maximumIterations, gradientTolerance: options.gradientTolerance)
        let begin = start?.parameters ?? [Double](repeating: 0, count: size)
        precondition(begin.count == size, "a start of \(begin.count) parameters for a problem of \(size)")
        let solution = solver.minimise(from: begin, problem.evaluate)

        self.options = options
        self.classes = classes
        self.features = features.columns
        self.standardisation = standardisation
        parameters = solution.point
        iterations = solution.iterations
        converged = solution.converged
        objective = solution.value
    }

    /// Class scores (logits), [rows, classes].
    public func scores(_ features: FeatureMatrix) -> FeatureMatrix {
        precondition(features.columns == self.features, "\(features.columns) features for a fit of \(self.features)")
        let input = standardisation.applied(to: features)
        let weights = parameters.map(Float.init)
        let scores = [Float](unsafeUninitializedCapacity: input.rows * classes) { scores, count in
            count = input.rows * classes
            guard count > 0 else { return }
            classScores(
                input.values, weights, rows: input.rows, features: input.columns, classes: classes,
                into: scores.baseAddress!)
        }
        return FeatureMatrix(rows: input.rows, columns: classes, values: scores)
    }

    /// The class of the largest score of each row.
    public func predictions(_ features: FeatureMatrix) -> [Int] {
        let scores = scores(features)
        return (0..<scores.rows).map { row in
            let range = row * classes..<(row + 1) * classes
            return range.max { scores.values[$0] < scores.values[$1] }.map { $0 - range.lowerBound } ?? 0
        }
    }
}

/// Mean cross-entropy with penalty, and its gradient.
///
/// Products run in float32 over blocks of rows that stay in the cache between the two of them, so the features are read
/// from memory once an evaluation; blocks, losses and parameters are summed in float64.
private struct SoftmaxProblem {
    let features: FeatureMatrix
    let labels: [Int]
    let classes: Int
    let penalty: Double
    private static let blockRows = 1024

    func evaluate(at point: [Double], gradient: inout [Double]) -> Double {
        let (n, d) = (features.rows, features.columns)
        let weightCount = classes * d
        let weights = point.map(Float.init)
        let room = UnsafeMutableBufferPointer<Float>.allocate(capacity: Self.blockRows * classes + weightCount)
        defer { room.deallocate() }
        let residuals = room.baseAddress!
        let blockGradient = residuals + Self.blockRows * classes

        var loss = 0.0
        for i in gradient.indices { gradient[i] = 0 }
        gradient.withUnsafeMutableBufferPointer { gradient in
            features.values.withUnsafeBufferPointer { values in
                for start in stride(from: 0, to: n, by: Self.blockRows) {
                    let rows = min(Self.blockRows, n - start)
                    let block = values.baseAddress! + start * d
                    classScores(block, weights, rows: rows, features: d, classes: classes, into: residuals)
                    loss += crossEntropy(
                        residuals, rows: rows, firstRow: start, biasGradient: gradient.baseAddress! + weightCount)
                    multiply(into: blockGradient, transposed: residuals, block, m: classes, n: d, k: rows)
                    for i in 0..<weightCount { gradient[i] += Double(blockGradient[i]) }
                }
            }
            let scale = 1 / Double(n)
            for i in 0..<gradient.count { gradient[i] *= scale }
            loss *= scale
            var squares = 0.0
            for i in 0..<weightCount {
                gradient[i] += penalty * point[i]
                squares += point[i] * point[i]
            }
            loss += penalty / 2 * squares
        }
        return loss
    }

    /// Replaces scores by softmax − one-hot, adds those up per class, and returns the summed cross-entropy.
    private func crossEntropy(
        _ scores: UnsafeMutablePointer<Float>, rows: Int, firstRow: Int, biasGradient: UnsafeMutablePointer<Double>
    ) -> Double {
        var loss = 0.0
        for r in 0..<rows {
            let row = scores + r * classes
            let label = labels[firstRow + r]
            var top = row[0]
            for c in 1..<max(classes, 1) { top = max(top, row[c]) }
            let target = Double(row[label] - top)
            var sum = 0.0
            for c in 0..<classes {
                let e = exp(row[c] - top)
                row[c] = e
                sum += Double(e)
            }
            loss += log(sum) - target
            let scale = Float(1 / sum)
            for c in 0..<classes {
                row[c] = row[c] * scale - (c == label ? 1 : 0)
                biasGradient[c] += Double(row[c])
            }
        }
        return loss
    }
}

/// scores[rows, classes] = features·weightsᵀ + biases, for parameters laid out as in `LogisticRegression`.
private func classScores(
    _ features: UnsafePointer<Float>, _ parameters: [Float], rows: Int, features d: Int, classes: Int,
    into scores: UnsafeMutablePointer<Float>
) {
    parameters.withUnsafeBufferPointer { parameters in
        let weights = parameters.baseAddress!
        for r in 0..<rows {
            for c in 0..<classes { scores[r * classes + c] = weights[classes * d + c] }
        }
        multiply(into: scores, features, transposed: weights, m: rows, n: classes, k: d, beta: 1)
    }
}

func checkLabels(_ labels: [Int], rows: Int, classes: Int) throws {
    guard labels.count == rows else { throw InputError("\(labels.count) labels for \(rows) rows of features") }
    if let bad = labels.firstIndex(where: { $0 < 0 || $0 >= classes }) {
        throw InputError("label \(labels[bad]) of row \(bad) is outside 0…\(classes - 1)")
    }
}
