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

    /// Iₓ(a, b) by its continued fraction (Abramowitz and Stegun 26.5.8), evaluated with Lentz's method.
    private static func incompleteBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
        if x <= 0 { return 0 }
        if x >= 1 { return 1 }
        // The fraction converges fast only on this side of the mean.
        if x > (a + 1) / (a + b + 2) { return 1 - incompleteBeta(1 - x, b, a) }
        let front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
        let tiny = 1e-300
        var c = 1.0
        var d = 1 / nonZero(1 - (a + b) * x / (a + 1), tiny)
        var fraction = d
        for m in 1...1000 {
            let m = Double(m)
            let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
            d = 1 / nonZero(1 + even * d, tiny)
            c = nonZero(1 + even / c, tiny)
            fraction *= d * c
            let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
            d = 1 / nonZero(1 + odd * d, tiny)
            c = nonZero(1 + odd / c, tiny)
            fraction *= d * c
            if abs(d * c - 1) < 1e-15 { break }
        }
        return front * fraction
    }

    private static func nonZero(_ x: Double, _ tiny: Double) -> Double { abs(x) < tiny ? tiny : x }
}
