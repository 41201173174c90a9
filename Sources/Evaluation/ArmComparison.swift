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
    /// Of the difference, and the degrees of freedom that it is known to (Welch's where there are no pairs); nil for one value.
    public let standardError: Double?
    public let degreesOfFreedom: Double?
    /// Two-sided. Paired: sign flips. Unpaired: permutations of the groups.
    public let test: RandomizationTest

    /// Compares values measured under the same seeds, in the same order. Nil if there are none or one is not finite.
    public init?(paired arm: [Double], baseline: [Double], confidence: Double = 0.95) {
        precondition(arm.count == baseline.count, "\(arm.count) values paired with \(baseline.count)")
        let differences = zip(arm, baseline).map { $0 - $1 }
        guard let estimate = Estimate(of: differences, confidence: confidence) else { return nil }
        pairing = .paired
        difference = estimate
        let n = Double(estimate.count)
        standardError = estimate.standardDeviation.map { $0 / n.squareRoot() }
        degreesOfFreedom = estimate.standardDeviation.map { _ in n - 1 }
        test = signFlipTest(differences)
    }

    /// Compares independent groups: Welch's interval, a permutation test. Nil if one is empty or holds a value that is not finite.
    public init?(unpaired arm: [Double], baseline: [Double], confidence: Double = 0.95) {
        guard let a = Estimate(of: arm), let b = Estimate(of: baseline) else { return nil }
        pairing = .unpaired
        test = permutationTest(arm, baseline)
        let step = a.mean - b.mean
        let smaller = min(a.count, b.count)
        guard let deviationA = a.standardDeviation, let deviationB = b.standardDeviation else {
            difference = Estimate(count: smaller, mean: step, standardDeviation: nil, interval: nil)
            (standardError, degreesOfFreedom) = (nil, nil)
            return
        }
        let (errorA, errorB) = (deviationA * deviationA / Double(a.count), deviationB * deviationB / Double(b.count))
        let error = errorA + errorB
        guard error > 0 else {
            // No spread at all: the interval is a point.
            (standardError, degreesOfFreedom) = (0, Double(a.count + b.count - 2))
            difference = Estimate(
                count: smaller, mean: step, standardDeviation: 0, interval: Interval(low: step, high: step))
            return
        }
        // Welch–Satterthwaite
        let freedom =
            error * error
            / (errorA * errorA / Double(a.count - 1) + errorB * errorB / Double(b.count - 1))
        (standardError, degreesOfFreedom) = (error.squareRoot(), freedom)
        let margin = StudentT.quantile((1 + confidence) / 2, degreesOfFreedom: freedom) * error.squareRoot()
        difference = Estimate(
            count: smaller, mean: step,
            standardDeviation: (deviationA * deviationA + deviationB * deviationB).squareRoot(),
            interval: Interval(low: step - margin, high: step + margin))
    }
}
