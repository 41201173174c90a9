/// Features that are mostly zeros: every row has a one in a few columns, such as one per token, [rows, columns].
///
/// Only the ones are kept. A regression on them gathers rows of its weights and scatters its gradient instead of
/// multiplying with zeros, so that 49 tokens of 512 codes (25 088 columns) cost no more than 49 numbers a row.
public struct OneHotMatrix: RegressionRows, Equatable {
    public let rows: Int
    public let columns: Int
    /// Ones in a row.
    public let ones: Int
    /// Their columns, [rows, ones] row-major.
    public let places: [Int32]

    /// - Parameter places: columns of the ones, [rows, ones] row-major, different ones within a row.
    public init(columns: Int, ones: Int, places: [Int32]) {
        precondition(ones > 0 && places.count % ones == 0, "\(places.count) places are no whole rows of \(ones)")
        precondition(places.allSatisfy { $0 >= 0 && $0 < columns }, "a place outside 0..<\(columns)")
        rows = places.count / ones
        (self.columns, self.ones, self.places) = (columns, ones, places)
    }

    public func copy(rows range: Range<Int>, into target: UnsafeMutablePointer<Double>) {
        checkRange(range)
        target.update(repeating: 0, count: range.count * columns)
        for (row, source) in range.enumerated() {
            for one in 0..<ones { target[row * columns + Int(places[source * ones + one])] = 1 }
        }
    }

    /// Always finite: the entries are ones and zeros.
    public func requireFinite() {}

    public func selecting(_ indices: [Int]) -> OneHotMatrix {
        var chosen: [Int32] = []
        chosen.reserveCapacity(indices.count * ones)
        for index in indices {
            precondition(index >= 0 && index < rows, "row \(index) of a matrix of \(rows) rows")
            chosen += places[index * ones..<(index + 1) * ones]
        }
        return OneHotMatrix(columns: columns, ones: ones, places: chosen)
    }

    /// A column of ones and zeros has the share of ones p as mean and √(p(1 − p)) as deviation.
    public func standardisation(scaling: Bool) -> Standardisation {
        var counts = [Int](repeating: 0, count: columns)
        for place in places { counts[Int(place)] += 1 }
        return Standardisation(
            mean: counts.map { Double($0) / Double(max(1, rows)) },
            scale: counts.map { count in
                guard scaling, count > 0, count < rows else { return 1 }
                let share = Double(count) / Double(rows)
                return 1 / (share * (1 - share)).squareRoot()
            })
    }

    public func design(_ standardisation: Standardisation) -> OneHotDesign {
        OneHotDesign(matrix: self, standardisation: standardisation)
    }
}

/// Standardised one-hot rows that are never written out: with u = weights · scale, the score Σ w·(x − mean)·scale of a row
/// is the sum of u over its ones less Σ u·mean, which is the same for all rows.
public struct OneHotDesign: RegressionDesign {
    let matrix: OneHotMatrix
    let standardisation: Standardisation
    public var rows: Int { matrix.rows }
    public var columns: Int { matrix.columns }
    private static let blockRows = 1024

    /// The columns are many, and hardly correlated.
    public func secondMoments() -> [Double]? { nil }

    public func forEachBlock(
        _ parameters: [Float], classes: Int, gradient: UnsafeMutablePointer<Double>?,
        _ body: (Range<Int>, UnsafeMutablePointer<Float>) -> Void
    ) {
        let (d, ones) = (columns, matrix.ones)
        // [columns, classes]: what belongs to a column is in one place.
        var scaled = [Float](repeating: 0, count: d * classes)
        var offsets = [Double](repeating: 0, count: classes)
        for c in 0..<classes {
            var shift = 0.0
            for j in 0..<d {
                let value = Double(parameters[c * d + j]) * standardisation.scale[j]
                scaled[j * classes + c] = Float(value)
                shift += value * standardisation.mean[j]
            }
            offsets[c] = Double(parameters[classes * d + c]) - shift
        }
        var gathered = [Float](repeating: 0, count: gradient == nil ? 0 : d * classes)
        var residualSums = [Double](repeating: 0, count: classes)
        var scores = [Float](repeating: 0, count: Self.blockRows * classes)
        matrix.places.withUnsafeBufferPointer { places in
            scaled.withUnsafeBufferPointer { scaled in
                gathered.withUnsafeMutableBufferPointer { gathered in
                    scores.withUnsafeMutableBufferPointer { scores in
                        for start in stride(from: 0, to: rows, by: Self.blockRows) {
                            let range = start..<min(rows, start + Self.blockRows)
                            for (r, row) in range.enumerated() {
                                for c in 0..<classes { scores[r * classes + c] = Float(offsets[c]) }
                                for one in row * ones..<(row + 1) * ones {
                                    let column = Int(places[one]) * classes
                                    for c in 0..<classes { scores[r * classes + c] += scaled[column + c] }
                                }
                            }
                            body(range, scores.baseAddress!)
                            guard gradient != nil else { continue }
                            for (r, row) in range.enumerated() {
                                for one in row * ones..<(row + 1) * ones {
                                    let column = Int(places[one]) * classes
                                    for c in 0..<classes { gathered[column + c] += scores[r * classes + c] }
                                }
                                for c in 0..<classes { residualSums[c] += Double(scores[r * classes + c]) }
                            }
                        }
                    }
                }
            }
        }
        guard let gradient else { return }
        for c in 0..<classes {
            for j in 0..<d {
                gradient[c * d + j] +=
                    standardisation.scale[j]
                    * (Double(gathered[j * classes + c]) - standardisation.mean[j] * residualSums[c])
            }
        }
    }
}
