import Files

/// Improved precision and recall (Kynkäänniemi et al. 2019) on k-nearest-neighbour balls, as method §6.3 fixes them:
/// squared Euclidean distances, a ball reaches to the k-th neighbour within its own set (the point itself excluded),
/// and its boundary belongs to it.
public struct PrecisionRecall: Sendable, Equatable {
    /// Share of samples inside at least one reference ball.
    public let precision: Double
    /// Share of reference points inside at least one sample ball.
    public let recall: Double

    /// - Parameters:
    ///   - reference: [n, dimensions].
    ///   - samples: [m, dimensions].
    ///   - neighbours: k.
    ///   - blockRows: rows compared at a time; memory is blockRows·(blockRows + 2·dimensions) numbers.
    /// - Throws: `InputError` if dimensions differ, an entry is not finite, or a set has no k-th neighbour.
    public init(
        reference: some FeatureRows, samples: some FeatureRows, neighbours: Int = 3, blockRows: Int = 1024
    ) throws {
        precondition(neighbours > 0 && blockRows > 0, "neighbours \(neighbours), blockRows \(blockRows)")
        guard reference.columns == samples.columns else {
            throw InputError("features of \(reference.columns) and of \(samples.columns) dimensions cannot be compared")
        }
        for (name, rows) in [("reference", reference.rows), ("samples", samples.rows)] where rows <= neighbours {
            throw InputError("\(rows) \(name) have no neighbour number \(neighbours); expected at least \(neighbours + 1)")
        }
        let centre = try FeatureStatistics.mean(of: reference)
        _ = try FeatureStatistics.mean(of: samples)
        let pairs = DistanceBlocks(centre: centre, blockRows: blockRows)
        let referenceRadii = pairs.radii(reference, neighbours: neighbours)
        let sampleRadii = pairs.radii(samples, neighbours: neighbours)

        var sampleIsInside = [Bool](repeating: false, count: samples.rows)
        var referenceIsInside = [Bool](repeating: false, count: reference.rows)
        pairs.forEach(samples, reference) { block in
            referenceIsInside.withUnsafeMutableBufferPointer { referenceIsInside in
                referenceRadii.withUnsafeBufferPointer { referenceRadii in
                    for i in 0..<block.rows.count {
                        let s = block.rows.lowerBound + i
                        let own = sampleRadii[s]
                        var isInside = sampleIsInside[s]
                        for j in 0..<block.columns.count {
                            let r = block.columns.lowerBound + j
                            if !isInside { isInside = block.isWithin(i, j, referenceRadii[r]) }
                            if !referenceIsInside[r] { referenceIsInside[r] = block.isWithin(i, j, own) }
                        }
                        sampleIsInside[s] = isInside
                    }
                }
            }
        }
        precision = Double(sampleIsInside.count { $0 }) / Double(samples.rows)
        recall = Double(referenceIsInside.count { $0 }) / Double(reference.rows)
    }
}

/// Squared distances between the rows of two sets, a block at a time.
///
/// A matrix product gives them all fast but rounds differently from pair to pair. Where rounding could decide a
/// comparison, the pair's distance is summed directly, so ties are ties.
private struct DistanceBlocks {
    /// Subtracted from every row: distances stay, and a common offset cannot swallow their digits.
    let centre: [Double]
    let blockRows: Int

    struct Block {
        let rows: Range<Int>
        let columns: Range<Int>
        let dimensions: Int
        let a: UnsafePointer<Double>
        let b: UnsafePointer<Double>
        let normsA: UnsafePointer<Double>
        let normsB: UnsafePointer<Double>
        /// a·bᵀ
        let products: UnsafePointer<Double>

        func approximate(_ i: Int, _ j: Int) -> Double {
            normsA[i] + normsB[j] - 2 * products[i * columns.count + j]
        }

        /// Far above the rounding error of the product form, far below any difference that matters.
        func doubt(_ i: Int, _ j: Int) -> Double { 1e-11 * (normsA[i] + normsB[j]) }

