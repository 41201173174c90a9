/// `parts` disjoint sets of the rows 0..<count, all rows together, with as many of every stratum in each as can be.
///
/// - Parameters:
///   - strata: the stratum of each row; nil: there are none.
///   - order: in which rows are dealt out.
func balancedParts(_ parts: Int, of count: Int, strata: [Int]?, order: [Int]? = nil) -> [[Int]] {
    var result = [[Int]](repeating: [], count: parts)
    for (place, row) in arranged(order ?? Array(0..<count), by: strata).enumerated() { result[place % parts].append(row) }
    return result.map { $0.sorted() }
}

/// The rows of `order` stratum after stratum, in each as they come.
func arranged(_ order: [Int], by strata: [Int]?) -> [Int] {
    guard let strata else { return order }
    return Dictionary(grouping: order) { strata[$0] }.sorted { $0.key < $1.key }.flatMap(\.value)
}
