import Files

/// Kernel distance of samples to a reference (KID, Bińkowski et al. 2018): the squared maximum mean discrepancy under
/// k(x, y) = (x·y / dimensions + 1)³, estimated without bias from all pairs, so that its expectation does not depend on how
/// many samples there are and it may come out below 0.
public struct KernelDistance: Sendable, Equatable {
    public let value: Double
    /// Of drawing other samples, the reference being what it is, by leaving out one sample at a time (too large, by √2 at most,
    /// where the distance is no more than noise); nil where a stratum has only one.
    public let standardError: Double?

    /// - Parameters:
    ///   - samples: [n, dimensions], n ≥ 3.
    ///   - reference: [m, dimensions], m ≥ 2.
    ///   - strata: of each sample, the stratum that it was drawn from where as many were drawn from each, such as its class; nil:
    ///     all were drawn alike.
    /// - Throws: `InputError` if dimensions differ, an entry is not finite, or a set is too small.
    public init(
        _ samples: KernelSet<some FeatureRows>, to reference: KernelSet<some FeatureRows>, strata: [Int]? = nil
    ) throws {
        guard samples.features.columns == reference.features.columns else {
            throw InputError(
                "features of \(samples.features.columns) and of \(reference.features.columns) dimensions cannot be compared")
        }
        let (n, m) = (Double(samples.features.rows), Double(reference.features.rows))
        guard n >= 3, m >= 2 else {
            throw InputError("a kernel distance needs 3 samples and 2 reference images; there are \(Int(n)) and \(Int(m))")
        }
        precondition(strata.map { $0.count == samples.features.rows } ?? true, "a stratum for each sample")
        let across = kernelRowSums(samples.features, reference.features)
        let (own, others) = (samples.total, across.reduce(0, +))
        let constant = reference.total / (m * (m - 1))
        value = own / (n * (n - 1)) - 2 * others / (n * m) + constant

        let without = zip(samples.rowSums, across).map { row, column in
            (own - 2 * row) / ((n - 1) * (n - 2)) - 2 * (others - column) / ((n - 1) * m) + constant
        }
        var groups: [Int: [Double]] = [:]
        for (place, value) in without.enumerated() { groups[strata?[place] ?? 0, default: []].append(value) }
        guard groups.values.allSatisfy({ $0.count > 1 }) else {
            standardError = nil
            return
        }
        // Within a stratum of h samples, leaving one out moves the estimate by its own distance from the stratum's mean over
        // n − 1; with one stratum this is the jackknife's (n − 1)/n · Σ.
        let variance = groups.sorted { $0.key < $1.key }.reduce(0.0) { sum, group in
            let h = Double(group.value.count)
            let mean = group.value.reduce(0, +) / h
            return sum + h / (h - 1) * group.value.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        }
        standardError = (variance * ((n - 1) / n) * ((n - 1) / n)).squareRoot()
    }
}

/// A set of features with the kernel's sums over its own pairs, which every distance to it reads.
public struct KernelSet<Rows: FeatureRows>: Sendable {
    let features: Rows
    /// Of each row, its kernel with all others.
    let rowSums: [Double]
    /// Over all ordered pairs of different rows.
    var total: Double { rowSums.reduce(0, +) }

    /// Throws `InputError` if an entry is not finite.
    public init(_ features: Rows) throws {
        try features.requireFinite()
        self.features = features
        rowSums = kernelRowSums(features)
    }
}

/// Rows compared at a time; memory is as many squared, and twice as many times the dimensions.
private let blockRows = 512

/// Of each row of `a`, the sum of its kernel with all rows of `b`.
private func kernelRowSums(_ a: some FeatureRows, _ b: some FeatureRows) -> [Double] {
    var sums = [Double](repeating: 0, count: a.rows)
    forEachKernelBlock(a, b) { rows, columns, values in
        for i in 0..<rows.count {
            var sum = 0.0
            for j in 0..<columns.count { sum += values[i * columns.count + j] }
            sums[rows.lowerBound + i] += sum
        }
    }
    return sums
}

/// Of each row, the sum of its kernel with all other rows; each pair is worked out once.
private func kernelRowSums(_ a: some FeatureRows) -> [Double] {
    var sums = [Double](repeating: 0, count: a.rows)
    forEachKernelBlock(a, a, upperOnly: true) { rows, columns, values in
        let isDiagonal = rows == columns
        for i in 0..<rows.count {
            for j in (isDiagonal ? i + 1 : 0)..<columns.count {
                let value = values[i * columns.count + j]
                sums[rows.lowerBound + i] += value
                sums[columns.lowerBound + j] += value
            }
        }
    }
    return sums
}

/// Calls `body` with the kernel of blocks of rows of both sets, [rows.count, columns.count].
private func forEachKernelBlock(
    _ a: some FeatureRows, _ b: some FeatureRows, upperOnly: Bool = false,
    _ body: (Range<Int>, Range<Int>, UnsafeMutablePointer<Double>) -> Void
) {
    let d = a.columns
    let values = UnsafeMutablePointer<Double>.allocate(capacity: blockRows * blockRows)
    defer { values.deallocate() }
    let scale = 1 / Double(d)
    a.forEachBlock(of: blockRows) { rows, first in
        b.forEachBlock(of: blockRows, from: upperOnly ? rows.lowerBound : 0) { columns, second in
            multiply(into: values, first.baseAddress!, transposed: second.baseAddress!, m: rows.count, n: columns.count, k: d)
            for i in 0..<rows.count * columns.count {
                let base = values[i] * scale + 1
                values[i] = base * base * base
            }
            body(rows, columns, values)
        }
    }
}
