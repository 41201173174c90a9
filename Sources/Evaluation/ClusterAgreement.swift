import Foundation

/// Adjusted mutual information of two labellings of the same things (Vinh, Epps and Bailey 2010): 1 where they are the same up
/// to names, about 0 where they have no more in common than chance gives. Adjusted by the mean of the entropies.
public func adjustedMutualInformation(_ a: [Int32], _ b: [Int32]) -> Double {
    precondition(a.count == b.count && !a.isEmpty, "\(a.count) labels against \(b.count)")
    let n = a.count
    func counts(_ labels: [Int32]) -> [Int] {
        labels.reduce(into: [Int32: Int]()) { $0[$1, default: 0] += 1 }.sorted { $0.key < $1.key }.map(\.value)
    }
    let (rows, columns) = (counts(a), counts(b))
    // One group each, or each thing alone in both: nothing to disagree about.
    if rows.count == columns.count, rows.count == 1 || rows.count == n { return 1 }
    let information = MutualInformation(a, b)
    var logFactorials = [0.0]
    for i in 1...n { logFactorials.append(logFactorials[i - 1] + log(Double(i))) }
    // What labellings with these group sizes have in common on average. Equal sizes give equal terms.
    func tally(_ sizes: [Int]) -> [(size: Int, times: Double)] {
        sizes.reduce(into: [Int: Double]()) { $0[$1, default: 0] += 1 }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
    var expected = 0.0
    let (sizes, others) = (tally(rows), tally(columns))
    for (x, timesX) in sizes {
        for (y, timesY) in others {
            let fixed = logFactorials[x] + logFactorials[y] + logFactorials[n - x] + logFactorials[n - y] - logFactorials[n]
            var sum = 0.0
            for m in max(1, x + y - n)...max(1, min(x, y)) where m <= min(x, y) {
                let chance = exp(
                    fixed - logFactorials[m] - logFactorials[x - m] - logFactorials[y - m] - logFactorials[n - x - y + m])
                sum += Double(m) / Double(n) * log(Double(n) * Double(m) / (Double(x) * Double(y))) * chance
            }
            expected += timesX * timesY * sum
        }
    }
    let mean = (information.a.plugIn + information.b.plugIn) / 2
    let (numerator, denominator) = (information.plugIn - expected, mean - expected)
    return abs(denominator) < 1e-15 ? 0 : numerator / denominator
}

/// The pairing of rows with columns, each at most once, whose values add up to most (Kuhn's method with potentials).
///
/// - Parameter values: [rows][columns], no more rows than columns.
/// - Returns: the column of each row.
public func bestMatching(_ values: [[Double]]) -> [Int] {
    let (n, m) = (values.count, values.first?.count ?? 0)
    precondition(n <= m && values.allSatisfy { $0.count == m }, "\(n) rows of \(m)")
    guard n > 0 else { return [] }
    // Costs are what is lost; row and column 0 stand for "none".
    var (u, v) = ([Double](repeating: 0, count: n + 1), [Double](repeating: 0, count: m + 1))
    var (rowOf, way) = ([Int](repeating: 0, count: m + 1), [Int](repeating: 0, count: m + 1))
    for row in 1...n {
        rowOf[0] = row
        var column = 0
        var (least, isUsed) = ([Double](repeating: .infinity, count: m + 1), [Bool](repeating: false, count: m + 1))
        repeat {
            isUsed[column] = true
            var (delta, next) = (Double.infinity, 0)
            for j in 1...m where !isUsed[j] {
                let reduced = -values[rowOf[column] - 1][j - 1] - u[rowOf[column]] - v[j]
                if reduced < least[j] { (least[j], way[j]) = (reduced, column) }
                if least[j] < delta { (delta, next) = (least[j], j) }
            }
            for j in 0...m {
                if isUsed[j] {
                    u[rowOf[j]] += delta
                    v[j] -= delta
                } else {
                    least[j] -= delta
                }
            }
            column = next
        } while rowOf[column] != 0
        repeat {
            let before = way[column]
            rowOf[column] = rowOf[before]
            column = before
        } while column != 0
    }
    var columns = [Int](repeating: 0, count: n)
    for j in 1...m where rowOf[j] > 0 { columns[rowOf[j] - 1] = j - 1 }
    return columns
}
