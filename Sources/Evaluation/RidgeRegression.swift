import Files

/// Linear maps from features to several targets with an L2 penalty, the strength chosen on rows held out of the fit.
///
/// With standardised features x and centred targets y it minimises mean ‖y − W·x‖² + penalty·‖W‖². All penalties share one
/// eigendecomposition of the features' correlations.
public struct RidgeRegression: Sendable {
    public let penalty: Double
    public let targets: Int
    private let mean, scale, targetMean: [Double]
    /// [targets, features], for standardised features.
    private let weights: [Double]

    /// 1e-5, 1e-4 … 1
    public static let defaultPenalties = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1]

    /// Fits `rest` of the rows with every penalty, keeps the best on the others, and fits all rows with it.
    ///
    /// - Parameters:
    ///   - features: [rows, features]; constant columns get no weight.
    ///   - targets: [rows, targets].
    ///   - seed: decides which rows are held out.
    /// - Throws: `InputError` if an entry is not finite or the rows are too few to hold some out.
    public init(
        fitting features: FeatureMatrix, to targets: FeatureMatrix, penalties: [Double] = defaultPenalties,
        validationShare: Double = 0.2, seed: UInt64 = 0
    ) throws {
        precondition(features.rows == targets.rows, "\(features.rows) rows of features, \(targets.rows) of targets")
        try features.requireFinite()
        try targets.requireFinite()
        var generator = SplitMix64(seed: seed)
        let order = generator.permutation(of: features.rows)
        let held = order.prefix(Int((Double(features.rows) * validationShare).rounded())).sorted()
        let rest = order.dropFirst(held.count).sorted()
        guard !held.isEmpty, rest.count > 1 else {
            throw InputError("\(features.rows) rows are too few to hold out \(validationShare * 100) % of them")
        }
        let (validation, truth) = (features.selecting(held), targets.selecting(held))
        let partial = try RidgeProblem(features.selecting(rest), targets.selecting(rest))
        let errors = penalties.map { penalty in
            (penalty, RidgeRegression(partial, penalty).squaredErrors(validation, truth).reduce(0, +))
        }
        guard let best = errors.min(by: { $0.1 < $1.1 }) else { throw InputError("no penalties to choose from") }
        self.init(try RidgeProblem(features, targets), best.0)
    }

    /// Fitted to all rows with one penalty.
    public init(fitting features: FeatureMatrix, to targets: FeatureMatrix, penalty: Double) throws {
        precondition(features.rows == targets.rows, "\(features.rows) rows of features, \(targets.rows) of targets")
        self.init(try RidgeProblem(features, targets), penalty)
    }

    private init(_ problem: RidgeProblem, _ penalty: Double) {
        self.penalty = penalty
        (mean, scale, targetMean) = (problem.mean, problem.scale, problem.targetMean)
        targets = problem.targetMean.count
        weights = problem.weights(penalty)
    }

    /// [rows, targets].
    public func predictions(_ features: FeatureMatrix) -> FeatureMatrix {
        precondition(features.columns == mean.count, "\(features.columns) features for a fit of \(mean.count)")
        let (d, t) = (mean.count, targets)
        var values: [Float] = []
        values.reserveCapacity(features.rows * t)
        features.forEachBlock(of: 1024) { range, block in
            for r in 0..<range.count {
                for j in 0..<d { block[r * d + j] = (block[r * d + j] - mean[j]) * scale[j] }
            }
            var predictions = (0..<range.count).flatMap { _ in targetMean }
            if d > 0, t > 0, let block = block.baseAddress {
                multiply(into: &predictions, block, transposed: weights, m: range.count, n: t, k: d, beta: 1)
            }
            values += predictions.map(Float.init)
        }
        return FeatureMatrix(rows: features.rows, columns: t, values: values)
    }

    /// Squared error of each row, summed over targets.
    func squaredErrors(_ features: FeatureMatrix, _ truth: FeatureMatrix) -> [Double] {
        let predictions = predictions(features)
        return (0..<truth.rows).map { row in
            (row * targets..<(row + 1) * targets).reduce(0) {
                let error = Double(truth.values[$1]) - Double(predictions.values[$1])
                return $0 + error * error
            }
        }
    }

    /// R² on rows that were not fitted: the share of the targets' variance, summed over targets, that is predicted; with a
    /// 95 % bootstrap interval over rows, the variance taken as known. Not above 1, and below 0 where a constant does better.
    public func explained(
        _ features: FeatureMatrix, _ truth: FeatureMatrix, seed: UInt64 = 0
    ) throws -> (share: Double, interval: Interval?) {
        precondition(features.rows == truth.rows, "\(features.rows) rows of features, \(truth.rows) of targets")
        let mean = try FeatureStatistics.mean(of: truth)
        var total = 0.0
        for row in 0..<truth.rows {
            for k in 0..<targets {
                let step = Double(truth.values[row * targets + k]) - mean[k]
                total += step * step
            }
        }
        guard total > 0 else { throw InputError("all targets are constant: there is no variance to predict") }
        let perRow = total / Double(truth.rows)
        let errors = squaredErrors(features, truth).map { 1 - $0 / perRow }
        return (errors.reduce(0, +) / Double(errors.count), bootstrapInterval(of: errors, resamples: 500, seed: seed))
    }
}

