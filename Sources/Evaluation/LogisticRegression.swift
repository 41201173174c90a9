import COpenBLAS
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
        /// The fit stops when no entry of the objective's gradient is larger than this.
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
    /// Whether this is the minimum: the gradient is small enough, or rounding ended the fit where no decrease that float32
    /// could show is left. False where the iterations ran out before.
    public let converged: Bool
    /// Value of the objective at the end.
    public let objective: Double

    /// - Parameters:
    ///   - features: [rows, features], dense or one-hot.
    ///   - labels: one per row, in 0..<classes.
    ///   - start: a fit of the same sizes to start from, for a path of penalties.
    /// - Throws: `InputError` if a label is out of range, a feature is not finite or there are no rows.
    public init(
        fitting features: some RegressionRows, labels: [Int], classes: Int, options: Options = Options(),
        startingFrom start: LogisticRegression? = nil
    ) throws {
        try checkLabels(labels, rows: features.rows, classes: classes)
        guard features.rows > 0 else { throw InputError("no rows to fit a logistic regression to") }
        let standardisation = try features.standardisation(scaling: options.standardised)
        let problem = SoftmaxProblem(
            design: features.design(standardisation), labels: labels, classes: classes, penalty: options.penalty)
        let size = classes * (features.columns + 1)
        let solver = LBFGS(maximumIterations: options.maximumIterations, gradientTolerance: options.gradientTolerance)
        let begin = start?.parameters ?? [Double](repeating: 0, count: size)
        precondition(begin.count == size, "a start of \(begin.count) parameters for a problem of \(size)")
        let solution = solver.minimise(
            from: begin, preconditioner: problem.preconditioner(at: begin), problem.evaluate)

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
    public func scores(_ features: some RegressionRows) -> FeatureMatrix {
        precondition(features.columns == self.features, "\(features.columns) features for a fit of \(self.features)")
        let classes = classes
        let values = [Float](unsafeUninitializedCapacity: features.rows * classes) { values, count in
            count = features.rows * classes
            features.design(standardisation).forEachBlock(parameters.map(Float.init), classes: classes, gradient: nil) {
                for i in 0..<$0.count * classes { values[$0.lowerBound * classes + i] = $1[i] }
            }
        }
        return FeatureMatrix(rows: features.rows, columns: classes, values: values)
    }

    /// The class of the largest score of each row.
    public func predictions(_ features: some RegressionRows) -> [Int] {
        let scores = scores(features)
        return (0..<scores.rows).map { row in
            let range = row * classes..<(row + 1) * classes
            return range.max { scores.values[$0] < scores.values[$1] }.map { $0 - range.lowerBound } ?? 0
        }
    }
}

/// Mean cross-entropy with penalty, and its gradient; losses and parameters are summed in float64.
private struct SoftmaxProblem<Design: RegressionDesign> {
    let design: Design
    let labels: [Int]
    let classes: Int
    let penalty: Double

    func evaluate(at point: [Double], gradient: inout [Double]) -> Double {
        let weightCount = classes * design.columns
        var loss = 0.0
        for i in gradient.indices { gradient[i] = 0 }
        gradient.withUnsafeMutableBufferPointer { gradient in
            let biases = gradient.baseAddress! + weightCount
            design.forEachBlock(point.map(Float.init), classes: classes, gradient: gradient.baseAddress!) { rows, scores in
                loss += crossEntropy(scores, rows: rows.count, firstRow: rows.lowerBound, biasGradient: biases)
            }
            let scale = 1 / Double(design.rows)
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

    /// The inverse of a Hessian of which the correlations between features are kept, the same for all classes, and those
    /// between classes left out: curvature · mean(x·xᵀ) + penalty, where curvature is p(1 − p) for the probabilities p at
    /// `point`, its mean over rows and classes (Böhning's bound, but not as an upper one).
    func preconditioner(at point: [Double]) -> LBFGS.Preconditioner? {
        guard classes > 1, var factor = design.secondMoments() else { return nil }
        let d = design.columns
        var uncertainty = 0.0
        design.forEachBlock(point.map(Float.init), classes: classes, gradient: nil) { rows, scores in
            for r in 0..<rows.count {
                let row = scores + r * classes
                var top = row[0]
                for c in 1..<classes { top = max(top, row[c]) }
                var (sum, squares) = (0.0, 0.0)
                for c in 0..<classes {
                    let e = Double(exp(row[c] - top))
                    sum += e
                    squares += e * e
                }
                uncertainty += 1 - squares / (sum * sum)
            }
        }
        let curvature = max(1e-6, uncertainty / Double(design.rows * classes))
        for i in factor.indices { factor[i] *= curvature }
        // Rounding may leave correlated columns a curvature just below 0.
        let least = 1e-7 * curvature
        for i in 0..<d { factor[i * d + i] += max(penalty, least) }
        var size = Int32(d), info: Int32 = 0
        dpotrf_("L", &size, &factor, &size, &info)
        guard info == 0 else { return nil }
        let right = Int32(classes)
        return { [factor, size] vector in
            var (size, right, info) = (size, right, Int32(0))
            // Weights of a class are a row, so a column of LAPACK's.
            dpotrs_("L", &size, &right, factor, &size, &vector, &size, &info)
            for i in classes * d..<vector.count { vector[i] /= curvature }
        }
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

func checkLabels(_ labels: [Int], rows: Int, classes: Int) throws {
    guard labels.count == rows else { throw InputError("\(labels.count) labels for \(rows) rows of features") }
    if let bad = labels.firstIndex(where: { $0 < 0 || $0 >= classes }) {
        throw InputError("label \(labels[bad]) of row \(bad) is outside 0…\(classes - 1)")
    }
}
