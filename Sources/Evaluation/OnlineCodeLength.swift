import Foundation

/// Bits in which labels can be sent to somebody who has the features: each block coded by a classifier of the blocks before it,
/// the first by no classifier at all (prequential code, Voita and Titov 2020). Features from which little training suffices
/// have short codes, whatever accuracy they reach in the end.
///
/// - Parameters:
///   - features: [rows, features], in an order in which classes take turns.
///   - penalty: of the logistic regression.
/// - Returns: mean bits of a label; log₂ of the number of classes says that the features are of no use.
/// - Throws: what the regression throws.
public func onlineCodeLength(
    _ features: some RegressionRows, labels: [Int], classes: Int, penalty: Double = 0.01
) throws -> Double {
    let ends = codeBlocks(rows: labels.count, classes: classes)
    var bits = Double(ends[0]) * log2(Double(classes))
    for (from, to) in zip(ends, ends.dropFirst()) {
        let rows = Array(0..<from)
        let fit = try LogisticRegression(
            fitting: features.selecting(rows), labels: rows.map { labels[$0] }, classes: classes,
            options: .init(penalty: penalty))
        let scores = fit.scores(features.selecting(Array(from..<to)))
        for row in from..<to {
            let own = scores.values[(row - from) * classes..<(row - from + 1) * classes].map(Double.init)
            let largest = own.max() ?? 0
            bits += (largest + log(own.reduce(0) { $0 + exp($1 - largest) }) - own[labels[row]]) / log(2)
        }
    }
    return bits / Double(labels.count)
}

/// Where blocks end: twice as many rows each time, the first with each class about four times.
private func codeBlocks(rows: Int, classes: Int) -> [Int] {
    var ends = [min(rows, 4 * classes)]
    while let last = ends.last, last < rows { ends.append(min(rows, 2 * last)) }
    return ends
}
