/// Traced forms of `InPlace.swift`.
extension Program {
    /// The next value of an average.
    func movedAverage(_ average: Tensor, towards target: Tensor, times scale: Float, rate: Float) -> Tensor {
        require(target.count == average.count, "moveAverage: shapes \(average.shape) and \(target.shape) differ")
        let (kept, next) = (node(average), node(target).reshaped(average.shape))
        return Tensor(kept + Double(rate) * (Double(scale) * next - kept))
    }
}
