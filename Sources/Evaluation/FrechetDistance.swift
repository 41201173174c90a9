import COpenBLAS
import Files

/// Fréchet distance (squared 2-Wasserstein distance) between two Gaussians, in float64:
/// |μ₁ − μ₂|² + tr S₁ + tr S₂ − 2·tr (S₁S₂)^½.
///
/// With S = A·Aᵀ the last trace is the sum of the singular values of A₁ᵀA₂, which needs no root of a matrix. They are
/// taken as roots of the eigenvalues of a symmetric matrix, several times as fast, where the digits that small ones lose by that
/// stay below a 10⁻⁹th of the traces. A is a pivoted Cholesky factor cut at the numerical rank, so samples fewer than
/// dimensions make the problem smaller instead of singular. A covariance that was rounded to float32 may have small negative
/// eigenvalues, which are taken as 0.
///
/// Throws `InputError` if the dimensions differ, an entry is not finite, or a covariance is not positive semidefinite up
/// to the rounding of float32.
public func frechetDistance(_ a: Gaussian, _ b: Gaussian) throws -> Double {
    guard a.dimensions == b.dimensions else {
        throw InputError("features of \(a.dimensions) and of \(b.dimensions) dimensions cannot be compared")
    }
    let d = a.dimensions
    var distance = 0.0
    for i in 0..<d {
        let step = a.mean[i] - b.mean[i]
        distance += step * step
        distance += a.covariance[i * d + i] + b.covariance[i * d + i]
    }
    let (rootA, rankA) = try semidefiniteFactor(a.covariance, dimensions: d)
    let (rootB, rankB) = try semidefiniteFactor(b.covariance, dimensions: d)
    if rankA > 0 && rankB > 0 {
        // The longer side first: what is left is a problem of the shorter one.
        let ((long, m), (short, n)) = rankA >= rankB ? ((rootA, rankA), (rootB, rankB)) : ((rootB, rankB), (rootA, rankA))
        var product = [Double](repeating: 0, count: m * n)
        multiply(into: &product, long, transposed: short, m: m, n: n, k: d)
        let traces = (0..<d).reduce(0) { $0 + a.covariance[$1 * d + $1] + b.covariance[$1 * d + $1] }
        distance -=
            try 2
            * (singularValueSum(product, rows: m, columns: n, allowedError: 1e-9 * traces)
                ?? singularValues(product, rows: m, columns: n).reduce(0, +))
    }
    guard distance.isFinite else {
        throw InputError("the Fréchet distance overflows float64: the features are too large")
    }
    // Rounding may leave a distance of equal distributions a hair below zero.
    return max(0, distance)
}

/// The distance between the feature distributions that two sets of rows were drawn from.
///
/// ```swift
/// var (real, drawn) = (FeatureStatistics(columns: 128), FeatureStatistics(columns: 128))
/// for batch in batches { try real.add(batch) }
/// for batch in others { try drawn.add(batch) }
/// let fid = try frechetDistance(real, drawn)
/// ```
///
/// Throws `InputError` as above, and if a set has fewer than two rows.
public func frechetDistance(_ a: FeatureStatistics, _ b: FeatureStatistics) throws -> Double {
    try frechetDistance(a.gaussian(), b.gaussian())
}

/// Aᵀ for a factor A of a positive semidefinite S = A·Aᵀ, [rank, dimensions] row-major.
private func semidefiniteFactor(_ matrix: [Double], dimensions d: Int) throws -> (factor: [Double], rank: Int) {
    let trace = (0..<d).reduce(0) { $0 + matrix[$1 * d + $1] }
    let (factor, rank) = pivotedCholesky(matrix, dimensions: d)
    let explained = factor.reduce(0) { $0 + $1 * $1 }
    // Of a covariance summed in float64 the factor explains the whole trace; one rounded to float32 may have negative eigenvalues.
    return abs(trace - explained) <= 1e-9 * abs(trace) ? (factor, rank) : try spectralFactor(matrix, dimensions: d)
}

