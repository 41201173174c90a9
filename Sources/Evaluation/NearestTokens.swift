/// k nearest neighbours among sets of tokens: as far apart as positions whose codes differ. All rows as near as the k-th vote.
public struct NearestTokens: Sendable {
    private let neighbours: Int
    private let columns: [[Int32]]
    private let labels: [Int]
    private let classes: Int

    /// - Parameter columns: the codes of each position, one a training row.
    public init(_ columns: [[Int32]], labels: [Int], classes: Int, neighbours: Int) {
        precondition(!labels.isEmpty && columns.allSatisfy { $0.count == labels.count }, "a label for each row")
        (self.columns, self.labels, self.classes) = (columns, labels, classes)
        self.neighbours = min(neighbours, labels.count)
    }

    /// Votes for each class, [rows, classes].
    public func votes(_ other: [[Int32]]) -> FeatureMatrix {
        let rows = other[0].count
        var values = [Float](repeating: 0, count: rows * classes)
        var agreeing = [Int32](repeating: 0, count: labels.count)
        for row in 0..<rows {
            for i in agreeing.indices { agreeing[i] = 0 }
            for (column, others) in zip(columns, other) {
                let code = others[row]
                for i in agreeing.indices where column[i] == code { agreeing[i] += 1 }
            }
            var counts = [Int](repeating: 0, count: columns.count + 1)
            for count in agreeing { counts[Int(count)] += 1 }
            var (least, taken) = (columns.count, counts[columns.count])
            while taken < neighbours {
                least -= 1
                taken += counts[least]
            }
            for (i, count) in agreeing.enumerated() where count >= least { values[row * classes + labels[i]] += 1 }
        }
        return FeatureMatrix(rows: rows, columns: classes, values: values)
    }
}
