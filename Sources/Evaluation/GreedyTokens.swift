import Foundation

/// The tokens that tell most of a class together, one after the other: those whose naive Bayes classifier, fitted on four of
/// five rows, names most of the fifth right. Of equals the first.
///
/// - Parameters:
///   - columns: the codes of each position, one a row.
///   - codes: different codes of a position.
/// - Returns: `count` positions in the order in which they were chosen.
public func greedyTokens(_ columns: [[Int32]], codes: Int, labels: [Int], classes: Int, count: Int) -> [Int] {
    let fitted = labels.indices.filter { $0 % 5 != 4 }, held = labels.indices.filter { $0 % 5 == 4 }
    var members = [Double](repeating: 0, count: classes)
    for row in fitted { members[labels[row]] += 1 }
    // log p(code | class), one added to each count, [classes, codes].
    let tables = columns.map { column in
        var counts = [Double](repeating: 1, count: classes * codes)
        for row in fitted { counts[labels[row] * codes + Int(column[row])] += 1 }
        return counts.indices.map { log(counts[$0] / (members[$0 / codes] + Double(codes))) }
    }
    var scores = held.flatMap { _ in members.map { log(max($0, 1e-9)) } }
    func adding(_ position: Int) -> [Double] {
        var all = scores
        for (place, row) in held.enumerated() {
            let code = Int(columns[position][row])
            for c in 0..<classes { all[place * classes + c] += tables[position][c * codes + code] }
        }
        return all
    }
    func right(_ scores: [Double]) -> Int {
        held.indices.count { place in
            let own = scores[place * classes..<(place + 1) * classes]
            return own.indices.max { own[$0] < own[$1] }.map { $0 - own.startIndex } == labels[held[place]]
        }
    }
    var chosen: [Int] = []
    while chosen.count < min(count, columns.count) {
        var best: (right: Int, position: Int, scores: [Double])?
        for position in columns.indices where !chosen.contains(position) {
            let found = adding(position)
            let hits = right(found)
            if hits > best?.right ?? -1 { best = (hits, position, found) }
        }
        guard let best else { break }
        chosen.append(best.position)
        scores = best.scores
    }
    return chosen
}
