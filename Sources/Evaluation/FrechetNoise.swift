import Files

/// Standard deviation of the Fréchet distance of samples to a reference over bootstrap resamples of the samples: the noise of
/// drawing this many, the models being what they are.
///
/// - Parameters:
///   - strata: of each sample, the stratum that it was drawn from where their numbers were fixed, such as its class: each is
///     resampled by itself. Resampling all together would add the noise of drawing classes by chance, which such samples do not
///     have. Nil: all were drawn alike.
///   - draw: a random index below its argument.
/// - Throws: `InputError` where a distance cannot be measured, or a stratum has only one sample.
public func frechetNoise(
    of samples: some FeatureRows, to reference: Gaussian, strata: [Int]? = nil, resamples: Int = 20, draw: (Int) -> Int
) throws -> Double {
    precondition(resamples > 1, "\(resamples) resamples")
    let groups = Dictionary(grouping: 0..<samples.rows) { strata?[$0] ?? 0 }.sorted { $0.key < $1.key }.map(\.value)
    guard groups.allSatisfy({ $0.count > 1 }) else { throw InputError("a class has a single sample, which cannot be resampled") }
    let values = try (0..<resamples).map { _ in
        let rows = groups.flatMap { group in group.map { _ in group[draw(group.count)] } }
        return try frechetDistance(FeatureStatistics(of: SelectedRows(rows, of: samples)).gaussian(), reference)
    }
    // A resample of h values has (h − 1)/h of their spread.
    let shrinking = groups.reduce(0.0) { $0 + Double($1.count - 1) } / Double(samples.rows)
    guard let deviation = Estimate(of: values)?.standardDeviation else { throw InputError("too few samples to resample") }
    return deviation / shrinking.squareRoot()
}