/// The factor of the nearest positive semidefinite matrix, by eigenvectors: negative eigenvalues become 0.
///
/// Throws `InputError` where one is larger than rounding to float32 can make it.
private func spectralFactor(_ matrix: [Double], dimensions d: Int) throws -> (factor: [Double], rank: Int) {
    var vectors = matrix
    let values = try symmetricEigenvectors(&vectors, size: d)
    let largest = values.reduce(0) { max($0, abs($1)) }
    // An eigenvalue moves by no more than the norm of the matrix's error, whose d² entries are float32's of the largest one;
    // few dimensions get the room that the sums over many images need.
    let allowed = Double(max(d, 64)) * Double(Float.ulpOfOne) * largest
    if let smallest = values.first, smallest < -allowed {
        throw InputError(
            "a covariance is not positive semidefinite: it has an eigenvalue of \(smallest), the largest one being "
                + "\(values.last ?? 0); rounding to float32 explains one down to \(-allowed)")
    }
    let kept = values.indices.filter { values[$0] > 0 }
    var factor: [Double] = []
    factor.reserveCapacity(kept.count * d)
    for row in kept {
        let scale = values[row].squareRoot()
        factor += vectors[row * d..<(row + 1) * d].lazy.map { $0 * scale }
    }
    return (factor, kept.count)
}

/// Aᵀ for A·Aᵀ = S as far as S has pivots above 0, [rank, dimensions] row-major, by Cholesky with full pivoting.
private func pivotedCholesky(_ matrix: [Double], dimensions d: Int) -> (factor: [Double], rank: Int) {
    var lower = matrix
    var pivots = [Int32](repeating: 0, count: d)
    var work = [Double](repeating: 0, count: 2 * d)
    var n = Int32(d), rank: Int32 = 0, info: Int32 = 0
    // A negative tolerance means dimensions · machine epsilon · largest diagonal entry.
    var tolerance = -1.0
    dpstrf_("L", &n, &lower, &n, &pivots, &rank, &tolerance, &work, &info)
    precondition(info >= 0, "dpstrf: argument \(-info) is invalid")

    // LAPACK's column j is our row j; row i of L belongs to dimension pivots[i].
    var factor = [Double](repeating: 0, count: Int(rank) * d)
    factor.withUnsafeMutableBufferPointer { factor in
        lower.withUnsafeBufferPointer { lower in
            for j in 0..<Int(rank) {
                for i in j..<d { factor[j * d + Int(pivots[i]) - 1] = lower[j * d + i] }
            }
        }
    }
    return (factor, Int(rank))
}

/// Sum of the singular values of a [rows, columns] matrix P as roots of the eigenvalues of PᵀP, or nil where rounding
/// may change it by more than `allowedError`: an eigenvalue λ is known to a few machine epsilons of the largest one, its
/// root to that over √λ.
private func singularValueSum(_ matrix: [Double], rows: Int, columns: Int, allowedError: Double) throws -> Double? {
    var gram = [Double](repeating: 0, count: columns * columns)
    addOuterProducts(of: matrix, count: rows, columns: columns, to: &gram)
    let trace = (0..<columns).reduce(0) { $0 + gram[$1 * columns + $1] }
    // Squares of very large or small features leave the range of float64.
    guard trace.isFinite, trace > 1e-280 else { return nil }
    let eigenvalues = try symmetricEigenvalues(&gram, size: columns)
    let uncertainty = 8 * Double.ulpOfOne * (eigenvalues.last ?? 0)
    var (sum, error) = (0.0, 0.0)
    for value in eigenvalues {
        let root = max(0, value).squareRoot()
        sum += root
        error += min(uncertainty / root, (2 * uncertainty).squareRoot())
    }
    return error <= allowedError ? sum : nil
}

/// Singular values of a [rows, columns] matrix, largest first.
private func singularValues(_ matrix: [Double], rows: Int, columns: Int) throws -> [Double] {
    var a = matrix
    var m = Int32(columns), n = Int32(rows), one: Int32 = 1, info: Int32 = 0
    var values = [Double](repeating: 0, count: min(rows, columns))
    var integers = [Int32](repeating: 0, count: 8 * values.count)
    var unused = 0.0, unusedToo = 0.0, wanted = 0.0
    var size: Int32 = -1
    dgesdd_("N", &m, &n, &a, &m, &values, &unused, &one, &unusedToo, &one, &wanted, &size, &integers, &info)
    size = Int32(wanted)
    var work = [Double](repeating: 0, count: Int(size))
    dgesdd_("N", &m, &n, &a, &m, &values, &unused, &one, &unusedToo, &one, &work, &size, &integers, &info)
    guard info == 0 else {
        throw InputError("the singular values of a [\(rows), \(columns)] matrix did not converge (dgesdd: \(info))")
    }
    return values
}