/// Second moments of standardised features and centred targets, with the eigenvectors of the former.
private struct RidgeProblem {
    let mean, scale, targetMean: [Double]
    /// Eigenvectors as rows, [features, features], and their values.
    private let vectors, values: [Double]
    /// Eigenvectors · features · targets, [features, targets].
    private let projected: [Double]

    init(_ features: FeatureMatrix, _ targets: FeatureMatrix) throws {
        let (d, t) = (features.columns, targets.columns)
        let joint = try FeatureStatistics(of: features.beside(targets)).gaussian()
        (mean, targetMean) = (Array(joint.mean[..<d]), Array(joint.mean[d...]))
        let scale = (0..<d).map { j -> Double in
            let deviation = joint.covariance[j * (d + t) + j].squareRoot()
            return deviation > 1e-12 * abs(joint.mean[j]) ? 1 / deviation : 0
        }
        self.scale = scale
        var matrix = [Double](repeating: 0, count: d * d)
        for i in 0..<d {
            for j in 0..<d { matrix[i * d + j] = joint.covariance[i * (d + t) + j] * scale[i] * scale[j] }
        }
        values = try symmetricEigenvectors(&matrix, size: d)
        vectors = matrix
        let cross = (0..<t).flatMap { k in (0..<d).map { joint.covariance[$0 * (d + t) + d + k] * scale[$0] } }
        var projected = [Double](repeating: 0, count: d * t)
        if d > 0, t > 0 { multiply(into: &projected, vectors, transposed: cross, m: d, n: t, k: d) }
        self.projected = projected
    }

    func weights(_ penalty: Double) -> [Double] {
        let (d, t) = (values.count, targetMean.count)
        // [targets, features] of projections, each divided by its eigenvalue with the penalty.
        var shrunk = [Double](repeating: 0, count: t * d)
        for i in 0..<d where values[i] + penalty > 0 {
            for k in 0..<t { shrunk[k * d + i] = projected[i * t + k] / (max(0, values[i]) + penalty) }
        }
        var transposed = [Double](repeating: 0, count: d * d)
        for i in 0..<d {
            for j in 0..<d { transposed[j * d + i] = vectors[i * d + j] }
        }
        var weights = [Double](repeating: 0, count: t * d)
        if d > 0, t > 0 { multiply(into: &weights, shrunk, transposed: transposed, m: t, n: d, k: d) }
        return weights
    }
}

extension FeatureMatrix {
    /// Columns of both, [rows, columns + other columns].
    func beside(_ other: FeatureMatrix) -> FeatureMatrix {
        precondition(rows == other.rows, "\(rows) rows beside \(other.rows)")
        var joined: [Float] = []
        joined.reserveCapacity(values.count + other.values.count)
        for row in 0..<rows {
            joined += values[row * columns..<(row + 1) * columns]
            joined += other.values[row * other.columns..<(row + 1) * other.columns]
        }
        return FeatureMatrix(rows: rows, columns: columns + other.columns, values: joined)
    }
}
