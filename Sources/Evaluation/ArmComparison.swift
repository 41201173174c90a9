import Foundation

/// The difference between an arm and its baseline, arm − baseline.
public struct ArmComparison: Sendable, Codable, Equatable {
    public enum Pairing: String, Sendable, Codable {
        /// By seed; `difference.count` is the number of pairs.
        case paired
        /// Independent groups of possibly different size and spread (Welch); `difference.count` is the smaller size.
        case unpaired
    }

    public let pairing: Pairing
    public let difference: Estimate
    /// Two-sided. Paired: sign-flip permutation. Unpaired: Welch's t test. Nil where too few values allow none.
    public let pValue: Double?

    /// Compares values measured under the same seeds, in the same order. Nil if there are none or one is not finite.
    public init?(paired arm: [Double], baseline: [Double], confidence: Double = 0.95) {
        precondition(arm.count == baseline.count, "\(arm.count) values paired with \(baseline.count)")
        let differences = zip(arm, baseline).map { $0 - $1 }
        guard let estimate = Estimate(of: differences, confidence: confidence) else { return nil }
        pairing = .paired
        difference = estimate
        pValue = signFlipTest(differences).pValue
    }

    /// Compares independent groups. Nil if one is empty or holds a value that is not finite.
    public init?(unpaired arm: [Double], baseline: [Double], confidence: Double = 0.95) {
        guard let a = Estimate(of: arm), let b = Estimate(of: baseline) else { return nil }
        pairing = .unpaired
        let step = a.mean - b.mean
        let smaller = min(a.count, b.count)
        guard let deviationA = a.standardDeviation, let deviationB = b.standardDeviation else {
            difference = Estimate(count: smaller, mean: step, standardDeviation: nil, interval: nil)
            pValue = nil
            return
        }
        let (errorA, errorB) = (deviationA * deviationA / Double(a.count), deviationB * deviationB / Double(b.count))
        let error = errorA + errorB
        guard error > 0 else {
            // No spread at all: the interval is a point, and no t test exists.
            difference = Estimate(
                count: smaller, mean: step, standardDeviation: 0, interval: Interval(low: step, high: step))
            pValue = nil
            return
        }
        // Welch–Satterthwaite
        let freedom = error * error
            / (errorA * errorA / Double(a.count - 1) + errorB * errorB / Double(b.count - 1))
        let margin = StudentT.quantile((1 + confidence) / 2, degreesOfFreedom: freedom) * error.squareRoot()
        difference = Estimate(
            count: smaller, mean: step,
            standardDeviation: (deviationA * deviationA + deviationB * deviationB).squareRoot(),
            interval: Interval(low: step - margin, high: step + margin))
        pValue = 2 * StudentT.cumulative(-abs(step) / error.squareRoot(), degreesOfFreedom: freedom)
    }
}

public struct SignFlipTest: Sendable, Equatable {
    /// Two-sided.
    public let pValue: Double
    /// Whether all 2ⁿ sign patterns were counted; otherwise drawn ones were.
    public let isExact: Bool
}

/// Paired permutation test: under no effect each difference is as likely with either sign. The p-value is the share of
/// sign patterns whose sum is at least as far from zero as the observed one, which is among them; its smallest possible
/// value with n pairs is therefore 2/2ⁿ.
///
/// - Parameter differences: finite; exact up to 20 of them, from then on 100 000 seeded draws.
public func signFlipTest(_ differences: [Double], seed: UInt64 = 0) -> SignFlipTest {
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
        return SignFlipTest(pValue: Double(extreme) / Double(1 << n), isExact: true)
    }
    let draws = 100_000
    var generator = SeededGenerator(seed: seed)
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
    return SignFlipTest(pValue: Double(extreme) / Double(draws + 1), isExact: false)
}
