/// p-values adjusted for their number by Holm's step-down method (1979): one that is at most 0.05 afterwards is significant
/// with a chance of 5 % that any of them is by accident, whatever they have to do with one another.
public func holmAdjusted(_ pValues: [Double]) -> [Double] {
    precondition(pValues.allSatisfy { (0...1).contains($0) }, "p-values \(pValues)")
    var adjusted = pValues
    var largest = 0.0
    for (rank, place) in pValues.indices.sorted(by: { pValues[$0] < pValues[$1] }).enumerated() {
        largest = max(largest, min(1, Double(pValues.count - rank) * pValues[place]))
        adjusted[place] = largest
    }
    return adjusted
}
