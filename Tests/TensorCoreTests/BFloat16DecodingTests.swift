import CKernels
import TensorCore
import Testing

/// One query a head against a cache that grew token by token, with every set of instructions that there is.
@Suite struct BFloat16DecodingTests {
    /// Lengths on both sides of a group of 16, widths that are whole groups of channels and that are not. What no token has
    /// been put into is NaN, which must not show.
    @Test(arguments: InstructionSet.supported, [(heads: 1, width: 2), (heads: 2, width: 12), (heads: 3, width: 64), (heads: 2, width: 72)])
    func attentionIsThatOfDoublePrecision(set: InstructionSet, size: (heads: Int, width: Int)) {
        set.limit { checkAttention(size.heads, size.width) }
    }

    private func checkAttention(_ heads: Int, _ width: Int) {
        let (longest, capacity) = (49, 64)
        let row = heads * width
        let slices = (width + 15) / 16
        var keys = [UInt32](repeating: 0x7fc0_7fc0, count: capacity * row / 2)
        var values = [UInt32](repeating: 0x7fc0_7fc0, count: capacity * heads * slices * 8)
        let newKeys = rounded(random([longest, row], "keys"))
        let newValues = rounded(random([longest, row], "values"))
        var worst = 0.0
        for length in 1...longest {
            let token = (length - 1) * row
            bf16_cache_token(
                &keys, &values, Array(newKeys[token..<token + row]), Array(newValues[token..<token + row]), length - 1, heads,
                width)
            let q = rounded(random([row], "query \(length)"))
            let scale = 3 / Float(width).squareRoot()
            var y = [bfloat16](repeating: 0x7fc0, count: row)
            var scores = [Float](repeating: .nan, count: heads * (capacity + slices * 16))
            var weights = [bfloat16](repeating: 0x7fc0, count: heads * capacity)
            bf16_attention_decode(&y, &scores, &weights, q, keys, values, scale, length, heads, width, capacity)
            for head in 0..<heads {
                let channels = (0..<width).map { head * width + $0 }
                let exact = Naive.softmax(
                    (0..<length).map { t in channels.reduce(0) { $0 + wide(q[$1]) * wide(newKeys[t * row + $1]) } },
                    scale: Double(scale))
                for channel in channels {
                    let expected = exact.indices.reduce(0) { $0 + exact[$1] * wide(newValues[$1 * row + channel]) }
                    let error = abs(wide(y[channel]) - expected)
                    worst = max(worst, error.isNaN ? .infinity : error)
                }
            }
        }
        // Weights and the result are rounded to 8 bits; values are of size 1.
        #expect(worst < 0.02)
    }

    private func rounded(_ x: Tensor) -> [bfloat16] {
        var result = [bfloat16](repeating: 0, count: x.count)
        bf16_round(&result, x.count, x.values, x.count, 1, x.count, x.count)
        return result
    }

    private func wide(_ x: bfloat16) -> Double { Double(Float(bitPattern: UInt32(x) << 16)) }
}
