import Files

/// Percentile bootstrap interval (Efron 1979) of a statistic of independent values.
///
/// - Parameters:
///   - values: such as one hit or miss per test image.
///   - statistic: of a resample as long as `values`; the mean if not given.
/// - Returns: nil if there are no values or the statistic of a resample is not finite.
public func bootstrapInterval(
    of values: [Double], confidence: Double = 0.95, resamples: Int = 2000, seed: UInt64 = 0,
    statistic: ([Double]) -> Double = { $0.reduce(0, +) / Double($0.count) }
) -> Interval? {
    precondition(resamples > 1 && confidence > 0 && confidence < 1, "\(resamples) resamples, confidence \(confidence)")
    guard !values.isEmpty else { return nil }
    var generator = SplitMix64(seed: seed)
    var resample = values
    var results: [Double] = []
    for _ in 0..<resamples {
        for i in resample.indices { resample[i] = values[generator.index(below: values.count)] }
        let result = statistic(resample)
        guard result.isFinite else { return nil }
        results.append(result)
    }
    results.sort()
    return Interval(low: quantile(results, (1 - confidence) / 2), high: quantile(results, (1 + confidence) / 2))
}

/// Of sorted values, linear between neighbours.
private func quantile(_ sorted: [Double], _ share: Double) -> Double {
    let place = share * Double(sorted.count - 1)
    let below = Int(place)
    guard below + 1 < sorted.count else { return sorted[sorted.count - 1] }
    return sorted[below] + (place - Double(below)) * (sorted[below + 1] - sorted[below])
}
