import Foundation

/// Student's t distribution, through the regularised incomplete beta function.
enum StudentT {
    /// P(T ≤ t) for the given degrees of freedom.
    static func cumulative(_ t: Double, degreesOfFreedom v: Double) -> Double {
        let tail = 0.5 * incompleteBeta(v / (v + t * t), v / 2, 0.5)
        return t > 0 ? 1 - tail : tail
    }

    /// The t with P(T ≤ t) = probability, by bisection to the last digit.
    static func quantile(_ probability: Double, degreesOfFreedom v: Double) -> Double {
        precondition(probability > 0 && probability < 1 && v > 0, "t quantile of \(probability) with \(v) degrees of freedom")
        if probability < 0.5 { return -quantile(1 - probability, degreesOfFreedom: v) }
        // Compared on the upper tail, where 1 − P would lose its digits.
        let tail = 1 - probability
        func isBeyond(_ t: Double) -> Bool { cumulative(-t, degreesOfFreedom: v) < tail }
        var (low, high) = (0.0, 1.0)
        while !isBeyond(high) { (low, high) = (high, high * 2) }
        while true {
            let middle = low + (high - low) / 2
            if middle <= low || middle >= high { return middle }
            if isBeyond(middle) { high = middle } else { low = middle }
        }
    }
}
