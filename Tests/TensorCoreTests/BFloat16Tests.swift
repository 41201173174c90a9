import CKernels
import Foundation
import TensorCore
import TestSupport
import Testing

/// The kernels of bfloat16, with every set of instructions that there is.
@Suite struct BFloat16Tests {
    private func rounded(_ values: [Float]) -> [bfloat16] {
        var result = [bfloat16](repeating: 0, count: values.count)
        bf16_round(&result, values.count, values, values.count, 1, values.count, values.count)
        return result
    }

    private func widened(_ values: [bfloat16]) -> [Double] { values.map { Double(Float(bitPattern: UInt32($0) << 16)) } }

    /// Ties, subnormals, the largest numbers, infinities and NaN, and random ones.
    @Test(.enabled(if: pythonHasTorch)) func roundingIsThatOfPyTorch() throws {
        let special: [UInt32] = [
            0, 0x8000_0000, 0x3f80_8000, 0x3f81_8000, 0x3f80_8001, 0x3f80_7fff, 1, 0x8000_8000, 0x7f7f_ffff, 0x7f7f_7fff,
            0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0x7f80_0001, 0xffff_ffff,
        ]
        var stream = RandomStream(seed: 1, "bits")
        let bits = special + (0..<1001).map { _ in stream.nextBits() }
        let ours = rounded(bits.map { Float(bitPattern: $0) })
        let printed = try python(
            """
            import torch, struct
            bits = \(bits)
            x = torch.tensor([b if b < 2**31 else b - 2**32 for b in bits], dtype=torch.int32).view(torch.float32)
            print(*[v & 0xffff for v in x.to(torch.bfloat16).view(torch.int16).tolist()])
            """)
        let theirs = printed.split(whereSeparator: \.isWhitespace).compactMap { UInt16($0) }
        #expect(theirs.count == ours.count)
        for (i, (a, b)) in zip(ours, theirs).enumerated() {
            let bothNaN = a & 0x7fff > 0x7f80 && b & 0x7fff > 0x7f80
            #expect(a == b || bothNaN, "\(String(bits[i], radix: 16)): \(a), PyTorch \(b)")
        }
    }

    /// m×k·(n×k)ᵀ, m×k·k×n and aᵀ·b in odd sizes, against sums in double precision.
    @Test(arguments: InstructionSet.supported, [(1, 1, 1), (7, 3, 5), (6, 64, 64), (13, 65, 31), (97, 130, 258), (48, 17, 513)])
    func productsAreThoseOfDoublePrecision(set: InstructionSet, size: (m: Int, n: Int, k: Int)) {
        set.limit { checkProducts(size.m, size.n, size.k) }
    }

    private func checkProducts(_ m: Int, _ n: Int, _ k: Int) {
        let even = (k + 1) / 2 * 2
        var a = [bfloat16](repeating: 0, count: m * even)
        let left = random([m, k], "a").values
        bf16_round(&a, even, left, k, m, k, even)
        let b = rounded(random([n, k], "b").values)
        let bias = random([n], "bias").values
        let (wideA, wideB) = (widened(a), widened(b))

        // Panels of both kinds: columns of B as rows of b, and, from b turned over, as columns.
        var turnedOver = [bfloat16](repeating: 0, count: n * k)
        for j in 0..<n { for i in 0..<k { turnedOver[i * n + j] = b[j * k + i] } }
        let panels = (n + 63) / 64
        let size = (k + 1) / 2 * 64
        for byColumns in [true, false] {
            var packed = [UInt32](repeating: .max, count: panels * size)
            for panel in 0..<panels {
                let (first, count) = (panel * 64, min(64, n - panel * 64))
                packed.withUnsafeMutableBufferPointer { packed in
                    if byColumns {
                        b.withUnsafeBufferPointer {
                            bf16_pack_columns(packed.baseAddress! + panel * size, $0.baseAddress! + first * k, k, count, k)
                        }
                    } else {
                        turnedOver.withUnsafeBufferPointer {
                            bf16_pack_rows(packed.baseAddress! + panel * size, $0.baseAddress! + first, n, k, count)
                        }
                    }
                }
            }
            var c = [Float](repeating: 0, count: m * n)
            var c16 = [bfloat16](repeating: 0, count: m * n)
            a.withUnsafeBytes { a in
                var operands = bf16_product_operands()
                operands.a = a.bindMemory(to: UInt32.self).baseAddress!
                (operands.a_row, operands.a_pair, operands.b_pair, operands.b_panel) = (even / 2, 1, 64, size)
                operands.c_row = n
                packed.withUnsafeBufferPointer { packed in
                    bias.withUnsafeBufferPointer { bias in
                        (operands.b, operands.bias) = (packed.baseAddress!, bias.baseAddress!)
                        c.withUnsafeMutableBufferPointer {
                            operands.c = $0.baseAddress!; bf16_product(operands, m, n, even / 2)
                        }
                        operands.c = nil
                        c16.withUnsafeMutableBufferPointer {
                            operands.rounded = $0.baseAddress!
                            bf16_product(operands, m, n, even / 2)
                        }
                    }
                }
            }
            var worst = 0.0
            for i in 0..<m {
                for j in 0..<n {
                    var (sum, size) = (Double(bias[j]), Double(abs(bias[j])))
                    for p in 0..<k {
                        sum += wideA[i * even + p] * wideB[j * k + p]
                        size += abs(wideA[i * even + p] * wideB[j * k + p])
                    }
                    worst = max(worst, abs(Double(c[i * n + j]) - sum) / size)
                    let short = Double(Float(bitPattern: UInt32(c16[i * n + j]) << 16))
                    #expect(abs(short - sum) <= 0x1p-8 * abs(sum) + 1e-5 * size)
                }
            }
            #expect(worst < 1e-5, "\(size), by columns: \(byColumns)")
        }

        // aᵀ·b over m rows, added to what is there.
        let c = rounded(random([m, n], "c").values)
        let wideC = widened(c)
        var sums = [Float](repeating: 1, count: even * n)
        bf16_outer(&sums, n, a, even, c, n, even, n, m, 1)
        var expected = [Double](repeating: 1, count: even * n)
        for row in 0..<m {
            for i in 0..<even { for j in 0..<n { expected[i * n + j] += wideA[row * even + i] * wideC[row * n + j] } }
        }
        #expect(zip(sums, expected).allSatisfy { abs(Double($0) - $1) < 1e-5 * Double(m) * 9 })
    }

