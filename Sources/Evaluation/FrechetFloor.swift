import Files

/// The Fréchet distance that samples of a perfect sampler would have: that of `samples` images to the reference, if both came
/// from one distribution. It is above 0 because means and covariances of finite sets differ.
///
/// It is measured between disjoint parts of the reference, as many in one as there are samples, at most half, and the others in
/// the second. A distance within one distribution is proportional to 1/n + 1/m for sets of n and m; so it is scaled from
/// the parts to the samples and the whole reference.
///
/// - Parameters:
///   - reference: [m, dimensions], m ≥ 4.
///   - samples: how many are compared with it, n ≥ 1.
///   - strata: the stratum of each image where samples are drawn from strata, such as classes, in fixed numbers: the parts
///     have the same shares of each; nil: parts are drawn from all alike.
///   - repeats: divisions that are averaged over.
///   - draw: a random index below its argument.
/// - Throws: `InputError` where there are too few images, or a distance cannot be measured.
public func frechetFloor(
    of reference: some FeatureRows, samples: Int, strata: [Int]? = nil, repeats: Int = 4, draw: (Int) -> Int
) throws -> Double {
    let m = reference.rows
    guard m >= 4, samples >= 1 else { throw InputError("a floor needs 4 reference images and a sample; there are \(m) and \(samples)") }
    let first = max(2, min(samples, m / 2))
    let scale = (1 / Double(samples) + 1 / Double(m)) / (1 / Double(first) + 1 / Double(m - first))
    let distances = try (0..<repeats).map { _ in
        var order = Array(0..<m)
        for i in stride(from: m - 1, to: 0, by: -1) { order.swapAt(i, draw(i + 1)) }
        let rows = arranged(order, by: strata)
        // Every m/first-th of the rows, stratum after stratum: the same share of each.
        let places = Set((0..<first).map { $0 * m / first })
        let parts = try [rows.indices.filter(places.contains), rows.indices.filter { !places.contains($0) }].map { places in
            try FeatureStatistics(of: SelectedRows(places.map { rows[$0] }, of: reference)).gaussian()
        }
        return try frechetDistance(parts[0], parts[1])
    }
    return scale * distances.reduce(0, +) / Double(repeats)
}
