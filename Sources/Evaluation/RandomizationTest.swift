import Files

/// A p-value from what the data would have been under every other assignment that was as likely: no distribution is
/// assumed.
public struct RandomizationTest: Sendable, Codable, Equatable {
    public enum Kind: String, Sendable, Codable {
        case signFlips, permutations
    }

    public let kind: Kind
    /// Two-sided.
    public let pValue: Double
    /// Whether all assignments were counted; otherwise drawn ones were.
    public let isExact: Bool
    /// No p-value of this test can be smaller, however large the difference.
    public let smallest: Double
}

/// Paired permutation test: under no effect each difference is as likely with either sign. The p-value is the share of
/// sign patterns whose sum is at least as far from zero as the observed one, which is among them; its smallest possible
/// value with n pairs is therefore 2/2ⁿ.
///
/// - Parameter differences: finite; exact up to 20 of them, from then on 100 000 seeded draws.
public func signFlipTest(_ differences: [Double], seed: UInt64 = 0) -> RandomizationTest {
    precondition(differences.allSatisfy(\.isFinite), "differences \(differences) are not all finite")
    let observed = abs(differences.reduce(0, +))
    // Sums that are equal in exact arithmetic may differ by rounding.
    let threshold = observed - 1e-12 * differences.reduce(0) { $0 + abs($1) }
    let n = differences.count
    if n <= 20 {
        var extreme = 0
        for pattern in 0..<1 << n {
            var sum = 0.0
            for (i, difference) in differences.enumerated() { sum += pattern >> i & 1 == 1 ? -difference : difference }
            if abs(sum) >= threshold { extreme += 1 }
        }
        return RandomizationTest(
            kind: .signFlips, pValue: Double(extreme) / Double(1 << n), isExact: true, smallest: 2 / Double(1 << max(n, 1)))
    }
    let draws = 100_000
    var generator = SplitMix64(seed: seed)
    var extreme = 1
    for _ in 0..<draws {
        var (sum, signs) = (0.0, UInt64(0))
        for (i, difference) in differences.enumerated() {
            if i % 64 == 0 { signs = generator.next() }
            sum += signs & 1 == 1 ? -difference : difference
            signs >>= 1
        }
        if abs(sum) >= threshold { extreme += 1 }
    }
    return RandomizationTest(
        kind: .signFlips, pValue: Double(extreme) / Double(draws + 1), isExact: false, smallest: 1 / Double(draws + 1))
}

/// Permutation test of two independent groups: under no effect each division of all values into groups of these sizes is
/// as likely. The p-value is the share of divisions whose means are at least as far apart as the observed ones.
///
/// - Parameters:
///   - a: finite, at least one.
///   - b: finite, at least one; exact up to 200 000 divisions, from then on 100 000 seeded draws.
public func permutationTest(_ a: [Double], _ b: [Double], seed: UInt64 = 0) -> RandomizationTest {
    precondition(!a.isEmpty && !b.isEmpty && (a + b).allSatisfy(\.isFinite), "groups \(a) and \(b)")
    let values = a + b
    let (n, m) = (Double(a.count), Double(b.count))
    let total = values.reduce(0, +)
    // The means' distance follows from the sum of one group.
    func distance(_ sum: Double) -> Double { abs(sum / n - (total - sum) / m) }
    // Sums that are equal in exact arithmetic may differ by rounding.
    let threshold = distance(a.reduce(0, +)) - 1e-12 * values.reduce(0) { $0 + abs($1) } * (1 / n + 1 / m)
    var divisions = 1.0
    for i in 0..<a.count { divisions = divisions * Double(values.count - i) / Double(i + 1) }
    if divisions <= 200_000 {
        var extreme = 0.0
        func visit(_ next: Int, _ left: Int, _ sum: Double) {
            if left == 0 {
                if distance(sum) >= threshold { extreme += 1 }
                return
            }
            for i in next...(values.count - left) { visit(i + 1, left - 1, sum + values[i]) }
        }
        visit(0, a.count, 0)
        // Groups of one size can be exchanged as a whole.
        return RandomizationTest(
            kind: .permutations, pValue: extreme / divisions.rounded(), isExact: true,
            smallest: (a.count == b.count ? 2 : 1) / divisions.rounded())
    }
    let draws = 100_000
    var generator = SplitMix64(seed: seed)
    var (extreme, shuffled) = (1, values)
    for _ in 0..<draws {
        var sum = 0.0
        for i in a.indices {
            shuffled.swapAt(i, i + generator.index(below: shuffled.count - i))
            sum += shuffled[i]
        }
        if distance(sum) >= threshold { extreme += 1 }
    }
    return RandomizationTest(
        kind: .permutations, pValue: Double(extreme) / Double(draws + 1), isExact: false, smallest: 1 / Double(draws + 1))
}
