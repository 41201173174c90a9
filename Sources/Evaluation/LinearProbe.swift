import Files

/// A logistic regression whose penalty was chosen on rows held out of the training set, never on test rows.
public struct LinearProbe: Sendable {
    public struct Trial: Sendable, Codable, Equatable {
        public let penalty: Double
        public let validationTop1: Double
        public let converged: Bool
    }

    /// Fitted to all training rows with the penalty chosen.
    public let model: LogisticRegression
    /// Every penalty tried, strongest first.
    public let trials: [Trial]

    /// 1e-6, 1e-5 … 1e-1
    public static let defaultPenalties = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1]

    /// Splits the training rows within each class, fits the rest once per penalty from the strongest on (each fit starts
    /// from the one before), and keeps the penalty of the best validation accuracy, the stronger one of equals.
    ///
    /// - Parameters:
    ///   - features: [rows, features], dense or one-hot.
    ///   - labels: one per row, in 0..<classes.
    ///   - validationShare: of each class's rows.
    ///   - seed: decides which rows are held out.
    /// - Throws: `InputError` if a label is out of range, a feature is not finite or no row is left on either side.
    public init(
        fitting features: some RegressionRows, labels: [Int], classes: Int, penalties: [Double] = defaultPenalties,
        validationShare: Double = 0.2, seed: UInt64 = 0, options: LogisticRegression.Options = .init()
    ) throws {
        precondition(!penalties.isEmpty, "no penalties to choose from")
        precondition(validationShare > 0 && validationShare < 1, "a validation share of \(validationShare)")
        try checkLabels(labels, rows: features.rows, classes: classes)
        // Here a row still has the number that the caller knows it by.
        try features.requireFinite()
        let split = Self.stratifiedSplit(labels, classes: classes, share: validationShare, seed: seed)
        guard !split.held.isEmpty, !split.rest.isEmpty else {
            throw InputError("\(features.rows) rows are too few to hold out \(validationShare * 100) % of each class")
        }
        let training = features.selecting(split.rest), trainingLabels = split.rest.map { labels[$0] }
        let validation = features.selecting(split.held), validationLabels = split.held.map { labels[$0] }

        var trials: [Trial] = []
        var best: (top1: Double, fit: LogisticRegression)?
        var previous: LogisticRegression?
        for penalty in penalties.sorted(by: >) {
            var options = options
            options.penalty = penalty
            let fit = try LogisticRegression(
                fitting: training, labels: trainingLabels, classes: classes, options: options, startingFrom: previous)
            let top1 = try ClassificationReport(scores: fit.scores(validation), labels: validationLabels).top1
            trials.append(Trial(penalty: penalty, validationTop1: top1, converged: fit.converged))
            if top1 > best?.top1 ?? -1 { best = (top1, fit) }
            previous = fit
        }
        guard let best else { throw InputError("no penalty gave a validation accuracy") }
        self.trials = trials
        model = try LogisticRegression(
            fitting: features, labels: labels, classes: classes, options: best.fit.options, startingFrom: best.fit)
    }

    /// Row indices held out and kept, each ascending.
    static func stratifiedSplit(_ labels: [Int], classes: Int, share: Double, seed: UInt64) -> (held: [Int], rest: [Int]) {
        var generator = SplitMix64(seed: seed)
        var members = [[Int]](repeating: [], count: classes)
        for (row, label) in labels.enumerated() { members[label].append(row) }
        var isHeld = [Bool](repeating: false, count: labels.count)
        for rows in members {
            let wanted = Int((Double(rows.count) * share).rounded())
            for place in generator.permutation(of: rows.count).prefix(wanted) { isHeld[rows[place]] = true }
        }
        return (labels.indices.filter { isHeld[$0] }, labels.indices.filter { !isHeld[$0] })
    }
}
