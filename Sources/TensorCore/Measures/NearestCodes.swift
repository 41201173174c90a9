/// Codes of points [..., z] whose channels are quantized one by one: channel i has `levels[i]` values, and code k the value
/// number (k / Π_{j<i} levelsⱼ) mod levelsᵢ in channel i. No code is compared.
public enum ProductQuantization {
    /// Two levels: the second where a number is positive.
    case signs
    /// The nearest of the levels −⌊L/2⌋ … in units of 1/⌊L/2⌋; ties to even.
    case grid

    public func codes(of points: Tensor, levels: [Int]) -> TokenTensor {
        let width = levels.count
        require(points.width == width, "\(width) channels of levels for points \(points.shape)")
        if let program = Program.tracing(points) { return program.codes(of: points, levels: levels, self) }
        let ids = (0..<points.rows).map { row -> Int32 in
            var (id, place) = (0, 1)
            for channel in 0..<width {
                id += place * level(of: points.pointer[row * width + channel], levels[channel])
                place *= levels[channel]
            }
            return Int32(id)
        }
        return TokenTensor(ids, shape: Array(points.shape.dropLast()))
    }

    private func level(of z: Float, _ levels: Int) -> Int {
        switch self {
        case .signs: return z > 0 ? 1 : 0
        case .grid:
            let unit = levels / 2
            return max(0, min(levels - 1, Int((z * Float(unit)).rounded(.toNearestOrEven)) + unit))
        }
    }
}