    /// Weights packed from float32 rows are those that are rounded first; missing rows and columns are 0.
    @Test(arguments: [(1, 1), (2, 64), (63, 33), (64, 95), (5, 128)]) func packingRounds(columns: Int, width: Int) {
        let even = (width + 1) / 2 * 2
        let weight = random([columns + 1, width], "weight")
        // The row in the middle is one of zeros.
        let missing = columns / 2
        var short = [bfloat16](repeating: 0, count: columns * even)
        bf16_round(&short, even, weight.values, width, columns, width, even)
        for i in 0..<even { short[missing * even + i] = 0 }
        weight.read {
            $0.withUnsafeBufferPointer { values in
                checkPacking(short, values.baseAddress!, columns: columns, width: width, missing: missing)
            }
        }
    }

    private func checkPacking(
        _ short: [bfloat16], _ weight: UnsafePointer<Float>, columns: Int, width: Int, missing: Int
    ) {
        let even = (width + 1) / 2 * 2
        let starts = (0..<columns).map { $0 == missing ? nil : weight + $0 * width }

        var (ours, theirs) = ([UInt32](repeating: .max, count: even / 2 * 64), [UInt32](repeating: .max, count: even / 2 * 64))
        bf16_pack_weight_columns(&ours, starts, columns, width)
        bf16_pack_columns(&theirs, short, even, columns, even)
        #expect(ours == theirs)

        // As rows: columns 1… of the weight.
        let (pairs, count) = ((columns + 1) / 2, min(64, width - 1))
        (ours, theirs) = ([UInt32](repeating: .max, count: pairs * 64), [UInt32](repeating: .max, count: pairs * 64))
        bf16_pack_weight_rows(&ours, starts, nil, 1, columns, count)
        short.withUnsafeBufferPointer { bf16_pack_rows(&theirs, $0.baseAddress! + 1, even, columns, count) }
        #expect(ours == theirs)
    }

    /// More than one round of 256 rows.
    @Test(arguments: InstructionSet.supported) func sumsOverManyRows(set: InstructionSet) {
        let (rows, m, n) = (777, 50, 270)
        let (a, b) = (rounded(random([rows, m], "a").values), rounded(random([rows, n], "b").values))
        var sums = [Float](repeating: .nan, count: m * n)
        set.limit { bf16_outer(&sums, n, a, m, b, n, m, n, rows, 0) }
        let (wideA, wideB) = (widened(a), widened(b))
        var worst = 0.0
        for i in 0..<m {
            for j in 0..<n {
                var sum = 0.0
                for row in 0..<rows { sum += wideA[row * m + i] * wideB[row * n + j] }
                worst = max(worst, abs(Double(sums[i * n + j]) - sum))
            }
        }
        #expect(worst < 2e-3)
    }
}