        func exact(_ i: Int, _ j: Int) -> Double {
            squaredDistance(a + i * dimensions, b + j * dimensions, dimensions)
        }

        func isWithin(_ i: Int, _ j: Int, _ radius: Double) -> Bool {
            let excess = approximate(i, j) - radius
            return abs(excess) > doubt(i, j) ? excess < 0 : exact(i, j) <= radius
        }
    }

    /// Calls `body` for all pairs of blocks of both sets, those of one block of the first after one another.
    ///
    /// - Parameter upperOnly: leaves out blocks of the second set before the first's.
    func forEach(
        _ first: some FeatureRows, _ second: some FeatureRows, upperOnly: Bool = false, _ body: (Block) -> Void
    ) {
        let d = centre.count
        let room = UnsafeMutableBufferPointer<Double>.allocate(capacity: blockRows * blockRows + 2 * blockRows)
        defer { room.deallocate() }
        let products = room.baseAddress!
        let normsA = products + blockRows * blockRows
        let normsB = normsA + blockRows
        first.forEachBlock(of: blockRows) { rows, a in
            prepare(a.baseAddress!, rows.count, norms: normsA)
            second.forEachBlock(of: blockRows, from: upperOnly ? rows.lowerBound : 0) { columns, b in
                prepare(b.baseAddress!, columns.count, norms: normsB)
                multiply(
                    into: products, a.baseAddress!, transposed: b.baseAddress!, m: rows.count, n: columns.count, k: d)
                body(
                    Block(
                        rows: rows, columns: columns, dimensions: d, a: a.baseAddress!, b: b.baseAddress!, normsA: normsA,
                        normsB: normsB, products: products))
            }
        }
    }

    private func prepare(_ block: UnsafeMutablePointer<Double>, _ rows: Int, norms: UnsafeMutablePointer<Double>) {
        let d = centre.count
        centre.withUnsafeBufferPointer { centre in
            for r in 0..<rows {
                let row = block + r * d
                var sum = 0.0
                for j in 0..<d {
                    row[j] -= centre[j]
                    sum += row[j] * row[j]
                }
                norms[r] = sum
            }
        }
    }

    /// Squared distance of every row to its k-th nearest other row.
    func radii(_ points: some FeatureRows, neighbours k: Int) -> [Double] {
        // The k nearest so far of each row, nearest first: by the product form, and summed directly.
        var nearest = [Double](repeating: .infinity, count: points.rows * k)
        var direct = nearest
        nearest.withUnsafeMutableBufferPointer { nearest in
            direct.withUnsafeMutableBufferPointer { direct in
                func offer(_ distance: Double, _ exact: @autoclosure () -> Double, to row: Int) {
                    let list = row * k
                    guard distance < nearest[list + k - 1] else { return }
                    var place = list + k - 1
                    while place > list && distance < nearest[place - 1] {
                        nearest[place] = nearest[place - 1]
                        direct[place] = direct[place - 1]
                        place -= 1
                    }
                    nearest[place] = distance
                    direct[place] = exact()
                }
                // A pair serves both of its rows.
                forEach(points, points, upperOnly: true) { block in
                    for i in 0..<block.rows.count {
                        let row = block.rows.lowerBound + i
                        for j in 0..<block.columns.count {
                            let other = block.columns.lowerBound + j
                            guard other > row else { continue }
                            let distance = block.approximate(i, j)
                            offer(distance, block.exact(i, j), to: row)
                            offer(distance, block.exact(i, j), to: other)
                        }
                    }
                }
            }
        }
        return (0..<points.rows).map { row in direct[row * k..<(row + 1) * k].max() ?? .infinity }
    }
}

private func squaredDistance(_ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, _ d: Int) -> Double {
    var sum = 0.0
    for j in 0..<d {
        let step = a[j] - b[j]
        sum += step * step
    }
    return sum
}
