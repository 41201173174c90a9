import Files

/// Rows of features that the measures read block by block, always in float64.
public protocol FeatureRows: Sendable {
    var rows: Int { get }
    var columns: Int { get }

    /// Writes the given rows to `target`, [range.count, columns] row-major.
    func copy(rows range: Range<Int>, into target: UnsafeMutablePointer<Double>)
}

/// Features of many images, [rows, columns] row-major in float32, as networks produce them.
public struct FeatureMatrix: FeatureRows, Equatable {
    public let rows: Int
    public let columns: Int
    public let values: [Float]

    public init(rows: Int, columns: Int, values: [Float]) {
        precondition(
            rows >= 0 && columns >= 0 && values.count == rows * columns,
            "\(values.count) values do not fill a [\(rows), \(columns)] feature matrix")
        self.rows = rows
        self.columns = columns
        self.values = values
    }

    public func copy(rows range: Range<Int>, into target: UnsafeMutablePointer<Double>) {
        checkRange(range)
        values.withUnsafeBufferPointer { source in
            let (start, count) = (range.lowerBound * columns, range.count * columns)
            for i in 0..<count { target[i] = Double(source[start + i]) }
        }
    }

    /// The rows with these indices, in this order.
    public func selecting(_ indices: [Int]) -> FeatureMatrix {
        var result: [Float] = []
        result.reserveCapacity(indices.count * columns)
        for index in indices {
            precondition(index >= 0 && index < rows, "row \(index) of a matrix of \(rows) rows")
            result += values[index * columns..<(index + 1) * columns]
        }
        return FeatureMatrix(rows: indices.count, columns: columns, values: result)
    }
}

/// Features held in float64, as stored reference values come, [rows, columns] row-major.
public struct DoubleFeatureMatrix: FeatureRows, Equatable {
    public let rows: Int
    public let columns: Int
    public let values: [Double]

    public init(rows: Int, columns: Int, values: [Double]) {
        precondition(
            rows >= 0 && columns >= 0 && values.count == rows * columns,
            "\(values.count) values do not fill a [\(rows), \(columns)] feature matrix")
        self.rows = rows
        self.columns = columns
        self.values = values
    }

    public func copy(rows range: Range<Int>, into target: UnsafeMutablePointer<Double>) {
        checkRange(range)
        values.withUnsafeBufferPointer { source in
            let (start, count) = (range.lowerBound * columns, range.count * columns)
            for i in 0..<count { target[i] = source[start + i] }
        }
    }

    /// The rows with these indices, in this order.
    public func selecting(_ indices: [Int]) -> DoubleFeatureMatrix {
        var result: [Double] = []
        result.reserveCapacity(indices.count * columns)
        for index in indices {
            precondition(index >= 0 && index < rows, "row \(index) of a matrix of \(rows) rows")
            result += values[index * columns..<(index + 1) * columns]
        }
        return DoubleFeatureMatrix(rows: indices.count, columns: columns, values: result)
    }
}

extension FeatureRows {
    func checkRange(_ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of \(rows)")
    }

    public func requireFinite() throws { try requireFinite(called: "feature") }

    /// Throws `InputError` naming the first entry that is not finite.
    ///
    /// - Parameters:
    ///   - name: of the whole matrix.
    ///   - first: the number of the first row in the whole of which this is a part.
    public func requireFinite(called name: String, from first: Int = 0) throws {
        try forEachBlock(of: 1024) { range, block in
            try Evaluation.requireFinite(
                block, rows: first + range.lowerBound..<first + range.upperBound, columns: columns, called: name)
        }
    }

    /// Calls `body` with blocks of at most `size` rows, from row `first` to the last: the rows' range and their values,
    /// [range.count, columns]. The buffer has room for `spare` more rows after them.
    func forEachBlock(
        of size: Int, from first: Int = 0, spare: Int = 0, _ body: (Range<Int>, UnsafeMutableBufferPointer<Double>) throws -> Void
    ) rethrows {
        let buffer = UnsafeMutableBufferPointer<Double>.allocate(capacity: max(1, (min(size, rows) + spare) * columns))
        defer { buffer.deallocate() }
        for start in stride(from: first, to: rows, by: size) {
            let range = start..<min(start + size, rows)
            copy(rows: range, into: buffer.baseAddress!)
            try body(range, buffer)
        }
    }
}

/// Throws an error naming the first entry that is not finite; `block` holds `rows`, each of `columns` values.
func requireFinite(
    _ block: UnsafeMutableBufferPointer<Double>, rows: Range<Int>, columns: Int, called name: String = "feature"
) throws {
    let count = rows.count * columns
    // Zero times anything finite is zero; one sum is faster than a branch for each entry.
    var zero = 0.0
    for i in 0..<count { zero += block[i] * 0 }
    if zero == 0 { return }
    for i in 0..<count where !block[i].isFinite {
        throw InputError(
            "\(name) row \(rows.lowerBound + i / columns), column \(i % columns) is \(block[i]); expected a finite number")
    }
}
