import Files

/// How well class scores predict the labels.
public struct ClassificationReport: Sendable, Codable, Equatable {
    public let rows: Int
    /// Share of rows whose label has the largest score.
    public let top1: Double
    /// Share of rows whose label is among the five largest scores.
    public let top5: Double
    /// Accuracy on the rows of each class (recall); nil for a class without rows.
    public let perClass: [Double?]
    /// Label and predicted class of each row.
    private let labels, predictions: [Int]
    /// For each row whether its label had the largest score, for bootstrap intervals and paired tests.
    public let hits: [Bool]

    /// - Parameters:
    ///   - scores: [rows, classes], larger means likelier. Equal scores rank in class order.
    ///   - labels: one per row.
    /// - Throws: `InputError` if a label is out of range, a score is not a number, or there are no rows.
    public init(scores: FeatureMatrix, labels: [Int]) throws {
        let classes = scores.columns
        try checkLabels(labels, rows: scores.rows, classes: classes)
        guard scores.rows > 0 else { throw InputError("no rows to take an accuracy over") }
        var hits: [Bool] = []
        var predictions: [Int] = []
        var (members, right) = ([Int](repeating: 0, count: classes), [Int](repeating: 0, count: classes))
        var inFive = 0
        for (row, label) in labels.enumerated() {
            let values = scores.values[row * classes..<(row + 1) * classes]
            let own = values[values.startIndex + label]
            var (rank, best) = (0, 0)
            for (c, value) in values.enumerated() {
                guard !value.isNaN else { throw InputError("score of class \(c) of row \(row) is not a number") }
                if value > own || (value == own && c < label) { rank += 1 }
                if value > values[values.startIndex + best] { best = c }
            }
            predictions.append(best)
            members[label] += 1
            if best == label { right[label] += 1 }
            hits.append(rank == 0)
            if rank < 5 { inFive += 1 }
        }
        rows = labels.count
        top1 = Double(hits.count { $0 }) / Double(labels.count)
        top5 = Double(inFive) / Double(labels.count)
        perClass = zip(members, right).map { $0 > 0 ? Double($1) / Double($0) : nil }
        self.hits = hits
        (self.labels, self.predictions) = (labels, predictions)
    }

    /// Rows of label l predicted as p, at [l][p].
    public var confusion: [[Int]] {
        var counts = [[Int]](repeating: [Int](repeating: 0, count: perClass.count), count: perClass.count)
        for (label, prediction) in zip(labels, predictions) { counts[label][prediction] += 1 }
        return counts
    }
}
