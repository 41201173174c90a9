/// Some rows of a set of features, in an order of their own; nothing is copied.
struct SelectedRows<Base: FeatureRows>: FeatureRows {
    let base: Base
    let indices: [Int]

    init(_ indices: [Int], of base: Base) { (self.base, self.indices) = (base, indices) }

    var rows: Int { indices.count }
    var columns: Int { base.columns }

    func copy(rows range: Range<Int>, into target: UnsafeMutablePointer<Double>) {
        checkRange(range)
        for (place, index) in indices[range].enumerated() { base.copy(rows: index..<index + 1, into: target + place * columns) }
    }
}
